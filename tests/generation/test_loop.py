"""The loop that writes, with a step simple enough to follow by hand."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.generation.loop import decoding_loop, pad_rows
from rnnzoo.generation.protocol import Decodable, TokenRules
from rnnzoo.generation.samplers import GreedySampler


def one_hot(count):
    return ops.one_hot(ops.cast(count[:, 0], "int32") + 1, 12, dtype="float32")


class Counter(Decodable):
    """Predicts start + 1, start + 2, ... in each row: the state counts."""

    def __init__(self, end_id=None, suppressed_ids=()):
        super().__init__(None, TokenRules(12, end_id=end_id, suppressed_ids=suppressed_ids))

    def start(self, inputs, attention=False):
        return one_hot(inputs), {"count": inputs}

    def step(self, tokens, state, attention=False):
        count = state["count"] + 1
        return one_hot(count), {"count": ops.cast(count, "float32")}  # as a cell of another dtype


def count_up(start, num_tokens, end_id=None, capacity=6, dtype="float32", suppressed_ids=()):
    state = ops.cast(ops.convert_to_tensor(np.array(start)[:, None]), dtype)  # (B, 1)
    uniforms = np.zeros((capacity, len(start)), "float32")
    limits = np.broadcast_to(np.int32(num_tokens), len(start))
    tokens = decoding_loop(
        Counter(end_id, suppressed_ids), state, GreedySampler(), uniforms=uniforms, limits=limits
    )
    return ops.convert_to_numpy(tokens).tolist()


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


def test_each_row_has_its_limit():
    assert count_up([0, 3, 5], [2, 4, 1]) == [[1, 2, 0, 0, 0, 0], [4, 5, 6, 7, 0, 0], [6] + [0] * 5]
    assert count_up([0, 3], [2, 4], end_id=9) == [[1, 2, 0, 0, 0, 0], [4, 5, 6, 7, 0, 0]]


def test_suppressed_ids_are_never_generated():
    assert count_up([0, 3], 3, suppressed_ids=(2,)) == [[1, 0, 3, 0, 0, 0], [4, 5, 6, 0, 0, 0]]


def test_generated_ids_are_int32():
    tokens = decoding_loop(
        Counter(), ops.zeros((1, 1)), GreedySampler(), uniforms=np.zeros((2, 1), "float32"),
        limits=np.int32([2]),
    )  # fmt: skip
    assert keras.backend.standardize_dtype(tokens.dtype) == "int32"


def test_rows_are_padded_to_a_multiple():
    padded, lengths = pad_rows([[1, 2, 3], [4], [5] * 5], 4)
    assert padded.tolist() == [[1, 2, 3, 0, 0, 0, 0, 0], [4] + [0] * 7, [5] * 5 + [0] * 3]
    assert lengths.tolist() == [3, 1, 5] and padded.dtype == lengths.dtype == np.int32
    assert pad_rows([[1, 2, 3, 4]], 4)[0].shape == (1, 4)
