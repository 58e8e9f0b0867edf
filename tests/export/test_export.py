import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

if keras.config.backend() != "tensorflow":
    pytest.skip("text endpoints are exported on TensorFlow", allow_module_level=True)

import tensorflow as tf

from rnnzoo import layers
from rnnzoo.errors import InputError
from rnnzoo.export import checked, portable_copy
from rnnzoo.export import export as export_model
from rnnzoo.models import char_lstm, gru_seq2seq
from rnnzoo.vocabulary import Vocabulary
from tests.export.models import (
    MARKS,
    PROMPTS,
    SOURCES,
    characters,
    decoded,
    export,
    shaken,
    translator,
)


def ops_in(path):
    """The operations of a SavedModel, with their types: `{(name of op, dtype), ...}`."""
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel.FromString((Path(path) / "saved_model.pb").read_bytes())
    graph = proto.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return {(node.op, node.attr["T"].type) for node in nodes}


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
    assert not hasattr(loaded, "generate") and not hasattr(loaded, "start")
    rows, expected = np.array([[1, 2, 3], [4, 5, 0]], "int32"), model(ids)
    started = loaded.start_tokens(rows, [3, 2])
    np.testing.assert_allclose(started.pop("logits")[0], expected[0, 2], atol=1e-5)
    stepped = loaded.step([0, 0], started)["logits"]
    np.testing.assert_allclose(stepped[1], model(np.array([[4, 5, 0]]))[0, 2], atol=1e-5)
    for lengths in ([3, 0], [4, 2]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Each row must have"):
            loaded.start_tokens(rows, lengths)
    half = shaken(gru_seq2seq(9, Vocabulary.from_text("12", special_tokens=MARKS), units=4))
    loaded = export(half, tmp_path / "half")
    assert loaded.serve({"source": ids, "target": ids}).shape == (1, 3, 5)


def test_any_keras_model_is_exported_as_keras_does_it(tmp_path):
    inputs = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(9, 4)(inputs)
    hidden = keras.layers.Bidirectional(layers.LSTM(3, return_sequences=True))(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2)(layers.GRU(3)(hidden)))
    ids = np.array([[1, 2, 3]], "int32")
    before = model.predict(ids, verbose=0)

    def attributes():
        return [
            [getattr(layer, name, None) for name in ("inner_loop", "exporting", "use_cudnn")]
            for layer in model._flatten_layers()
        ]

    old = attributes()
    export_model(model, tmp_path / "any", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "any"))
    np.testing.assert_allclose(loaded.serve(ids), before, atol=1e-5)
    assert attributes() == old
    export_model(model, tmp_path / "any", verbose=False)  # an export replaces an export
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    for wrong, folder, message in [
        (model, "mine", "holds 'notes.txt'"),
        (keras.Sequential([layers.GRU(3)]), "unbuilt", "cannot be exported"),
        ("char_lstm", "text", "takes a Keras model, not str"),
    ]:
        with pytest.raises(InputError, match=message):
            export_model(wrong, tmp_path / folder, verbose=False)
    for name in ("romeo.h5", "romeo.PB"):
        with pytest.raises(InputError, match="named like a file of another format"):
            export_model(model, tmp_path / name, verbose=False)
    with pytest.raises(InputError, match=r"`beam_width` \(3\) goes with"):
        export_model(model, tmp_path / "beam", beam_width=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["any", "mine"]


def test_other_formats_and_arguments_go_to_keras(tmp_path, monkeypatch):
    handed_on = []

    def export(self, filepath, format, **options):
        Path(filepath).write_text("onnx")
        handed_on.append((format, options))

    monkeypatch.setattr(keras.Model, "export", export)
    monkeypatch.setattr(checked, "PACKAGES", {})
    monkeypatch.setattr(checked, "_check_onnx", lambda path: None)
    char_lstm(9, units=4).export(tmp_path / "x.onnx", verbose=False, opset_version=18)
    assert [path.name for path in tmp_path.iterdir()] == ["x.onnx"]
    [(format, options)] = handed_on
    assert (format, options["opset_version"]) == ("onnx", 18)
    assert options["input_signature"][0].shape == (None, None)


def test_keras_exports_the_copy_to_litert(tmp_path):
    char_lstm(9, units=4).export(tmp_path / "ids.tflite", verbose=False)
    assert (tmp_path / "ids.tflite").read_bytes()[4:8] == b"TFL3"


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
    assert "generate, next_tokens, score, start" in capsys.readouterr().out
    other = shaken(character_model.from_config(character_model.get_config()), seed=1)
    loaded = export(other, str(path))
    expected = other.generate("to", max_new_tokens=9, sampler="greedy")
    assert decoded(loaded.generate(["to"], 9, 0.0)) == [expected]
    assert os.listdir(path.parent) == ["romeo"]


def test_other_things_are_not_replaced(character_model, tmp_path, monkeypatch):
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
    monkeypatch.chdir(full)
    for format in (None, "onnx", "litert"):
        with pytest.raises(InputError, match="is a folder in use"):
            character_model.export(".", format=format)
    assert sorted(os.listdir(tmp_path)) == ["file", "full", "mine"]
    ids = char_lstm(9, units=4)  # which Keras writes on other backends
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(InputError, match=r"holds 'model\.keras'"):
        ids.export(mine)
    assert sorted(os.listdir(mine)) == ["model.keras", "saved_model.pb"]


def test_a_failed_export_leaves_the_last_one(character_model, tmp_path, monkeypatch):
    path = tmp_path / "romeo"
    path.mkdir()
    (path / "saved_model.pb").write_text("the last one")

    def full_disk(module, folder, *_, **__):
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

class Blocked:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("rnnzoo", "keras", "tf_keras"):
            raise ImportError(name)

import tensorflow as tf  # it looks for Keras itself, so that this comes first

assert "rnnzoo" not in sys.modules
for name in [name for name in sys.modules if name.partition(".")[0] in ("keras", "tf_keras")]:
    del sys.modules[name]
sys.meta_path.insert(0, Blocked())

characters = tf.saved_model.load(sys.argv[1])
translator = tf.saved_model.load(sys.argv[2])
prompts, sources = map(tf.constant, json.loads(sys.argv[3]))
ids = tf.constant([[1, 2, 3]])

def streamed(loaded, state, steps=9):
    tokens = []
    for _ in range(steps):
        state.pop("attention", None)
        tokens.append(tf.argmax(state.pop("logits"), axis=-1, output_type=tf.int32))
        state |= loaded.step(tokens[-1], state)
    return loaded.decode(tf.stack(tokens, axis=1))["text"]

answers = {
    "generated": characters.generate(prompts, 30, temperature=0),
    "streamed": streamed(characters, characters.start(prompts)),
    "next": characters.next_tokens(prompts, 1)["tokens"],
    "nats": characters.score(prompts[:1])["nats"],
    "logits": characters.start_tokens(ids, [3])["logits"],
    "served": characters.serve(ids)[:, -1],
    "translated": translator.translate(sources),
    "n_best": translator.translate_n_best(sources)["translations"],
    "pair_nats": translator.score(sources, tf.constant(["1", "2", "3"]))["nats"],
    "streamed_translation": streamed(translator, translator.start(sources)),
    "source_logits": translator.start_tokens(ids)["logits"],
    "served_pair": translator.serve({"source": ids, "target": ids[:, :1]})[:, 0],
}

def plain(value):
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.decode() if isinstance(value, bytes) else value

print(json.dumps({name: plain(answer.numpy().tolist()) for name, answer in answers.items()}))
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


def test_every_endpoint_in_a_process_without_rnnzoo_and_keras(
    character_model, character_export, translator_model, translator_export, folder, tmp_path
):
    arguments = [folder / "characters", folder / "translator", json.dumps([PROMPTS, SOURCES])]
    output = run_process(sys.executable, "-c", FRESH_PROCESS, *arguments, cwd=tmp_path)
    answer = json.loads(output.splitlines()[-1])
    model, translator = character_model, translator_model
    expected = model.generate(PROMPTS, max_new_tokens=30, sampler="greedy")
    assert answer["generated"] == expected
    assert answer["streamed"] == [text[:9] for text in expected]
    assert answer["next"] == [[text[0]] for text in expected]
    assert answer["translated"] == translator.translate(SOURCES)
    hypotheses = translator.translate(SOURCES, beam_width=5, n_best=5)
    assert answer["n_best"] == [[each.text for each in row] for row in hypotheses]
    for text, streamed in zip(answer["translated"], answer["streamed_translation"], strict=True):
        assert streamed.startswith(text[:9]) or text.startswith(streamed)
    for ids, served in (("logits", "served"), ("source_logits", "served_pair")):
        finite = np.array(answer[ids]) > -1e8
        np.testing.assert_allclose(
            np.array(answer[ids])[finite], np.array(answer[served])[finite], atol=1e-5
        )
    np.testing.assert_allclose(answer["nats"], [model.score(PROMPTS[0])["nats"]], rtol=1e-5)
    ours = translator.score(SOURCES, ["1", "2", "3"])["nats"]
    np.testing.assert_allclose(answer["pair_nats"], ours, rtol=1e-5)
