"""Translation with encoder-decoders, free-running."""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.errors import InputError
from tests import runners

NAMES = list(runners.ENCODER_DECODERS)
TEXTS = ["one two one", "two", "one one two two one two"]


def in_steps(model, text, most):
    """Translates one text by a plain Python loop: the ids, and where each step looked."""
    ids = model.source_vocabulary.encode_documents([text], start=False)[0]
    memory, state = model.encode(ids[None])
    target = model.target_vocabulary
    written, looked, token = [], [], target.start_id
    while len(written) < most and token != target.end_id:
        logits, state, weights = model.step(np.array([token], "int32"), state, memory)
        logits = ops.convert_to_numpy(logits)[0].copy()
        logits[[target.pad_id, target.start_id, target.unknown_id]] = -np.inf
        token = int(logits.argmax())
        written.append(token)
        looked.append(ops.convert_to_numpy(weights)[0])
    return written, np.stack(looked)


@pytest.mark.parametrize("name", NAMES)
def test_teacher_forced_logits_are_those_of_the_steps(name):
    model = runners.ENCODER_DECODERS[name]()
    inputs, *_ = runners.batch(model)
    logits = runners.logits_of(model, inputs)
    memory, state = model.encode(inputs["source"])
    for time in range(logits.shape[1]):
        step, state, weights = model.step(inputs["target"][:, time], state, memory)
        np.testing.assert_allclose(ops.convert_to_numpy(step), logits[:, time], atol=1e-5)
        assert tuple(weights.shape) == inputs["source"].shape


@pytest.mark.parametrize("name", NAMES)
def test_source_padding_changes_nothing(name):
    model = runners.ENCODER_DECODERS[name]()
    inputs, *_ = runners.batch(model)
    more = {**inputs, "source": np.pad(inputs["source"], ((0, 0), (0, 5)))}
    np.testing.assert_allclose(
        runners.logits_of(model, more), runners.logits_of(model, inputs), atol=1e-5
    )


@pytest.mark.parametrize(
    "name", ["gru_seq2seq", "gru_seq2seq-after-lstm", "gru_seq2seq-no_attention"]
)
def test_translation_is_the_likeliest_token_each_time(name):
    keras.utils.set_random_seed(1)
    model = runners.ENCODER_DECODERS[name]()
    attends = model.decoder.attention is not None
    translated = model.translate(TEXTS, max_new_tokens=9, return_attention=attends)
    texts, attention = translated if attends else (translated, [None] * 3)
    for text, translation, weights in zip(TEXTS, texts, attention, strict=True):
        written, looked = in_steps(model, text, 9)
        assert translation == model.target_vocabulary.decode(written)
        if attends:
            assert weights.shape == (len(written), len(text) + 1)  # the source's end token too
            assert weights.dtype == np.float32
            np.testing.assert_allclose(weights, looked, atol=1e-5)
            np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


def test_end_token_stops_each_row():
    model = runners.ENCODER_DECODERS["gru_seq2seq"]()
    bias = np.zeros(model.target_vocabulary_size, "float32")
    bias[model.end_id] = 50
    model.decoder.head.bias.assign(bias)
    texts, attention = model.translate(TEXTS, return_attention=True)
    assert texts == ["", "", ""] and [len(weights) for weights in attention] == [1, 1, 1]


def test_special_tokens_are_never_written():
    model = runners.ENCODER_DECODERS["gru_seq2seq"]()
    target = model.target_vocabulary
    bias = np.zeros(model.target_vocabulary_size, "float32")
    bias[[target.pad_id, target.start_id, target.unknown_id]] = 50
    bias[target.end_id] = -50
    model.decoder.head.bias.assign(bias)
    text = model.translate("one", max_new_tokens=7)
    assert len(text) == 7 and set(text) <= {"1", "2"}


def test_one_text_or_many():
    model = runners.ENCODER_DECODERS["gru_seq2seq-after-lstm"]()
    text, weights = model.translate("one two", return_attention=True)
    (same,), (its,) = model.translate(["one two"], return_attention=True)
    assert text == same and np.array_equal(weights, its)
    assert model.translate("one two") == text
    assert len(weights) <= 2 * 8 + 10


def test_ids_without_vocabularies():
    model = rnnzoo.gru_seq2seq(9, 8, units=4)
    written, weights = model.translate([3, 4, 5], max_new_tokens=6, return_attention=True)
    assert weights.shape == (len(written), 3)
    assert not {0, 1} & set(written.tolist())
    many = model.translate([[3, 4, 5], [6]], max_new_tokens=6)
    assert np.array_equal(many[0], written) and len(many) == 2


@pytest.mark.parametrize("name", ["gru_seq2seq", "gru_seq2seq-after-lstm"])
def test_mixed_precision(name):
    model = runners.ENCODER_DECODERS[name](dtype="mixed_bfloat16")
    _, weights = model.translate("one two", return_attention=True)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="JAX compiles by shape")
def test_one_trace_serves_all_lengths(monkeypatch):
    model = runners.ENCODER_DECODERS["gru_seq2seq"]()
    traces = []
    encode = rnnzoo.Seq2Seq.encode
    monkeypatch.setattr(rnnzoo.Seq2Seq, "encode", lambda *all: traces.append(1) or encode(*all))
    model.translate("one", max_new_tokens=3)
    model.translate(["one two " * 9, "two"], max_new_tokens=40)
    assert len(traces) == 1
    for texts in ("one", ["one two " * 9, "two"]):
        model.translate(texts, max_new_tokens=40, return_attention=True)
    assert len(traces) == 2  # attention weights are computed by a function of their own


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": ""}, "A text to translate is empty"),
        ({"texts": ["one", "  "]}, "A text to translate is empty"),
        ({"texts": []}, "a list of at least one text"),
        ({"texts": 5}, "Give a text"),
        ({"texts": [None]}, "Give a text"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be"),
        ({"max_new_tokens": 10**10}, "`max_new_tokens` must be at most 1000000"),
        ({"max_new_tokens": 10**400}, "`max_new_tokens` must be at most 1000000"),
        ({"beam_width": 10**10}, "`beam_width` must be at most 10000"),
        ({"n_best": 10**400, "beam_width": 10**400}, "`n_best` must be at most 10000"),
        ({"beam_width": 2, "diversity_penalty": 1.0}, "of no use without groups"),
        ({"length_penalty": 2.0}, "`length_penalty` .2.0. is of no use to greedy search"),
    ],
)
def test_bad_input(arguments, message):
    model = runners.ENCODER_DECODERS["gru_seq2seq"]()
    with pytest.raises(InputError, match=message):
        model.translate(**{"texts": "one", **arguments})


def test_unseen_symbols_are_named():
    source = rnnzoo.Vocabulary.from_text("one two", special_tokens=["<pad>", "<end>"])
    model = rnnzoo.gru_seq2seq(source, runners.DIGITS, units=4)
    with pytest.raises(InputError, match="'x'"):
        model.translate("onex")


def test_attention_is_refused_where_there_is_none():
    model = runners.ENCODER_DECODERS["gru_seq2seq-no_attention"]()
    with pytest.raises(InputError, match="built without attention"):
        model.translate("one", return_attention=True)


@pytest.mark.parametrize("ids", ["abc", 5, [], [[]], [1.5], [0, 3], [9]])
def test_bad_ids(ids):
    with pytest.raises(InputError):
        rnnzoo.gru_seq2seq(9, 8, units=4).translate(ids)
