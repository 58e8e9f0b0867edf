"""Text classifiers: pooled outputs, long texts, what a language model gives them."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import TextClassifier, Vocabulary, load, text_classifier, word_lm
from rnnzoo.callbacks import GradualUnfreezing, SampleText
from rnnzoo.data import LabelledDataset
from rnnzoo.errors import InputError
from rnnzoo.models import classifying
from rnnzoo.models.classifying import pooled
from rnnzoo.optimizers import LayerwiseAdam

WORDS = Vocabulary.from_text("the film was good bad fun dull and so on", level="word")
LABELS = ("negative", "positive")
PARTS = ("head", "recurrent", "embedding")


@pytest.fixture
def model():
    keras.utils.set_random_seed(3)
    return text_classifier(WORDS, LABELS, units=(6, 5), embedding_dim=4, head_units=7)


def texts(count, seed=0, longest=30):
    random = np.random.default_rng(seed)
    words = [token for token in WORDS.tokens if not token.startswith("<")]
    return [" ".join(random.choice(words, random.integers(1, longest))) for _ in range(count)]


def test_pooling_against_numpy():
    random = np.random.default_rng(0)
    hidden = random.normal(size=(3, 6, 4)).astype("float32")
    lengths = np.array([6, 1, 4])
    found = ops.convert_to_numpy(pooled(hidden, np.arange(6) < lengths[:, None]).features())
    for row, length in enumerate(lengths):
        real = hidden[row, :length]
        expected = np.concatenate([real[-1], real.max(0), real.mean(0)])
        np.testing.assert_allclose(found[row], expected, rtol=1e-5)


def test_what_is_pooled_piece_by_piece_is_pooled_at_once():
    hidden = np.random.default_rng(0).normal(size=(2, 9, 3)).astype("float32")
    mask = np.arange(9) < np.array([[9], [4]])
    first = pooled(hidden[:, :5], mask[:, :5])
    both = pooled(hidden[:, 5:], mask[:, 5:], first).features()
    whole = pooled(hidden, mask).features()
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (both, whole)), rtol=1e-5)


def test_bfloat16_counts_beyond_256():
    """A text of 300 ids: its last output, and its mean."""
    tokens = np.random.default_rng(0).integers(4, len(WORDS), (2, 300)).astype("int32")
    tokens[1, 259:] = 0
    keras.utils.set_random_seed(1)
    model = text_classifier(WORDS, LABELS, units=6, dtype="mixed_bfloat16")
    exact = model.copy_in_dtype("float32")
    found, expected = (ops.convert_to_numpy(one(tokens)) for one in (model, exact))
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert "changed_layers" not in model.get_config()


def test_what_is_pooled_of_bfloat16_is_exact():
    hidden = np.ones((1, 300, 1), "float32")
    hidden[0, 258] = 3.0
    mask = np.arange(300)[None] < 259
    features = pooled(ops.cast(hidden, "bfloat16"), mask).features()
    np.testing.assert_allclose(ops.convert_to_numpy(features)[0], [3, 3, 261 / 259], rtol=1e-5)


@pytest.mark.parametrize("segment", [8, 1024])
def test_classify_is_the_softmax_of_a_call_whatever_stands_beside(model, monkeypatch, segment):
    monkeypatch.setattr(classifying, "SEGMENT", segment)
    many = texts(9, longest=40)
    found = model.classify(many, batch_size=4)
    for text, one in zip(many, found, strict=True):
        logits = ops.convert_to_numpy(model(model.encode([text])[0][None]))[0]
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(list(one.probabilities.values()), expected, atol=1e-5)
        assert one.label == LABELS[expected.argmax()]
    alone = model.classify(many[3])
    np.testing.assert_allclose(
        list(alone.probabilities.values()), list(found[3].probabilities.values()), atol=1e-5
    )


def test_it_starts_from_a_language_model():
    language_model = word_lm(
        WORDS, units=6, num_layers=2, embedding_dim=4, dropout=0.1, name="my_recurrent"
    )
    language_model.recurrent.recurrent_layers[0].trainable = False  # it is taken as it is
    model = TextClassifier.from_language_model(language_model, LABELS, weight_drop=0.2)
    for part in ("embedding", "recurrent"):
        old, new = (
            [np.asarray(w) for w in getattr(one, part).weights] for one in (language_model, model)
        )
        assert len(old) == len(new) > 0
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))
    assert model.get_config()["weight_drop"] == 0.2 and model.get_config()["dropout"] == 0.1
    with pytest.raises(InputError, match="`units` is that of the language model"):
        TextClassifier.from_language_model(language_model, LABELS, units=3)
    with pytest.raises(InputError, match="not from TextClassifier"):
        TextClassifier.from_language_model(model, LABELS)
    language_model.quantize("int8")
    with pytest.raises(InputError, match="replaced, quantized or LoRA"):
        TextClassifier.from_language_model(language_model, LABELS)


def test_saved_and_loaded_it_classifies_the_same(model, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    assert loaded.labels == LABELS
    assert loaded.classify("so dull") == model.classify("so dull")


def test_it_learns_and_parts_that_wait_stand_still_to_the_last_bit(model):
    many = texts(64)
    labels = ["good" in text for text in many]
    batches = LabelledDataset(model.encode(many), labels=np.array(labels, "int32"), batch_size=16)
    model.compile(LayerwiseAdam(2e-2, parts=PARTS))
    before = {w.path: np.array(ops.convert_to_numpy(w)) for w in model.trainable_weights}
    first = model.evaluate(batches, verbose=0, return_dict=True)
    unfreezing = GradualUnfreezing(4, rate_decay=2.0)
    model.fit(batches, epochs=1, verbose=0, callbacks=[unfreezing])
    moved = {
        w.path: not np.array_equal(before[w.path], ops.convert_to_numpy(w))
        for w in model.trainable_weights
    }
    assert all(moves == ("/head/" in path) for path, moves in moved.items())
    model.fit(batches, epochs=20, verbose=0, callbacks=[unfreezing])
    np.testing.assert_allclose(np.asarray(model.optimizer.factors), [1.0, 0.5, 0.25])
    after = model.evaluate(batches, verbose=0, return_dict=True)
    assert after["accuracy"] > 0.95 > first["accuracy"] and after["loss"] < first["loss"]


def test_the_rate_of_each_part_is_multiplied(model):
    """The first step of Adam is the rate times the sign, whatever the gradient."""
    model.compile(LayerwiseAdam(1e-2, parts=PARTS))
    model.optimizer.factors.assign([1.0, 0.5, 0.0])
    before = {w.path: np.array(ops.convert_to_numpy(w)) for w in model.trainable_weights}
    tokens, labels = LabelledDataset(model.encode(texts(32)), [0, 1] * 16, 32)[0]
    model.train_on_batch(tokens, labels)
    for weight in model.trainable_weights:
        factor = 1.0 if "/head/" in weight.path else 0.5 if "/recurrent/" in weight.path else 0.0
        step = np.abs(ops.convert_to_numpy(weight) - before[weight.path])
        assert step.max() <= factor * 1.001e-2
        assert factor == 0 or step.max() >= factor * 0.9e-2


def test_a_weight_in_no_part_is_refused(model):
    with pytest.raises(InputError, match="is in none of the parts head, embedding"):
        model.compile(LayerwiseAdam(1e-2, parts=("head", "embedding")))
    with pytest.raises(InputError, match="at least one name"):
        LayerwiseAdam(1e-2, parts="head")
    with pytest.raises(InputError, match="no weight decay"):
        LayerwiseAdam(1e-2, parts=PARTS, weight_decay=0.1)
    model.compile()
    with pytest.raises(InputError, match="has one rate for all"):
        model.fit(np.ones((2, 3), "int32"), np.array([0, 1]), verbose=0,
                  callbacks=[GradualUnfreezing(1)])  # fmt: skip


@pytest.mark.parametrize(
    "labels", [["one"], ["a", "a"], "ab", ["a", ""], ["a\n", "b\nc"], [1, 2], None]
)
def test_labels_that_are_none(labels):
    with pytest.raises(InputError, match="at least two different names"):
        text_classifier(9, labels, units=4)


def test_bad_input_is_refused(model):
    for empty in ("", " \n", ["good", ""]):
        with pytest.raises(InputError, match="is empty; give at least one symbol"):
            model.classify(empty)
    with pytest.raises(InputError, match="at least one text"):
        model.classify([])
    with pytest.raises(InputError, match="holds no vocabulary"):
        text_classifier(9, LABELS, units=4).classify("good")
    with pytest.raises(InputError, match='special token "<pad>"'):
        text_classifier(Vocabulary.from_text("abc"), LABELS, units=4)
    model.compile()
    tokens = np.ones((2, 3), "int32")
    with pytest.raises(InputError, match="The label 2 is outside of 0 to 1, which stand for neg"):
        model.fit(tokens, np.array([0, 2]), verbose=0)
    with pytest.raises(InputError, match="a classifier learns one label a text"):
        model.fit(tokens, np.zeros((2, 3), "int32"), verbose=0)
    model.fit(tokens, np.array([0, 1]), class_weight={0: 1.0, 1: 3.0}, verbose=0)
    for wrong in ({"head_dropout": 1.0}, {"head_dropout": 1.5}, {"head_units": 0}):
        with pytest.raises(InputError):
            text_classifier(9, LABELS, units=4, **wrong)


def test_samples_show_labels(model, capsys):
    model.compile()
    callback = SampleText("so good", references="positive")
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0)
    shown = capsys.readouterr().out
    assert "so good\n  -> " in shown and " %)\n     (reference: positive)" in shown
