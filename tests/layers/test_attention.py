"""Additive attention against its equations."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.layers import BahdanauAttention
from tests import reference
from tests.runners import gradients

RANDOM = np.random.default_rng(0)
QUERY = RANDOM.normal(size=(3, 4)).astype("float32")
VALUES = RANDOM.normal(size=(3, 5, 6)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], bool)


def weights_of(layer):
    """Query kernel, key kernel and score vector."""
    variables = layer.query_projection.kernel, layer.key_projection.kernel, layer.score_vector
    return [ops.convert_to_numpy(variable).astype("float64") for variable in variables]


def assert_close(one, other):
    one, other = ops.convert_to_numpy(one), ops.convert_to_numpy(other)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_agrees_with_the_equations():
    layer = BahdanauAttention(7)
    context, weights = layer(QUERY, VALUES, mask=MASK)
    expected = reference.additive_attention(QUERY, VALUES, MASK, *weights_of(layer))
    np.testing.assert_allclose(ops.convert_to_numpy(context), expected[0], atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), expected[1], atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(weights).sum(-1), 1, atol=1e-6)
    assert (ops.convert_to_numpy(weights)[~MASK] == 0).all()


def test_gradients_agree_with_the_equations():
    layer = BahdanauAttention(3)
    layer(QUERY, VALUES, mask=MASK)
    wanted = RANDOM.normal(size=(3, 6))

    def scored(*weights):
        return (reference.additive_attention(QUERY, VALUES, MASK, *weights)[0] * wanted).sum()

    expected = reference.derivatives(scored, weights_of(layer))
    variables = [layer.query_projection.kernel, layer.key_projection.kernel, layer.score_vector]
    wanted32 = ops.convert_to_tensor(wanted, "float32")
    found = gradients(lambda: ops.sum(layer(QUERY, VALUES, mask=MASK)[0] * wanted32), variables)
    for mine, its in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-5)


def test_many_queries_are_asked_one_by_one():
    layer = BahdanauAttention(7)
    queries = RANDOM.normal(size=(3, 4, 4)).astype("float32")
    contexts, weights = layer(queries, VALUES, mask=MASK)
    assert tuple(contexts.shape) == (3, 4, 6) and tuple(weights.shape) == (3, 4, 5)
    for step in range(4):
        context, weight = layer(queries[:, step], VALUES, mask=MASK)
        assert_close(contexts[:, step], context)
        assert_close(weights[:, step], weight)
    assert layer.compute_output_shape((3, 4, 4), (3, 5, 6)) == ((3, 4, 6), (3, 4, 5))


def test_keys_may_be_made_before():
    layer = BahdanauAttention(7)
    keys = layer.project(VALUES)  # before the first call, which must not make the weights anew
    given, _ = layer(QUERY, VALUES, keys, MASK)
    made, _ = layer(QUERY, VALUES, mask=MASK)
    assert_close(given, made)
    assert len(layer.weights) == 3


def test_weights_are_float32_in_mixed_precision():
    layer = BahdanauAttention(7, dtype="mixed_bfloat16")
    context, weights = layer(QUERY, VALUES, mask=MASK)
    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    assert keras.backend.standardize_dtype(context.dtype) == "bfloat16"
    np.testing.assert_allclose(ops.convert_to_numpy(weights).sum(-1), 1, atol=1e-6)


def test_configuration():
    layer = BahdanauAttention(7, name="looking")
    assert BahdanauAttention.from_config(layer.get_config()).get_config() == layer.get_config()
    with pytest.raises(InputError, match="`units` must be a whole number of at least 1, not 0"):
        BahdanauAttention(0)
