"""Targets, weights, losses and metrics: every shape Keras takes gives the right figure."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import Vocabulary, char_lstm, gru_seq2seq, load, word_lm
from rnnzoo.errors import InputError
from rnnzoo.evaluation.metrics import Perplexity

RANDOM = np.random.default_rng(0)
SIZES = (20, 1500)  # below and above the size from which the softmax is chunked
CE = keras.losses.SparseCategoricalCrossentropy


def model_and_ids(size, **options):
    model = word_lm(size, units=8, embedding_dim=4, **options)
    model.set_weights([RANDOM.normal(0, 0.5, weight.shape) for weight in model.weights])
    model.compile()
    return model, RANDOM.integers(0, size, (6, 5)), RANDOM.integers(1, size, (6, 5))


def nats_of(model, x, y):
    return ops.convert_to_numpy(
        keras.losses.sparse_categorical_crossentropy(y, model(x), from_logits=True)
    )


@pytest.mark.parametrize("size", SIZES)
def test_ids_of_every_shape_and_dtype_give_the_same_perplexity(size):
    model, x, y = model_and_ids(size)
    expected = np.exp(nats_of(model, x, y).mean())
    kinds = [
        y,
        y[..., None],
        y.astype("float32"),
        y.astype("int16"),
        y[..., None].astype("float64"),
    ]
    for targets in kinds:
        loss, perplexity = model.evaluate(x, targets, verbose=0)
        assert perplexity == pytest.approx(expected, rel=1e-4)
        assert np.exp(loss) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(InputError, match="distributions over the"):
        model.evaluate(x, np.eye(size, dtype="float32")[y], verbose=0)
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    _, perplexity = model.evaluate(x, np.eye(size, dtype="float32")[y], verbose=0)
    assert perplexity == pytest.approx(expected, rel=1e-4)
    with pytest.raises(InputError, match="reads a distribution"):
        model.evaluate(x, y, verbose=0)


def test_targets_of_another_shape_are_refused_in_one_sentence():
    model, x, y = model_and_ids(20)
    for wrong in (y[:, :3], y[..., None, None], np.ones((6, 5, 3))):
        with pytest.raises(InputError, match="targets have the shape"):
            model.fit(x, wrong, verbose=0)


@pytest.mark.parametrize("options", [{}, {"sampled_softmax": 8}])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bad", [-1, "size", np.nan, 2.5])
def test_labels_outside_the_vocabulary_never_train(size, options, bad):
    model, x, y = model_and_ids(size, **options)
    before = [np.array(ops.convert_to_numpy(w.value)) for w in model.weights]
    wrong = y.astype("float32")
    wrong[3, 2] = size if bad == "size" else bad
    with pytest.raises(InputError, match="outside the vocabulary"):
        model.fit(x, wrong, verbose=0)
    with pytest.raises(InputError, match="outside the vocabulary"):
        model.evaluate(x, wrong, verbose=0)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return x, wrong

    with pytest.raises(InputError, match="outside the vocabulary"):
        model.fit(Batches(), verbose=0)
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        with pytest.raises(InputError, match="outside the vocabulary"):
            model.fit(tf.data.Dataset.from_tensors((x, wrong)), verbose=0)
        for weight, value in zip(model.weights, before, strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(weight.value), value)


@pytest.mark.parametrize("size", SIZES)
def test_weights_of_tokens_and_of_rows(size):
    model, x, y = model_and_ids(size)
    nats = nats_of(model, x, y)
    rows = RANDOM.random(6).astype("float32")
    expected = (nats * rows[:, None]).sum() / (rows.sum() * 5)
    for weights in (rows, rows[:, None], np.repeat(rows[:, None], 5, 1)):
        loss, perplexity = model.evaluate(x, y, sample_weight=weights, verbose=0)
        assert loss == pytest.approx(expected, rel=1e-4)
        assert perplexity == pytest.approx(np.exp(expected), rel=1e-4)
        model.fit(x, y, sample_weight=weights, verbose=0)
        nats = nats_of(model, x, y)
        expected = (nats * rows[:, None]).sum() / (rows.sum() * 5)
    with pytest.raises(InputError, match="sample weights have the shape"):
        model.evaluate(x, y, sample_weight=np.ones((6, 3)), verbose=0)
    with pytest.raises(InputError, match="class_weight"):
        model.fit(x, y, class_weight={0: 1.0, 1: 2.0}, verbose=0)


@pytest.mark.parametrize("size", SIZES)
def test_padding_never_counts_in_a_translation_model(size):
    model = gru_seq2seq(30, size, units=8)
    model.set_weights([RANDOM.normal(0, 0.5, weight.shape) for weight in model.weights])
    y = RANDOM.integers(3, size, (6, 5))
    y[:, 3:] = 0
    x = {"source": RANDOM.integers(1, 30, (6, 4)), "target": np.where(y, 1, 0)}
    logits = ops.convert_to_numpy(model(x))
    nats = nats_of(model, x, y)[:, :3].mean()
    right = (logits.argmax(-1) == y)[:, :3].mean()
    for loss in (None, "sparse_categorical_crossentropy", CE(from_logits=True)):
        for metrics in (None, ["accuracy"], ["sparse_categorical_crossentropy", Perplexity()]):
            model.compile(loss=loss, metrics=metrics)
            found = model.evaluate(x, y, verbose=0, return_dict=True)
            assert found["loss"] == pytest.approx(nats, rel=1e-4)
            assert found["perplexity"] == pytest.approx(np.exp(nats), rel=1e-4)
            if "accuracy" in found:
                assert found["accuracy"] == pytest.approx(right, rel=1e-4)
            if "sparse_categorical_crossentropy" in found:
                assert found["sparse_categorical_crossentropy"] == pytest.approx(nats, rel=1e-4)
    weights = np.where(np.arange(5) < 2, 0.5, 0.0) * np.ones((6, 1))
    nats = nats_of(model, x, y)[:, :2].mean()
    model.compile()
    assert model.evaluate(x, y, sample_weight=weights, verbose=0)[0] == pytest.approx(
        nats, rel=1e-4
    )


def test_a_language_model_has_the_padding_of_its_vocabulary():
    words = "the cat sat on the mat"
    padded = Vocabulary.from_text(words, level="word", special_tokens=("<pad>", "<unk>"))
    plain = Vocabulary.from_text("the cat")
    assert word_lm(padded, units=4, embedding_dim=4).padding_id == 0
    assert char_lstm(plain, units=4).padding_id is None and word_lm(9, units=4).padding_id is None
    model = word_lm(padded, units=4, embedding_dim=4)
    model.compile(metrics=["accuracy"])
    y = np.array([[2, 3, 0, 0], [4, 0, 0, 0]])
    loss, _, _ = model.evaluate(y, y, verbose=0)
    assert loss == pytest.approx(nats_of(model, y, y)[y > 0].mean(), rel=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        keras.losses.sparse_categorical_crossentropy,
        ["sparse_categorical_crossentropy"],
        {"logits": "sparse_categorical_crossentropy"},
        CE(from_logits=True),
    ],
)
def test_named_losses_read_logits_and_are_saved(loss, tmp_path):
    model, x, y = model_and_ids(20)
    model.compile("adam", loss, metrics=["accuracy", "crossentropy"])
    nats = nats_of(model, x, y).mean()
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(nats, rel=1e-4)
    assert found["sparse_categorical_crossentropy"] == pytest.approx(nats, rel=1e-4)
    model.save(tmp_path / "model.keras")
    found = load(tmp_path / "model.keras").evaluate(x, y, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(nats, rel=1e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": "mse"},
        {"loss": CE()},
        {"loss": CE},
        {"loss": keras.losses.CategoricalCrossentropy()},
        {"loss": ["mse", "mae"]},
        {"metrics": ["mse"]},
        {"metrics": [keras.metrics.SparseCategoricalCrossentropy()]},
        {"weighted_metrics": [keras.metrics.BinaryCrossentropy()]},
    ],
)
def test_losses_that_read_no_logits_are_refused(arguments):
    with pytest.raises(InputError):
        char_lstm(9, units=4).compile(**arguments)


def test_a_class_that_the_loss_ignores_counts_nowhere():
    model, x, y = model_and_ids(20)
    model.compile(loss=CE(from_logits=True, ignore_class=-1))
    y[:, 3:] = -1
    nats = nats_of(model, x[:, :3], y[:, :3]).mean()
    loss, perplexity = model.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(nats, rel=1e-4)
    assert perplexity == pytest.approx(np.exp(nats), rel=1e-4)
