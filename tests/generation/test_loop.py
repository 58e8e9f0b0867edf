"""The loop that writes, with a step simple enough to follow by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.generation.loop import generation_loop, pad_rows
from rnnzoo.generation.samplers import GreedySampler


def count_up(start, num_tokens, end_id=None, capacity=6, dtype="float32"):
    """Writes start + 1, start + 2, ... in each row: the state counts."""

    def step(token, state):
        (count,) = state
        count = count + 1
        return one_hot(count), [ops.cast(count, "float32")]  # as a cell that left its dtype

    def one_hot(count):
        return ops.one_hot(ops.cast(count[:, 0], "int32") + 1, 12, dtype="float32")

    state = ops.cast(ops.convert_to_tensor(np.array(start)[:, None]), dtype)  # (B, 1)
    uniforms = np.zeros((capacity, len(start)), "float32")
    written = generation_loop(
        step, GreedySampler(), one_hot(state), [state], uniforms, np.int32(num_tokens), end_id
    )
    return ops.convert_to_numpy(written).tolist()


def test_writes_as_many_as_asked_and_leaves_the_rest():
    assert count_up([0, 3], 4) == [[1, 2, 3, 4, 0, 0], [4, 5, 6, 7, 0, 0]]
    assert count_up([0], 1) == [[1, 0, 0, 0, 0, 0]]
    assert count_up([0], 6) == [[1, 2, 3, 4, 5, 6]]


def test_rows_end_each_in_their_place():
    assert count_up([0, 3], 6, end_id=5) == [[1, 2, 3, 4, 5, 0], [4, 5, 5, 5, 5, 0]]
    assert count_up([4, 4], 6, end_id=5) == [[5, 0, 0, 0, 0, 0]] * 2
    assert count_up([0, 3], 2, end_id=5) == [[1, 2, 0, 0, 0, 0], [4, 5, 0, 0, 0, 0]]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_state_keeps_its_dtype(dtype):
    assert count_up([0, 3], 3, dtype=dtype) == [[1, 2, 3, 0, 0, 0], [4, 5, 6, 0, 0, 0]]


def test_written_ids_are_int32():
    uniforms = np.zeros((2, 1), "float32")
    logits = ops.zeros((1, 3))
    written = generation_loop(
        lambda token, state: (logits, state), GreedySampler(), logits, [], uniforms, np.int32(2)
    )
    assert keras.backend.standardize_dtype(written.dtype) == "int32"


def test_rows_are_padded_to_a_multiple():
    padded, lengths = pad_rows([[1, 2, 3], [4], [5] * 5], 4)
    assert padded.tolist() == [[1, 2, 3, 0, 0, 0, 0, 0], [4] + [0] * 7, [5] * 5 + [0] * 3]
    assert lengths.tolist() == [3, 1, 5] and padded.dtype == lengths.dtype == np.int32
    assert pad_rows([[1, 2, 3, 4]], 4)[0].shape == (1, 4)
