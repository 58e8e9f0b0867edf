"""Stacks of recurrent layers against their equations."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.layers import RecurrentStack
from rnnzoo.layers.stack import recurrent_layer
from tests import reference
from tests.runners import gradients

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(3, 5, 4)).astype("float32")
CELLS = list(reference.CELLS)


def make_stack(cell, units=(3, 2), **options):
    """A stack with random weights, biases too, and its weights in float64, a list a layer."""
    stack = RecurrentStack(list(units), cell=cell, **options)
    stack.build((None, None, 4))
    stack.set_weights([RANDOM.normal(size=w.shape) * 0.5 for w in stack.get_weights()])
    variables = [layer.weights for layer in stack.recurrent_layers]
    values = [[ops.convert_to_numpy(w).astype("float64") for w in each] for each in variables]
    return stack, values


def random_state(stack, rows=3):
    return [RANDOM.normal(size=(rows, *shape)).astype("float32") for shape in stack.state_shapes]


def run_reference(stack, values, inputs, state):
    final = []
    for part, weights in zip(stack.split_state(state), values, strict=True):
        inputs, part = reference.CELLS[stack.cell](inputs, part, *weights)
        final += part
    return inputs, final


def assert_close(mine, its):
    np.testing.assert_allclose(ops.convert_to_numpy(mine), its, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stateful", [True, False])
def test_agrees_with_the_equations(cell, stateful):
    stack, values = make_stack(cell)
    state = random_state(stack) if stateful else None
    outputs, final = stack(INPUTS, initial_state=state)
    zeros = [np.zeros((3, *shape)) for shape in stack.state_shapes]
    expected, expected_final = run_reference(stack, values, INPUTS, state or zeros)
    assert_close(outputs, expected)
    for mine, its in zip(final, expected_final, strict=True):
        assert_close(mine, its)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_agree_with_the_equations(cell):
    stack, values = make_stack(cell, units=[2, 2])
    state = random_state(stack)
    wanted = RANDOM.normal(size=(3, 5, 2))
    sizes = [len(each) for each in values]

    def scored(*weights):
        weights = list(weights)
        nested = [[weights.pop(0) for _ in range(size)] for size in sizes]
        outputs, final = run_reference(stack, nested, INPUTS, state)
        return (outputs * wanted).sum() + sum(each.sum() for each in final)

    def measured():
        outputs, final = stack(INPUTS, initial_state=state)
        return ops.sum(outputs * ops.convert_to_tensor(wanted, "float32")) + sum(
            ops.sum(each) for each in final
        )

    expected = reference.derivatives(scored, [w for each in values for w in each])
    for mine, its in zip(gradients(measured, stack.weights), expected, strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_steps_are_the_whole(cell):
    stack, _ = make_stack(cell)
    state = random_state(stack)
    outputs, final = stack(INPUTS, initial_state=state)
    for time in range(5):
        output, state = stack.step(INPUTS[:, time], state)
        assert_close(output, ops.convert_to_numpy(outputs)[:, time])
    for mine, its in zip(state, final, strict=True):
        assert_close(mine, ops.convert_to_numpy(its))


@pytest.mark.parametrize("cell", CELLS)
def test_masked_steps_leave_the_state(cell):
    stack, _ = make_stack(cell)
    mask = np.arange(5) < np.array([[5], [3], [1]])
    _, final = stack(INPUTS, mask=mask)
    for row, length in enumerate((5, 3, 1)):
        _, alone = stack(INPUTS[row : row + 1, :length])
        for mine, its in zip(final, alone, strict=True):
            assert_close(mine[row : row + 1], ops.convert_to_numpy(its))


def test_dropout_is_only_for_training():
    stack, _ = make_stack("lstm", dropout=0.5)
    outputs, _ = stack(INPUTS)
    again, _ = stack(INPUTS)
    np.testing.assert_array_equal(ops.convert_to_numpy(outputs), ops.convert_to_numpy(again))
    dropped = ops.convert_to_numpy(stack(INPUTS, training=True)[0])
    assert 0 < (dropped == 0).sum() < dropped.size


def test_builds_itself_with_a_state():
    stack = RecurrentStack(3, num_layers=2, cell="gru")
    outputs, state = stack(INPUTS, initial_state=[np.zeros((3, 3), "float32")] * 2)
    assert tuple(outputs.shape) == (3, 5, 3) and len(state) == 2
    assert stack.compute_output_shape((3, 5, 4)) == ((3, 5, 3), [(3, 3), (3, 3)])


def test_configuration():
    stack = RecurrentStack([3, 2], cell="gru", dropout=0.25, name="layers")
    again = RecurrentStack.from_config(stack.get_config())
    assert again.get_config() == stack.get_config()
    assert again.state_shapes == [(3,), (2,)]
    assert RecurrentStack(4, num_layers=2).state_shapes == [(4,)] * 4
    assert keras.layers.LSTM in type(recurrent_layer("lstm", 2)).__mro__


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": [3, 2], "num_layers": 3}, "`units` lists 2 layers but `num_layers` is 3"),
        ({"units": []}, "`num_layers` must be"),
        ({"units": 0}, "`units` must be"),
        ({"units": 3, "num_layers": 0}, "`num_layers` must be"),
        ({"units": 3, "cell": "rnn"}, "No cell is called 'rnn'"),
        ({"units": 3, "dropout": 1.0}, "`dropout` must be"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match=message):
        RecurrentStack(**options)
