"""Perplexity and bits per character against NumPy; on any Keras backend."""

import json
import math

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.evaluation.metrics import BitsPerCharacter, Perplexity

RNG = np.random.default_rng(0)


def batch(*shape, vocabulary_size=7):
    targets = RNG.integers(0, vocabulary_size, shape).astype("int32")
    logits = RNG.normal(0, 3, (*shape, vocabulary_size)).astype("float32")
    return targets, logits


def token_nats(targets, logits):
    logits = logits.astype("float64")
    log_sum = np.log(np.exp(logits).sum(-1))
    return log_sum - np.take_along_axis(logits, targets[..., None], -1)[..., 0]


def value(metric):
    return float(ops.convert_to_numpy(metric.result()))


@pytest.mark.parametrize("shape", [(3, 5), (4,), (1, 1)])
def test_equals_numpy(shape):
    targets, logits = batch(*shape)
    mean = token_nats(targets, logits).mean()
    perplexity, bits = Perplexity(), BitsPerCharacter()
    perplexity.update_state(targets, logits)
    bits.update_state(targets, logits)
    assert value(perplexity) == pytest.approx(math.exp(mean), rel=1e-5)
    assert value(bits) == pytest.approx(mean / math.log(2), rel=1e-5)


def test_uniform_guess():
    targets, logits = np.zeros((2, 3), "int32"), np.zeros((2, 3, 8), "float32")
    perplexity, bits = Perplexity(), BitsPerCharacter()
    assert float(perplexity(targets, logits)) == pytest.approx(8, rel=1e-6)
    assert float(bits(targets, logits)) == pytest.approx(3, rel=1e-6)


def test_sample_weights():
    targets, logits = batch(3, 5)
    weights = np.array([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [2, 0.5, 1, 1, 1]], "float32")
    expected = math.exp(np.average(token_nats(targets, logits), weights=weights))
    metric = Perplexity()
    metric.update_state(targets, logits, sample_weight=weights)
    assert value(metric) == pytest.approx(expected, rel=1e-5)

    rows = np.array([1, 0, 3], "float32")  # one weight for each row
    expected = math.exp(np.average(token_nats(targets, logits).mean(1), weights=rows))
    metric.reset_state()
    metric.update_state(targets, logits, sample_weight=rows)
    assert value(metric) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("metric_class", [Perplexity, BitsPerCharacter])
def test_two_unequal_batches_equal_one(metric_class):
    targets, logits = batch(6, 5)
    weights = (RNG.random((6, 5)) < 0.6).astype("float32")
    weights[:5, 1:] = 0  # the first batch holds few tokens
    weights[:, 0] = 1
    whole, parts = metric_class(), metric_class()
    whole.update_state(targets, logits, weights)
    for rows in (slice(0, 5), slice(5, 6)):
        parts.update_state(targets[rows], logits[rows], weights[rows])
    assert value(parts) == pytest.approx(value(whole), rel=1e-6)
    of_batches = []
    for rows in (slice(0, 5), slice(5, 6)):
        parts.reset_state()
        parts.update_state(targets[rows], logits[rows], weights[rows])
        of_batches.append(value(parts))
    assert abs(np.mean(of_batches) - value(whole)) > 1e-3  # what a mean of means would give


def test_nothing_counted_is_nan():
    for metric in (Perplexity(), BitsPerCharacter()):
        assert math.isnan(value(metric))
        targets, logits = batch(2, 3)
        metric.update_state(targets, logits, np.zeros((2, 3), "float32"))
        assert math.isnan(value(metric))
        metric.update_state(targets, logits)  # and it recovers
        other = type(metric)()
        other.update_state(targets, logits)
        assert value(metric) == value(other)


def compiled_update(metric, xla):
    """The metric's update as a training step may compile it: state in, state out."""
    update = metric.stateless_update_state
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(update, jit_compile=xla)
    if keras.backend.backend() == "jax" and xla:
        import jax

        return jax.jit(update)
    return update


@pytest.mark.parametrize("xla", [False, True])  # no compiler may simplify the compensation away
def test_float32_sums_stay_exact_over_millions_of_tokens(xla):
    # The worst case: from 2**25 on, a float32 sum moves in steps of 4, and a plain sum of equal
    # small batches rounds each of them the same way.
    metric = Perplexity()
    update = compiled_update(metric, xla)
    targets, logits = batch(4)
    nats = token_nats(targets, logits).sum()
    started = np.array([2.0**25, 2.0**23], "float32")
    state = [ops.convert_to_tensor(started), ops.zeros((2,))]
    for _ in range(500):
        state = update(state, targets, logits)
    plain = np.float32(started[0])
    for _ in range(500):
        plain += np.float32(nats)
    exact_nats, exact_count = started[0] + 500 * nats, started[1] + 500 * 4
    sums, excess = (ops.convert_to_numpy(s).astype("float64") for s in state)
    kept, plain_kept = sums[0] - excess[0] - started[0], plain - started[0]
    assert kept == pytest.approx(500 * nats, rel=1e-5)
    assert abs(plain_kept / (500 * nats) - 1) > 1e-2  # what this guards against
    assert sums[1] - excess[1] == exact_count
    result = float(ops.convert_to_numpy(metric.stateless_result(state)))
    assert result == pytest.approx(math.exp(exact_nats / exact_count), rel=1e-6)


def test_half_precision_logits_and_policy():
    targets, logits = batch(3, 5)
    floatx = keras.config.floatx()
    try:
        keras.config.set_floatx("float16")
        metric = Perplexity()
        # 150,000 tokens in all, beyond the largest float16
        metric.update_state(targets, ops.cast(logits, "float16"), np.full((3, 5), 1e4, "float32"))
    finally:
        keras.config.set_floatx(floatx)
    expected = math.exp(token_nats(targets, logits.astype("float16")).mean())
    assert value(metric) == pytest.approx(expected, rel=1e-4)


def test_serialises():
    for metric, name in ((Perplexity(), "perplexity"), (BitsPerCharacter(), "bits_per_character")):
        assert metric.name == name
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
        assert config["registered_name"].startswith("rnnzoo>")
        again = keras.saving.deserialize_keras_object(config)
        assert type(again) is type(metric) and again.get_config() == metric.get_config()
    assert Perplexity(name="valid").name == "valid"


def test_in_evaluate_as_a_weighted_metric():
    tokens = RNG.integers(0, 7, (5, 4)).astype("int32")
    targets = RNG.integers(0, 7, (5, 4)).astype("int32")
    weights = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]], "f4")
    model = keras.Sequential([keras.layers.Embedding(7, 7)])
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    model.compile(loss=loss, weighted_metrics=[Perplexity()])
    logs = model.evaluate(
        tokens, targets, sample_weight=weights, batch_size=2, return_dict=True, verbose=0
    )
    logits = ops.convert_to_numpy(model(tokens))
    expected = math.exp(np.average(token_nats(targets, logits), weights=weights))
    assert logs["perplexity"] == pytest.approx(expected, rel=1e-5)
