import importlib

import keras
import numpy as np
import pytest

if keras.config.backend() != "tensorflow":
    pytest.skip("text endpoints are exported on TensorFlow", allow_module_level=True)

import tensorflow as tf

from rnnzoo.errors import InputError
from rnnzoo.models import gru_seq2seq
from rnnzoo.vocabulary import Vocabulary
from tests.export.models import (
    MARKS,
    PROMPTS,
    SENTENCE,
    SOURCES,
    TARGETS,
    decoded,
    export,
    shaken,
    translator,
    words,
)


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


def own_draws(seed, steps, rows, samples=1):
    """What an export draws: each row by its own index, whatever the number of rows."""
    rows = [tf.random.stateless_uniform([steps], [seed, row], alg="philox") for row in range(rows)]
    return np.stack(rows, axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_draws_follow_the_temperature(character_model, character_export, temperature):
    model, seed, steps = character_model, 7, 15
    uniforms = own_draws(seed, steps, rows=3)
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


@pytest.mark.parametrize(
    "sampling",
    [
        {"sampler": "greedy"},
        {"sampler": "temperature", "temperature": 0.7},
        {"sampler": "top_k", "k": 3},
        {"sampler": "top_p", "p": 0.4, "temperature": 1.5},
        {"sampler": "top_p"},
        {"sampler": "min_p", "p": 0.3},
        {"sampler": "typical", "p": 0.5},
        {"repetition_penalty": 2.0, "no_repeat_ngram": 3, "temperature": 0.5},
    ],
    ids=str,
)
def test_samplers_are_chosen_by_name_at_call_time(
    character_model, character_export, sampling, monkeypatch
):
    drawn = decoded(character_export.generate(PROMPTS, 25, seed=5, **sampling))
    module = importlib.import_module("rnnzoo.generation.generate")
    monkeypatch.setattr(module, "draw_uniforms", own_draws)
    assert drawn == character_model.generate(PROMPTS, 25, seed=5, **sampling)


def test_the_signature_of_all_samplers(character_export):
    numbers = {
        "max_new_tokens": tf.constant(9), "temperature": tf.constant(0.5),
        "seed": tf.constant(1, tf.int64), "sampler": tf.constant("top_k"), "k": tf.constant(2),
        "p": tf.constant(0.0), "repetition_penalty": tf.constant(1.0),
        "no_repeat_ngram": tf.constant(0),
    }  # fmt: skip
    by_name = character_export.signatures["sample"](prompt=tf.constant(["to "]), **numbers)
    expected = character_export.generate(["to "], 9, 0.5, 1, sampler="top_k", k=2)
    assert decoded(by_name["text"]) == decoded(expected)


def test_a_continuation_of_words_can_be_appended(word_model, word_export):
    prompts = ["to be", "to be ", "to be,"]
    ours = word_model.generate(prompts, max_new_tokens=6, sampler="greedy")
    assert decoded(word_export.generate(prompts, 6, sampler="greedy")) == ours
    assert any(text.startswith(" ") for text in ours) and not ours[1].startswith(" ")


def test_a_model_of_neither_kind_is_exported_too(tmp_path):
    from rnnzoo.founding.s2_model import WordModel

    model = shaken(WordModel(9, embedding_dim=4, units=[5]))
    loaded = export(model, tmp_path / "words")
    ids = np.array([[1, 2, 3]], "int32")
    np.testing.assert_allclose(loaded.serve(ids), model(ids), atol=1e-5)
    assert not hasattr(loaded, "generate")


def test_draws_depend_on_the_seed_and_the_row_alone(character_export):
    several = decoded(character_export.generate(["to ", "be", "to "], 20, seed=5))
    assert decoded(character_export.generate(["to "], 20, seed=5)) == several[:1]
    assert decoded(character_export.generate(["or not", "be"], 20, seed=5))[1] == several[1]
    assert decoded(character_export.generate(["to ", "be"], 9, seed=5))[1] == several[1][:9]
    assert several[0] != several[2]


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
        ids = v.encode_documents([text], start=level == "words", end=level == "words")[0]
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
        ((["to"], 5, 1e7), "`temperature` must be 0 .*1e"),
        ((["to"], 5, 1.0, 0, "nucleus"), "`sampler` must be one of .*nucleus"),
        ((["to"], 5, 1.0, 0, "top_k", 0), "`k` must be at least 1"),
        ((["to"], 5, 1.0, 0, "top_p", 1, 1.5), "`p` must be above 0"),
        ((["to"], 5, 1.0, 0, "top_p", 1, 0.5, 0.0), "`repetition_penalty` must be"),
        ((["to"], 5, 1.0, 0, "top_p", 1, 0.5, 1e7), "`repetition_penalty` must be"),
        ((["to"], 5, 1.0, 0, "top_p", 1, 0.5, 1.0, -1), "`no_repeat_ngram` must be"),
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


def check_n_best(model, loaded, sources, width=5, length_penalty=0.6):
    """The same texts and scores as in Python, the best first."""
    found = loaded.translate_n_best(tf.constant(sources), length_penalty)
    expected = model.translate(
        sources, beam_width=width, n_best=width, length_penalty=length_penalty
    )
    for row, texts in enumerate(expected):
        assert decoded(found["translations"][row, : len(texts)]) == [x.text for x in texts]
        scores = [x.score for x in texts]
        np.testing.assert_allclose(found["scores"][row, : len(texts)], scores, rtol=1e-5)
    assert ("attention" in found) == (model.decoder.attention is not None)


def check_translator(model, loaded):
    ours = model.translate(SOURCES)
    assert decoded(loaded.translate(tf.constant(SOURCES))) == ours
    scores = loaded.score(tf.constant(SOURCES), tf.constant(TARGETS))
    for index, (source, target) in enumerate(zip(SOURCES, TARGETS, strict=True)):
        source_ids = model.source_vocabulary.encode_documents([source], start=False)[0]
        ids = model.target_vocabulary.encode_documents([target])[0]
        logits = model({"source": source_ids[None], "target": ids[None, :-1]})[0]
        assert scores["tokens"][index] == len(ids) - 1 == len(target) + 1
        expected = nats_of(logits, ids[1:])
        assert float(scores["nats"][index]) == pytest.approx(expected, rel=1e-4)
    check_n_best(model, loaded, SOURCES)
    inputs = {"source": np.array([[3, 4, 2]], "int32"), "target": np.array([[1, 3]], "int32")}
    np.testing.assert_allclose(loaded.serve(inputs), model(inputs), atol=1e-5)


def test_translation_equals_the_model(translator_model, translator_export):
    check_translator(translator_model, translator_export)
    by_default = translator_export.signatures["serving_default"](text=tf.constant(SOURCES))
    assert decoded(by_default["translation"]) == translator_model.translate(SOURCES)


@pytest.mark.parametrize(
    "options",
    [
        {"attention_position": "after_cell", "cell": "lstm", "bidirectional": "sum"},
        {"attention": None, "bidirectional": False},
    ],
    ids=["after_cell", "no_attention"],
)
def test_other_translators(options, tmp_path):
    model = translator(**options)
    check_translator(model, export(model, tmp_path / "other"))


def test_a_beam_over_subwords_equals_the_model(tmp_path):
    """Text in and text out, unseen words and characters included."""
    pytest.importorskip("tokenizers", reason="subwords are learned by the package tokenizers")
    texts = ["Two men are outside, near many bushes.", "Zwei Männer sind im Freien bei Büschen."]
    vocabulary = Vocabulary.from_text(texts, "subword", size=60)
    model = shaken(gru_seq2seq(vocabulary, vocabulary, units=8))
    loaded = export(model, tmp_path / "beam", beam_width=3, length_penalty=1.0)
    sources = [*texts, "Many wooden  tables?", "東京 Two", "men"]
    expected = model.translate(sources, beam_width=3, length_penalty=1.0)
    assert decoded(loaded.translate(tf.constant(sources))) == expected
    check_n_best(model, loaded, sources, width=3, length_penalty=1.0)
    assert len(set(expected)) > 2 and expected != model.translate(sources)


def test_a_beam_goes_with_translation(character_model, tmp_path):
    for model in (character_model, gru_seq2seq(9, 8, units=4)):
        for name, value in (("beam_width", 2), ("length_penalty", 1.0)):
            with pytest.raises(InputError, match=rf"`{name}` \({value}\) goes with the endpoint"):
                export(model, tmp_path / "x", **{name: value})
    digits = Vocabulary.from_text("12", special_tokens=MARKS)
    with pytest.raises(InputError, match=r"`length_penalty` \(1.0\) is of no use to greedy"):
        export(gru_seq2seq(digits, digits, units=4), tmp_path / "x", length_penalty=1.0)
    with pytest.raises(InputError, match="`length_penalty` must be"):
        export(character_model, tmp_path / "x", length_penalty=-1)
    assert not (tmp_path / "x").exists()


def test_bad_requests_to_a_translator(translator_export):
    for texts, sentence in [(["one", " "], "is empty"), (["ÿ"], "lacks"), ([], "is empty")]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            translator_export.translate(tf.constant(texts, tf.string))
    with pytest.raises(tf.errors.InvalidArgumentError, match="one target for each source"):
        translator_export.score(tf.constant(["one", "two"]), tf.constant(["1"]))
