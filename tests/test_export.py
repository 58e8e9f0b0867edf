import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

if keras.config.backend() != "tensorflow":
    pytest.skip("text endpoints are exported on TensorFlow", allow_module_level=True)

import tensorflow as tf

from rnnzoo.errors import InputError
from rnnzoo.export import portable_copy
from rnnzoo.models import char_lstm, gru_seq2seq, word_lm
from rnnzoo.vocabulary import Vocabulary

SENTENCE = "to be, or not to be: that is the question."
MARKS = ("<pad>", "<start>", "<end>")
PROMPTS = ["to ", "question: to be", "n"]
SOURCES = ["one two", "two", "three three three"]
TARGETS = ["12", "2", "333"]


def shaken(model, seed=0):
    """Gives a model weights that are large enough to write more than one symbol."""
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, 0.7, weight.shape) for weight in model.weights])
    return model


def characters(**kwargs):
    return shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=12, num_layers=2, **kwargs))


def words(**kwargs):
    vocabulary = Vocabulary.from_text(SENTENCE, level="word", lowercase=True)
    return shaken(word_lm(vocabulary, units=12, embedding_dim=8, cell="gru", **kwargs))


def translator(seed=1, **kwargs):  # seeds that translate the SOURCES differently
    source = Vocabulary.from_text("one two three", special_tokens=MARKS)
    target = Vocabulary.from_text("123", special_tokens=MARKS)
    return shaken(gru_seq2seq(source, target, units=8, **kwargs), seed)


def export(model, path, **kwargs):
    """Exports and loads; the module must be kept as long as its functions are used."""
    model.export(path, verbose=False, **kwargs)
    return tf.saved_model.load(str(path))


def decoded(strings):
    return [string.decode() for string in strings.numpy()]


def ops_in(path):
    """The operations of a SavedModel, with their types: `{(name of op, dtype), ...}`."""
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel.FromString((Path(path) / "saved_model.pb").read_bytes())
    graph = proto.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return {(node.op, node.attr["T"].type) for node in nodes}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def character_model():
    return characters()


@pytest.fixture(scope="module")
def character_export(character_model, folder):
    return export(character_model, folder / "characters")


@pytest.fixture(scope="module")
def word_model():
    return words()


@pytest.fixture(scope="module")
def word_export(word_model, folder):
    return export(word_model, folder / "words")


@pytest.fixture(scope="module")
def translator_model():
    return translator()


@pytest.fixture(scope="module")
def translator_export(translator_model, folder):
    return export(translator_model, folder / "translator")


def nats_of(logits, labels):
    """Summed -log softmax at the labels, one text at a time in float64."""
    logits = np.asarray(logits, "float64")
    highest = logits.max(-1, keepdims=True)
    log_z = np.log(np.exp(logits - highest).sum(-1, keepdims=True)) + highest
    return -(logits - log_z)[np.arange(len(labels)), labels].sum()


# ---- language models


def test_greedy_generation_equals_the_model(character_model, character_export):
    ours = character_model.generate(PROMPTS, max_new_tokens=40, sampler="greedy")
    theirs = character_export.generate(tf.constant(PROMPTS), 40, temperature=0)
    assert decoded(theirs) == ours
    assert all(len(text) == 40 and len(set(text)) > 1 for text in ours)


def test_greedy_generation_of_words_equals_the_model(word_model, word_export):
    prompts = ["To be", "that  is the UNSEEN question", ""]
    ours = word_model.generate(prompts, max_new_tokens=12, sampler="greedy")
    assert decoded(word_export.generate(prompts, max_new_tokens=12, temperature=0)) == ours
    assert any(ours)


def test_generation_stops_at_the_end_token(word_model, folder):
    model = words()
    bias = model.head.bias
    bias.assign(bias + 3.0 * np.eye(len(model.vocabulary))[model.vocabulary.end_id])
    loaded = export(model, folder / "ending")
    drawn = decoded(loaded.generate(["to be"] * 50, max_new_tokens=30, seed=1))
    lengths = {len(model.vocabulary.encode(text)) for text in drawn}
    assert "" in drawn and len(lengths) > 2 and max(lengths) < 30
    greedy = model.generate(["to", "be"], max_new_tokens=9, sampler="greedy")
    assert decoded(loaded.generate(["to", "be"], 9, 0.0)) == greedy


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_draws_follow_the_temperature(character_model, character_export, temperature):
    model, seed, steps = character_model, 7, 15
    uniforms = tf.random.stateless_uniform([steps, 3], [seed, 0], alg="philox").numpy()
    expected = []
    for row, prompt in enumerate(PROMPTS):
        ids, state = list(model.vocabulary.encode(prompt)), model.get_initial_state(1)
        for token in ids:
            logits, state = model.step(np.array([token]), state)
        for step in range(steps):
            scaled = np.asarray(logits[0], "float64") / temperature
            mass = np.cumsum(np.exp(scaled - scaled.max()))
            ids.append(int(np.searchsorted(mass, uniforms[step, row] * mass[-1])))
            logits, state = model.step(np.array(ids[-1:]), state)
        expected.append(model.vocabulary.decode(ids[-steps:]))
    drawn = character_export.generate(
        PROMPTS, max_new_tokens=steps, temperature=temperature, seed=seed
    )
    assert decoded(drawn) == expected


def test_defaults_and_seeds(character_export):
    def draw(**kwargs):
        return decoded(character_export.generate(tf.constant(["to "]), **kwargs))[0]

    assert draw() == draw(max_new_tokens=100, temperature=1.0, seed=0)
    assert draw(seed=2**40) == draw(seed=2**40) != draw(seed=1)
    assert draw(max_new_tokens=20) == draw()[:20]
    assert draw(temperature=1e-6) == draw(temperature=0)
    by_default = character_export.signatures["serving_default"](prompt=tf.constant(["to "]))
    assert decoded(by_default["text"]) == [draw()]


@pytest.mark.parametrize("level", ["characters", "words"])
def test_score_equals_the_model(level, request):
    model = request.getfixturevalue(f"{level[:-1]}_model")
    loaded = request.getfixturevalue(f"{level[:-1]}_export")
    v = model.vocabulary
    texts = ["to be", SENTENCE, "is that the question"]
    scores = loaded.score(tf.constant(texts))
    assert scores["nats"].dtype == tf.float32 and scores["tokens"].dtype == tf.int32
    for text, nats, tokens in zip(texts, scores["nats"], scores["tokens"], strict=True):
        ids = v.encode_documents([text], level == "words", level == "words")[0]
        assert tokens == len(ids) - 1
        expected = nats_of(model(ids[None, :-1])[0], ids[1:])
        assert float(nats) == pytest.approx(expected, rel=1e-4)
    if level == "words":  # an empty document is a start and an end
        assert loaded.score([""])["tokens"].numpy().tolist() == [1]


def test_serve_gives_logits(character_model, character_export):
    ids = np.array([[1, 2, 3], [4, 5, 6]], "int32")
    np.testing.assert_allclose(character_export.serve(ids), character_model(ids), atol=1e-5)
    by_name = character_export.signatures["serve"](tokens=tf.constant(ids))
    np.testing.assert_allclose(by_name["output_0"], character_model(ids), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((["to", ""],), "A prompt is empty"),
        ((np.array([], object),), "A prompt is empty"),
        ((["to", "xyz"],), "lacks.*x y z"),
        ((["to"], 0), "`max_new_tokens` must be at least 1, not.*0"),
        ((["to"], 5, -0.5), "`temperature` must be 0 .*-0.5"),
        ((["to"], 5, float("nan")), "`temperature` must be 0 .*nan"),
    ],
)
def test_bad_requests_to_generate(character_export, arguments, sentence):
    prompts, *rest = arguments
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        character_export.generate(tf.constant(prompts, tf.string), *rest)


def test_bad_requests_to_score(character_export):
    with pytest.raises(tf.errors.InvalidArgumentError, match="A text to score is too short"):
        character_export.score(tf.constant(["to be", "t"]))


# ---- encoder-decoders


def check_translator(model, loaded):
    ours = model.translate(SOURCES)
    assert decoded(loaded.translate(tf.constant(SOURCES))) == ours
    assert len(set(ours)) > 1 and len(set("".join(ours))) > 1
    scores = loaded.score(tf.constant(SOURCES), tf.constant(TARGETS))
    for index, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        source_ids = model.source_vocabulary.encode_documents([source], start=False)[0]
        ids = model.target_vocabulary.encode_documents([target])[0]
        logits = model({"source": source_ids[None], "target": ids[None, :-1]})[0]
        assert scores["tokens"][index] == len(ids) - 1 == len(target) + 1
        expected = nats_of(logits, ids[1:])
        assert float(scores["nats"][index]) == pytest.approx(expected, rel=1e-4)
    inputs = {"source": np.array([[3, 4, 2]], "int32"), "target": np.array([[1, 3]], "int32")}
    np.testing.assert_allclose(loaded.serve(inputs), model(inputs), atol=1e-5)


def test_translation_equals_the_model(translator_model, translator_export):
    check_translator(translator_model, translator_export)
    by_default = translator_export.signatures["serving_default"](text=tf.constant(SOURCES))
    assert decoded(by_default["translation"]) == translator_model.translate(SOURCES)


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 3, "attention_position": "after_cell", "cell": "lstm", "bidirectional": "sum"},
        {"seed": 6, "attention": None, "bidirectional": False, "num_layers": 2},
    ],
    ids=["after_cell", "no_attention"],
)
def test_other_translators(options, tmp_path):
    model = translator(**options)
    check_translator(model, export(model, tmp_path / "other"))


def test_bad_requests_to_a_translator(translator_export):
    for texts, sentence in [(["one", " "], "is empty"), (["ÿ"], "lacks"), ([], "is empty")]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            translator_export.translate(tf.constant(texts, tf.string))
    with pytest.raises(tf.errors.InvalidArgumentError, match="one target for each source"):
        translator_export.score(tf.constant(["one", "two"]), tf.constant(["1"]))


# ---- portability


def test_mixed_precision_is_exported_in_float32(character_model, tmp_path):
    mixed = characters(dtype="mixed_bfloat16")
    loaded = export(mixed, tmp_path / "mixed")
    assert tf.bfloat16.as_datatype_enum not in {dtype for _, dtype in ops_in(tmp_path / "mixed")}
    expected = character_model.generate(PROMPTS, max_new_tokens=20, sampler="greedy")
    assert decoded(loaded.generate(PROMPTS, 20, 0.0)) == expected
    assert mixed.compute_dtype == "bfloat16"
    copy = portable_copy(translator(dtype="mixed_bfloat16"))
    assert {layer.compute_dtype for layer in copy._flatten_layers()} == {"float32"}


def test_no_cudnn_unless_asked_for(tmp_path, monkeypatch):
    keras_rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(keras_rnn, "_is_gpu_available", lambda: True)
    lstm, gru = char_lstm(9, units=4), gru_seq2seq(9, 9, units=4, bidirectional=True)
    for name, model in {"lstm": lstm, "gru": gru}.items():
        model.export(tmp_path / name, verbose=False)
        assert "CudnnRNNV3" not in {op for op, _ in ops_in(tmp_path / name)}
        model.export(tmp_path / name, verbose=False, use_cudnn=True)
        assert "CudnnRNNV3" in {op for op, _ in ops_in(tmp_path / name)}


def test_training_leaves_no_trace(tmp_path):
    model = characters()
    model.compile()
    tokens = np.zeros((8, 5), "int32")
    inputs = {"tokens": tokens, "reset": np.ones(8, "int32")}
    stream = tf.data.Dataset.from_tensors((inputs, tokens)).repeat(2)
    model.fit(stream, shuffle=False, verbose=0)
    weights = [np.array(weight) for weight in model.get_weights()]
    export(model, tmp_path / "trained")
    variables = tmp_path / "trained" / "variables" / "variables"
    saved = [name for name, _ in tf.train.list_variables(str(variables))]
    assert len([name for name in saved if "CHECKPOINTABLE" not in name]) == len(model.weights)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    model.fit(stream, shuffle=False, verbose=0)  # still trains


def test_portable_copy_leaves_the_model_alone():
    model = characters(dtype="mixed_bfloat16", dropout=0.5)
    copy = portable_copy(model)
    copy.set_weights([0 * weight for weight in copy.get_weights()])
    assert any(weight.any() for weight in model.get_weights())
    assert {layer.use_cudnn for layer in model.recurrent.recurrent_layers} == {"auto"}
    assert {layer.use_cudnn for layer in copy.recurrent.recurrent_layers} == {False}


# ---- Keras's own export, and what can be wrong


def test_a_model_of_ids_serves_ids(tmp_path):
    model = shaken(char_lstm(9, units=4))
    loaded = export(model, tmp_path / "ids")
    ids = np.array([[1, 2, 3]], "int32")
    np.testing.assert_allclose(loaded.serve(ids), model(ids), atol=1e-5)
    assert not hasattr(loaded, "generate")
    half = shaken(gru_seq2seq(9, Vocabulary.from_text("12", special_tokens=MARKS), units=4))
    loaded = export(half, tmp_path / "half")
    assert loaded.serve({"source": ids, "target": ids}).shape == (1, 3, 5)


def test_other_formats_and_arguments_go_to_keras(character_model, tmp_path, monkeypatch):
    handed_on = []
    monkeypatch.setattr(keras.Model, "export", lambda *a, **k: handed_on.append((a[1:], k)))
    character_model.export(tmp_path / "x.onnx", format="onnx", verbose=False, opset_version=18)
    (path, format, verbose, signature), rest = handed_on[0]
    assert (path, format, verbose) == (tmp_path / "x.onnx", "onnx", False)
    assert signature[0].shape == (None, None) and rest == {"opset_version": 18}


def test_input_signature_is_that_of_serve(character_model, tmp_path):
    loaded = export(
        character_model, tmp_path / "fixed", input_signature=[keras.InputSpec("int32", (2, 3))]
    )
    assert loaded.serve(tf.zeros([2, 3], tf.int32)).shape == (2, 3, len(character_model.vocabulary))
    with pytest.raises(TypeError):
        loaded.serve(tf.zeros([2, 4], tf.int32))


def test_unknown_arguments_are_refused(character_model, tmp_path):
    with pytest.raises(TypeError, match="opset_version"):
        character_model.export(tmp_path / "x", opset_version=18)


def test_other_backends_are_refused(character_model, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(InputError, match="KERAS_BACKEND=tensorflow"):
        character_model.export(tmp_path / "x")


def test_an_export_replaces_an_export(character_model, tmp_path, capsys):
    path = tmp_path / "new" / "romeo"
    character_model.export(path)
    assert "generate, score, serve" in capsys.readouterr().out
    other = shaken(character_model.from_config(character_model.get_config()), seed=1)
    loaded = export(other, str(path))
    expected = other.generate("to", max_new_tokens=9, sampler="greedy")
    assert decoded(loaded.generate(["to"], 9, 0.0)) == [expected]
    assert os.listdir(path.parent) == ["romeo"]


def test_other_things_are_not_replaced(character_model, tmp_path):
    file, full, mine = tmp_path / "file", tmp_path / "full", tmp_path / "mine"
    file.write_text("mine")
    (full / "assets").mkdir(parents=True)
    mine.mkdir()
    (mine / "saved_model.pb").touch()
    (mine / "model.keras").touch()
    for path, sentence in [(file, "is a file"), (full, "holds 'assets'"), (mine, "'model.keras'")]:
        with pytest.raises(InputError, match=sentence):
            character_model.export(path)
        with pytest.raises(InputError, match=r"is a file|cannot be written"):
            character_model.export(file / "below")
    assert sorted(os.listdir(tmp_path)) == ["file", "full", "mine"]


def test_a_failed_export_leaves_the_last_one(character_model, tmp_path, monkeypatch):
    path = tmp_path / "romeo"
    path.mkdir()
    (path / "saved_model.pb").write_text("the last one")

    def full_disk(module, folder, *_):
        Path(folder).mkdir()
        (Path(folder) / "saved_model.pb").write_text("half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        character_model.export(path)
    assert (path / "saved_model.pb").read_text() == "the last one"
    assert os.listdir(tmp_path) == ["romeo"]


# ---- other processes

FRESH_PROCESS = """
import json, sys
import tensorflow as tf
characters = tf.saved_model.load(sys.argv[1])
translator = tf.saved_model.load(sys.argv[2])
prompts, sources = json.loads(sys.argv[3])
scores = translator.score(tf.constant(sources), tf.constant(["1"] * len(sources)))
decoded = lambda strings: [string.decode() for string in strings.numpy()]
print(json.dumps({
    "generated": decoded(characters.generate(tf.constant(prompts), 30, temperature=0)),
    "translated": decoded(translator.translate(tf.constant(sources))),
    "nats": scores["nats"].numpy().tolist(),
    "modules": [name for name in ("rnnzoo", "keras") if name in sys.modules],
}))
"""


def run_process(*command, cwd):
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_loads_in_a_process_without_rnnzoo(
    character_model, character_export, translator_model, translator_export, folder, tmp_path
):
    arguments = [folder / "characters", folder / "translator", json.dumps([PROMPTS, SOURCES])]
    output = run_process(sys.executable, "-c", FRESH_PROCESS, *arguments, cwd=tmp_path)
    answer = json.loads(output.splitlines()[-1])
    assert "rnnzoo" not in answer["modules"]
    expected = character_model.generate(PROMPTS, max_new_tokens=30, sampler="greedy")
    assert answer["generated"] == expected
    assert answer["translated"] == translator_model.translate(SOURCES)
    ours = translator_export.score(tf.constant(SOURCES), tf.constant(["1"] * 3))["nats"]
    np.testing.assert_allclose(answer["nats"], ours, rtol=1e-5)


def test_saved_model_cli(character_model, character_export, folder, tmp_path):
    beside = str(Path(sys.executable).parent)
    cli = shutil.which("saved_model_cli", path=beside) or shutil.which("saved_model_cli")
    assert cli, "saved_model_cli comes with TensorFlow"
    path = folder / "characters"
    shown = run_process(cli, "show", "--all", "--dir", path, cwd=tmp_path)
    for name in ("serving_default", "generate", "score", "serve"):
        assert f"signature_def['{name}']" in shown
    for name in ("prompt", "max_new_tokens", "temperature", "seed"):
        assert f"inputs['{name}']" in shown
    given = "prompt=['to ','be'];max_new_tokens=8;temperature=0;seed=1"
    command = [cli, "run", "--dir", path, "--tag_set", "serve", "--signature_def", "generate"]
    written = run_process(*command, "--input_exprs", given, cwd=tmp_path)
    expected = character_model.generate(["to ", "be"], max_new_tokens=8, sampler="greedy")
    assert str([text.encode() for text in expected]).replace(",", "") in written.replace(",", "")
