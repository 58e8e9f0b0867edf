"""The loss with teachers against its definition in NumPy, and under `fit` of every backend."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import char_lstm, word_lm
from rnnzoo.errors import InputError
from rnnzoo.models import DistillationLoss
from tests import runners

V, K = 6, 3


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def example(rows=4, time=5, seed=0):
    """Labels, the whole distribution of a teacher, and targets with its K likeliest tokens."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, V, (rows, time))
    teacher = softmax(2 * random.normal(size=(rows, time, V)))
    ids = np.argsort(-teacher)[..., :K]
    largest = np.take_along_axis(teacher, ids, axis=-1)
    rest = 1 - largest.sum(-1, keepdims=True)
    targets = np.concatenate([labels[..., None], ids, largest, rest], axis=-1)
    return labels, ids, largest, targets.astype("float32")


@pytest.mark.parametrize(("alpha", "temperature"), [(0.5, 1.0), (0.3, 2.0), (1.0, 0.5)])
def test_the_loss_is_its_definition(alpha, temperature):
    labels, ids, largest, targets = example()
    logits = np.random.default_rng(1).normal(size=(*labels.shape, V)).astype("float32")
    expected = np.zeros(labels.shape)
    for at in np.ndindex(*labels.shape):
        p, soft = softmax(logits[at]), softmax(logits[at] / temperature)
        nats = -sum(q * np.log(soft[token]) for q, token in zip(largest[at], ids[at], strict=True))
        others = [token for token in range(V) if token not in ids[at]]
        nats -= (1 - largest[at].sum()) * np.log(soft[others].sum())
        expected[at] = -(1 - alpha) * np.log(p[labels[at]]) + alpha * temperature**2 * nats
    loss = DistillationLoss(alpha, temperature=temperature, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(targets, logits)), expected, rtol=1e-4)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (again.alpha, again.temperature) == (alpha, temperature)
    plain = ops.convert_to_numpy(loss(labels, logits))  # of validation data
    np.testing.assert_allclose(plain[0, 0], -np.log(softmax(logits[0, 0])[labels[0, 0]]), rtol=1e-4)


def test_a_model_learns_from_the_teacher_and_its_metric_is_of_the_labels():
    keras.utils.set_random_seed(0)
    model = char_lstm(V, units=5, num_layers=1)
    loss = DistillationLoss(1.0)
    model.compile(keras.optimizers.Adam(0.05), loss=loss, run_eagerly=runners.UNTRACED)
    tokens = np.tile(np.arange(5), (4, 1))
    labels, _, _, targets = example()
    logits = ops.convert_to_numpy(model(tokens))
    nats = -np.log(np.take_along_axis(softmax(logits), labels[..., None], axis=-1)).mean()
    found = model.evaluate(tokens, labels, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(nats, rel=1e-4)
    first = model.train_on_batch(tokens, targets, return_dict=True)
    assert first["loss"] == pytest.approx(float(loss(targets, logits)), rel=1e-4)
    assert first["perplexity"] == pytest.approx(np.exp(nats), rel=1e-4)
    for _ in range(3):
        model.train_on_batch(tokens, targets)
    assert float(loss(targets, model(tokens))) < 0.97 * first["loss"]


def test_what_does_not_go_together_is_refused():
    for numbers in ({"alpha": 1.5}, {"alpha": "half"}, {"temperature": 0}):
        with pytest.raises(InputError, match="of a distillation must be"):
            DistillationLoss(**numbers)
    model = word_lm(V, units=4, embedding_dim=4, sampled_softmax=2)
    with pytest.raises(InputError, match="leave out one of the two"):
        model.compile(loss=DistillationLoss())
