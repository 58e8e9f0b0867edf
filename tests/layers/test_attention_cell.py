"""The cell that attends over its own last outputs, against its equations."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.layers import AttentionCell
from tests import reference
from tests.runners import gradients

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(2, 5, 3)).astype("float32")
SIZES = {"attention_size": 5, "attention_units": 6, "input_size": 7}


def built(cell, **options):
    """A layer over the wrapped cell, all weights random and large, and the cell's own."""
    layer = keras.layers.RNN(
        AttentionCell(cell, **options), return_sequences=True, return_state=True
    )
    layer.build((None, None, 3))
    draw = np.random.default_rng(1)
    layer.set_weights([draw.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def equations(x, length, cell, state, cell_weights, weights):
    """One step after the other, the past a list; returns the outputs and the final state."""
    w_x, b_x, w_q, b_q, w_k, v, w_o, b_o = weights
    attended = np.zeros((len(x), len(w_k)))
    past = [np.zeros_like(attended)] * length  # what was never written is zero
    outputs = []
    for t in range(x.shape[1]):
        seen = np.concatenate([x[:, t], attended], 1) @ w_x + b_x
        output, state = cell(seen[:, None], state, *cell_weights)
        query = np.concatenate(state, 1) @ w_q + b_q
        scores = np.stack([np.tanh(old @ w_k + query) @ v for old in past[-length:]])  # (L, B)
        chances = np.exp(scores) / np.exp(scores).sum(0)
        attended = sum(chance[:, None] * old for chance, old in zip(chances, past, strict=True))
        outputs.append(np.concatenate([output[:, 0], attended], 1) @ w_o + b_o)
        past = [*past[1:], outputs[-1]]
    return np.stack(outputs, 1), [*state, attended, np.concatenate(past, 1)]


def weights_of(layer):
    """The cell's weights in float64, and the attention's in the order of `equations`."""
    cell = layer.cell
    names = ("input_kernel", "input_bias", "query_kernel", "query_bias", "key_kernel")
    names += ("score_vector", "output_kernel", "output_bias")
    own = [ops.convert_to_numpy(getattr(cell, name)).astype("float64") for name in names]
    return [weight.astype("float64") for weight in cell.cell.get_weights()], own


@pytest.mark.parametrize("options", [{}, SIZES], ids=["defaults", "sizes"])
@pytest.mark.parametrize("length", [1, 3, 9])
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_agrees_with_the_equations(name, length, options):
    units, states = 4, {"LSTM": 2, "GRU": 1}[name]
    cell = getattr(keras.layers, f"{name}Cell")(units)
    layer = built(cell, attention_length=length, **options)
    zeros = [np.zeros((2, units))] * states
    step = {"LSTM": reference.lstm, "GRU": reference.gru}[name]
    expected, state = equations(INPUTS, length, step, zeros, *weights_of(layer))
    found, *final = map(ops.convert_to_numpy, layer(INPUTS))
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert [part.shape[1] for part in final] == layer.cell.state_size
    for mine, its in zip(final, state, strict=True):
        np.testing.assert_allclose(mine, its, atol=2e-5)


def test_the_state_carries_on():
    layer = built(keras.layers.LSTMCell(4), attention_length=3)
    whole, *_ = layer(INPUTS)
    first, *state = layer(INPUTS[:, :2])
    second, *_ = layer(INPUTS[:, 2:], initial_state=state)
    parts = ops.concatenate([first, second], axis=1)
    np.testing.assert_allclose(ops.convert_to_numpy(parts), ops.convert_to_numpy(whole), atol=1e-5)


def test_every_weight_has_a_gradient():
    layer = built(keras.layers.LSTMCell(4), attention_length=2)
    layer.set_weights([0.3 * weight for weight in layer.get_weights()])  # no gate closed
    names = [variable.path for variable in layer.trainable_weights]
    assert len(names) == 8 + 3
    found = gradients(lambda: ops.sum(layer(INPUTS)[0] ** 2), layer.trainable_weights)
    for name, gradient in zip(names, found, strict=True):
        assert np.abs(gradient).max() > 1e-6, name


def test_it_wraps_cells_one_above_the_other():
    cells = keras.layers.StackedRNNCells([keras.layers.LSTMCell(4), keras.layers.GRUCell(6)])
    layer = built(cells, attention_length=2)
    assert layer.cell.state_size == [4, 4, 6, 6, 12]
    outputs, *state = layer(INPUTS)
    assert tuple(outputs.shape) == (2, 5, 6) and len(state) == 5
    assert np.isfinite(ops.convert_to_numpy(outputs)).all()


def test_a_model_with_it_saves_and_loads(tmp_path):
    cell = AttentionCell(keras.layers.LSTMCell(4), attention_length=3, **SIZES)
    model = keras.Sequential(
        [keras.Input((None, 3)), keras.layers.RNN(cell), keras.layers.Dense(2)]
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(*(ops.convert_to_numpy(each(INPUTS)) for each in (model, again)))
    configs = (json.dumps(each.get_config()) for each in (again.layers[0].cell, cell))
    assert len(set(configs)) == 1


def test_mixed_precision():
    policy = "mixed_bfloat16"
    cell = AttentionCell(keras.layers.LSTMCell(4, dtype=policy), attention_length=3, dtype=policy)
    layer = keras.layers.RNN(cell, return_sequences=True, dtype=policy)
    outputs = layer(INPUTS)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert {variable.dtype for variable in layer.weights} == {"float32"}
    single = keras.layers.RNN(
        AttentionCell(keras.layers.LSTMCell(4), attention_length=3), return_sequences=True
    )
    single.build((None, None, 3))
    single.set_weights(layer.get_weights())
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(outputs, "float32")),
        ops.convert_to_numpy(single(INPUTS)),
        atol=0.05,
    )


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (keras.layers.LSTMCell(4), {"attention_length": 0}, "attention_length"),
        (keras.layers.LSTMCell(4), {"attention_length": 2, "input_size": -1}, "input_size"),
        (keras.layers.LSTMCell(4, dropout=0.1), {"attention_length": 2}, "no dropout"),
        (
            keras.layers.StackedRNNCells([keras.layers.GRUCell(4, recurrent_dropout=0.1)]),
            {"attention_length": 2},
            "no dropout",
        ),
    ],
)
def test_mistakes(cell, options, message):
    with pytest.raises(InputError, match=message):
        AttentionCell(cell, **options)
