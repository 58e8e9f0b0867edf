"""The chunked and the sampled cross-entropy against the plain one."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.layers import cross_entropy
from rnnzoo.layers.cross_entropy import chunked_cross_entropy, sampled_cross_entropy
from tests.runners import gradients

TOKENS, FEATURES, WORDS = 11, 3, 7


@pytest.fixture
def case(monkeypatch):
    monkeypatch.setattr(cross_entropy, "CHUNK_TOKENS", 4)  # 11 tokens: the last chunk is padded
    draw = np.random.default_rng(0)
    variables = [
        keras.Variable(draw.normal(size=shape).astype("float32"))
        for shape in ((TOKENS, FEATURES), (FEATURES, WORDS), (WORDS,))
    ]
    labels = ops.convert_to_tensor(draw.integers(0, WORDS, TOKENS).astype("int32"))
    weights = ops.convert_to_tensor((np.arange(TOKENS) % 3).astype("float32"))
    return variables, labels, weights


def plain(variables, labels, weights):
    hidden, matrix, bias = variables
    logits = ops.matmul(hidden, matrix) + bias
    nats = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    return nats, ops.sum(nats * weights) / ops.sum(weights)


def chunked(variables, labels, weights, **options):
    hidden, matrix, bias = variables
    hidden = ops.cast(hidden, "float32")
    return chunked_cross_entropy(hidden, matrix, bias, labels, weights, **options)


@pytest.mark.parametrize("with_gradient", [True, False])
def test_values(case, with_gradient):
    nats, mean = chunked(*case, with_gradient=with_gradient)
    expected_nats, expected_mean = plain(*case)
    assert nats.shape == (TOKENS,)
    for mine, its in ((nats, expected_nats), (mean, expected_mean)):
        np.testing.assert_allclose(
            ops.convert_to_numpy(mine), ops.convert_to_numpy(its), rtol=1e-6, atol=1e-6
        )


def test_gradients(case):
    variables = case[0]
    mine = gradients(lambda: 3.0 * chunked(*case)[1], variables)
    its = gradients(lambda: 3.0 * plain(*case)[1], variables)
    for gradient, expected in zip(mine, its, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


def smoothed(variables, labels, weights, smoothing):
    """Keras's own, with one-hot labels."""
    hidden, matrix, bias = variables
    nats = keras.losses.categorical_crossentropy(
        ops.one_hot(labels, WORDS),
        ops.matmul(hidden, matrix) + bias,
        from_logits=True,
        label_smoothing=smoothing,
    )
    return ops.sum(nats * weights) / ops.sum(weights)


@pytest.mark.parametrize("smoothing", [0.1, 0.7])
def test_smoothed_labels(case, smoothing):
    expected = float(smoothed(*case, smoothing))
    for with_gradient in (True, False):
        options = {"with_gradient": with_gradient, "label_smoothing": smoothing}
        nats, mean = chunked(*case, **options)
        assert float(mean) == pytest.approx(expected, rel=1e-5)
        np.testing.assert_allclose(  # the nats are of the labels as they are
            ops.convert_to_numpy(nats), ops.convert_to_numpy(plain(*case)[0]), rtol=1e-5
        )
    mine = gradients(lambda: 3.0 * chunked(*case, label_smoothing=smoothing)[1], case[0])
    its = gradients(lambda: 3.0 * smoothed(*case, smoothing), case[0])
    for gradient, expected in zip(mine, its, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_no_weight_at_all_costs_nothing(case):
    variables, labels, weights = case
    assert float(chunked(variables, labels, ops.zeros_like(weights))[1]) == 0.0
    found = gradients(lambda: chunked(variables, labels, ops.zeros_like(weights))[1], variables)
    assert all((gradient == 0).all() for gradient in found)


def test_extreme_logits_stay_exact(case):
    variables, labels, weights = case
    variables[0].assign(variables[0] * 1e4)
    for gradient in gradients(lambda: chunked(variables, labels, weights)[1], variables):
        assert np.isfinite(gradient).all()
    nats, expected = (f(variables, labels, weights)[0] for f in (chunked, plain))
    assert float(ops.max(nats)) > 1000  # of probabilities that underflow
    np.testing.assert_allclose(
        ops.convert_to_numpy(nats), ops.convert_to_numpy(expected), rtol=1e-5, atol=1e-2
    )


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="looks at TensorFlow's graph")
def test_no_tensor_of_all_logits(case):
    import tensorflow as tf

    _, labels, weights = case
    shapes = [(TOKENS, FEATURES), (FEATURES, WORDS), (WORDS,)]

    @tf.function(input_signature=[tf.TensorSpec(shape) for shape in shapes])
    def both(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            mean = chunked_cross_entropy(*tensors, labels, weights)[1]
        return tape.gradient(mean, tensors)

    graph = both.get_concrete_function().graph
    functions = graph.as_graph_def().library.function
    bodies = [
        tf.TensorShape(shape.shape)
        for function in functions
        for node in function.node_def
        for shape in node.attr["_output_shapes"].list.shape
    ]
    outputs = [tensor.shape for op in graph.get_operations() for tensor in op.outputs]
    assert any(shape.rank is not None for shape in bodies + outputs)
    for shape in bodies + outputs:
        if shape.rank == 2 and shape[1] == WORDS and shape[0] is not None:
            assert shape[0] <= 4, f"a tensor of shape {shape}"  # a chunk; matrix and bias


def test_sampled_approaches_the_full_gradient(case):
    """Averaged over many draws of many words: the gradient, not the value, is the same."""
    variables, labels, weights = case
    seed = keras.random.SeedGenerator(0)

    def both():
        return sampled_cross_entropy(*variables, labels, weights, num_sampled=4000, seed=seed)

    def sampled():
        return both()[1]

    nats, mean = both()
    weighted = ops.convert_to_numpy(nats) @ ops.convert_to_numpy(weights)
    assert float(mean) == pytest.approx(weighted / float(ops.sum(weights)), rel=1e-5)
    mine = gradients(sampled, variables)
    its = gradients(lambda: plain(*case)[1], variables)
    for gradient, expected in zip(mine, its, strict=True):
        np.testing.assert_allclose(gradient, expected, atol=0.03)
