"""Weight-drop, locked dropout and the dropout of words: what is dropped, and for how long."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.layers import GRU, LSTM, EmbeddingDropout, RecurrentStack, SimpleRNN
from rnnzoo.layers.kernels import choose_kernel
from tests import reference
from tests.runners import gradients

INPUTS = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
LAYERS = {"lstm": LSTM, "gru": GRU, "simple_rnn": SimpleRNN}


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("cell", LAYERS)
def test_weight_drop_is_the_equations_with_a_thinned_matrix(cell, monkeypatch):
    layer = LAYERS[cell](6, return_sequences=True, weight_drop=0.5, seed=1)
    layer.build((None, None, 4))
    values = [numpy(w).astype("float64") for w in layer.weights]
    drawn = []
    dropout = keras.random.dropout

    def watched(inputs, rate, seed=None):
        drawn.append((dropout(inputs, rate, seed=seed), rate))
        return drawn[-1][0]

    monkeypatch.setattr(keras.random, "dropout", watched)
    outputs = layer(INPUTS, training=True)
    ((thinned, rate),) = drawn  # one draw for all steps
    thinned = numpy(thinned).astype("float64")
    assert rate == 0.5 and (thinned == 0).any() and (thinned != 0).any()
    np.testing.assert_allclose(thinned[thinned != 0], 2 * values[1][thinned != 0], rtol=1e-6)
    state = [np.zeros((3, 6))] * len(layer.state_size)
    expected, _ = reference.CELLS[cell](INPUTS, state, values[0], thinned, *values[2:])
    np.testing.assert_allclose(numpy(outputs), expected, atol=1e-5)
    # The weight is the weight again, and nothing is dropped outside of training.
    np.testing.assert_array_equal(numpy(layer.cell.recurrent_kernel), values[1].astype("float32"))
    expected, _ = reference.CELLS[cell](INPUTS, state, *values)
    np.testing.assert_allclose(numpy(layer(INPUTS)), expected, atol=1e-5)


def test_weight_drop_draws_anew_and_leaves_a_gradient_on_what_is_kept():
    layer = LSTM(6, weight_drop=0.5, seed=1)
    first, second = numpy(layer(INPUTS, training=True)), numpy(layer(INPUTS, training=True))
    assert np.abs(first - second).max() > 1e-4
    (gradient,) = gradients(
        lambda: ops.sum(layer(INPUTS, training=True)), [layer.cell.recurrent_kernel]
    )
    assert 0.2 < (gradient == 0).mean() < 0.8


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow's CPU loop")
def test_weight_drop_keeps_the_cpu_loop():
    assert choose_kernel(LSTM(6, weight_drop=0.5)).name == "cpu_loop"


def test_weight_drop_in_the_configuration():
    keras_config = keras.layers.LSTM(6, name="one").get_config()
    assert LSTM(6, name="one").get_config() == keras_config
    layer = LSTM.from_config(LSTM(6, weight_drop=0.25).get_config())
    assert layer.weight_drop == 0.25
    with pytest.raises(InputError, match="weight_drop"):
        LSTM(6, weight_drop=1.5)


@pytest.mark.parametrize("locked", [True, False])
def test_locked_dropout_drops_the_same_units_at_every_step(locked):
    stack = RecurrentStack(16, num_layers=2, dropout=0.5, locked_dropout=locked)
    outputs, _ = stack(INPUTS, training=True)
    dropped = numpy(outputs) == 0  # (3, 5, 16)
    assert 0.2 < dropped.mean() < 0.8
    assert (dropped == dropped[:, :1]).all() == locked
    assert not (dropped == dropped[:1]).all()  # each row has its own
    assert stack.get_config()["locked_dropout"] is locked


def test_embedding_dropout_drops_words():
    drop = EmbeddingDropout(vocabulary_size=20, rate=0.5, seed=0)
    tokens = np.random.default_rng(0).integers(0, 20, (8, 30)).astype("int32")
    ones = np.ones((8, 30, 2), "float32")
    outputs = numpy(drop(ones, tokens, training=True))
    assert set(np.unique(outputs)) == {0.0, 2.0}
    for word in range(20):
        assert len(np.unique(outputs[tokens == word])) == 1
    np.testing.assert_array_equal(numpy(drop(ones, tokens)), ones)
    assert EmbeddingDropout.from_config(drop.get_config()).rate == 0.5
    with pytest.raises(InputError, match="rate"):
        EmbeddingDropout(20, rate=-1)
