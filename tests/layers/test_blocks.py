"""Residual blocks: their equations, where their dropout stands, and what they leave untouched."""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.data import StreamDataset
from rnnzoo.errors import InputError
from rnnzoo.layers import RecurrentStack, ResidualBlock
from tests import reference, runners

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(3, 5, 4)).astype("float32")


def to_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def norm(x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True))


@pytest.fixture(scope="module")
def stack():
    """Two blocks on inputs of another width, with random weights."""
    stack = RecurrentStack(6, num_layers=2, cell="gru", block="residual", expansion=0.5)
    stack.build((None, None, 4))
    stack.set_weights([RANDOM.normal(size=w.shape) * 0.5 for w in stack.get_weights()])
    return stack


def test_agrees_with_the_equations(stack):
    x = INPUTS @ to_numpy(stack.blocks[0].projection.kernel)
    for layer, block in zip(stack.recurrent_layers, stack.blocks, strict=True):
        weights = [to_numpy(weight) for weight in layer.weights]
        outputs, _ = reference.gru(norm(x), [np.zeros((3, 6))], *weights)
        x = x + outputs
        a, b = np.split(norm(x) @ to_numpy(block.gates.kernel), 2, axis=-1)
        x = x + (a * reference.sigmoid(a) * b) @ to_numpy(block.outputs.kernel)
    outputs, _ = stack(INPUTS)
    np.testing.assert_allclose(to_numpy(outputs), norm(x), atol=1e-5)
    assert stack.blocks[1].projection is None and stack.blocks[1].gates.kernel.shape == (6, 6)


def test_steps_are_the_whole(stack):
    outputs, final = stack(INPUTS)
    state = stack.get_initial_state(3)
    for time in range(5):
        output, state = stack.step(INPUTS[:, time], state)
        np.testing.assert_allclose(to_numpy(output), to_numpy(outputs)[:, time], atol=1e-5)
    for mine, its in zip(state, final, strict=True):
        np.testing.assert_allclose(to_numpy(mine), to_numpy(its), atol=1e-5)


def test_dropout_stands_behind_the_norms():
    """The stream is never thinned; all that reads it is, and the last output too."""
    block = ResidualBlock(0.5, locked_dropout=True, last=True)
    block.build((None, None, 32), 32)
    x = RANDOM.normal(size=(2, 5, 32)).astype("float32")
    stream, read = block.enter(x, training=True)
    np.testing.assert_array_equal(to_numpy(stream), x)
    for dropped in (read, block.leave(stream, ops.zeros_like(stream), training=True)):
        dropped = to_numpy(dropped) == 0
        assert 0.2 < dropped.mean() < 0.8 and (dropped == dropped[:, :1]).all()


def test_the_stream_is_in_float32():
    stack = RecurrentStack(8, num_layers=2, block="residual", dtype="mixed_bfloat16")
    stack.build((None, None, 4))
    stream, read = stack.blocks[0].enter(ops.cast(INPUTS, "bfloat16"))
    assert keras.backend.standardize_dtype(stream.dtype) == "float32"
    assert keras.backend.standardize_dtype(read.dtype) == "bfloat16"
    outputs, _ = stack(INPUTS)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_the_cells_keep_their_kernels_and_weights():
    plain = rnnzoo.char_lstm(9, units=8, weight_drop=0.1)
    residual = rnnzoo.char_lstm(9, units=8, weight_drop=0.1, block="residual")
    assert str(rnnzoo.kernels(residual)) == str(rnnzoo.kernels(plain))
    for mine, its in zip(
        residual.recurrent.recurrent_layers, plain.recurrent.recurrent_layers, strict=True
    ):
        assert [w.shape for w in mine.weights] == [w.shape for w in its.weights]


def test_language_models_carry_state_read_prompts_and_write():
    keras.utils.set_random_seed(0)
    model = rnnzoo.char_lstm(runners.CHARACTERS, units=6, block="residual", dropout=0.1)
    assert model.embedding_dim == 6
    model.compile(run_eagerly=runners.UNTRACED)
    ids = RANDOM.integers(0, 7, 61).astype("int32")
    whole = model.evaluate(StreamDataset(ids, 3, 20), verbose=0)
    short = model.evaluate(StreamDataset(ids, 3, 4), verbose=0)
    np.testing.assert_allclose(short, whole, rtol=1e-5)
    tokens = ids[:12].reshape(2, 6)
    logits, _ = model.prefill(tokens, np.array([6, 2]))
    for row, length in enumerate((6, 2)):
        alone = model(tokens[row : row + 1, :length])
        np.testing.assert_allclose(to_numpy(logits)[row], to_numpy(alone)[0, -1], atol=1e-5)
    assert len(model.generate("to be", 6, seed=1)) == 6


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"block": "residul"}, "did you mean 'residual'"),
        ({"block": "residual", "expansion": 0}, "`expansion` must be above 0"),
        ({"block": "residual", "dropout": 1}, "`dropout` must be"),
        ({"block": "residual", "units": [3, 4]}, "share one stream; give one number"),
    ],
)
def test_bad_input(options, says):
    with pytest.raises(InputError, match=says):
        rnnzoo.char_lstm(9, **{"units": 4, **options})
