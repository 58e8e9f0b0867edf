"""The loop that decodes: one token after the other, inside one compiled function."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.generation.protocol import Decodable, cast_like
from rnnzoo.generation.samplers import Sampler
from rnnzoo.typing import Tensor


def decoding_loop(
    model: Decodable,
    inputs: Any,
    sampler: Sampler,
    *,
    uniforms: Tensor,
    limits: Tensor,
    numbers: dict[str, Tensor] | None = None,
) -> Tensor:
    """Chooses tokens until every row has ended or is as long as it may be.

    Args:
        model: What is decoded.
        inputs: What its `start` reads.
        sampler: How tokens are chosen.
        uniforms: Numbers in [0, 1), float32 `(capacity, batch)`: the chance of each draw, so that a
            seed gives the same text on every backend.
        limits: The most tokens of each row, int32 `(batch,)`, at least 1, at most the capacity.
        numbers: The numbers of the sampler by name, scalar tensors; its own when left out.

    Returns:
        Tokens, int32 `(batch, capacity)`. A row is filled up with the end token after its end, and
        with 0 after its limit.
    """
    numbers, end_id = numbers or {}, model.rules.end_id
    capacity, batch_size = ops.shape(uniforms)[0], ops.shape(uniforms)[1]
    positions = ops.expand_dims(ops.arange(capacity, dtype="int32"), -1)  # (N, 1)
    limits = ops.cast(limits, "int32")
    last = ops.max(limits)
    logits, state = model.start(inputs)
    own = sampler.start(batch_size, model.rules.size, capacity)
    written = ops.zeros((capacity, batch_size), "int32")
    ended = ops.zeros((batch_size,), "bool")

    def write(position, written, ended, logits, own):
        """Chooses the tokens of a position and notes which rows they end."""
        uniform = ops.take(uniforms, position, axis=0)  # (B,)
        token, own = sampler.sample(model.rules.suppress(logits), uniform, own, numbers=numbers)
        if end_id is not None:
            token = ops.where(ended, end_id, token)  # (B,)
            ended = ops.logical_or(ended, ops.equal(token, end_id))
        # A select over the small buffer is cheaper than it looks and runs on every backend.
        written = ops.where(ops.equal(positions, position), token, written)  # (N, B)
        return position + 1, written, ended, token, own

    def more(position, written, ended, token, *_):
        going = ops.logical_not(ops.all(ended)) if end_id is not None else True
        return ops.logical_and(position < last, going)

    def step_and_write(position, written, ended, token, *carried):
        old, own = keras.tree.pack_sequence_as((state, first[-1]), list(carried))
        logits, new = model.step(token, old)
        # The state must keep its dtype round the loop, also in mixed precision.
        *now, own = write(position, written, ended=ended, logits=logits, own=own)
        return (*now, *keras.tree.flatten((cast_like(new, old), own)))

    first = write(ops.convert_to_tensor(0, "int32"), written, ended=ended, logits=logits, own=own)
    carried = keras.tree.flatten((state, first[-1]))
    _, written, *_ = ops.while_loop(more, step_and_write, (*first[:-1], *carried))
    return ops.transpose(ops.where(positions < limits, written, 0))  # (B, N)


def pad_rows(
    rows: Sequence[Sequence[int] | np.ndarray], multiple: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Packs rows of ids into one right-padded array.

    Args:
        rows: Arrays of ids, one per row, none of them empty.
        multiple: The width is rounded up to a multiple of it, which spares JAX a compilation for
            every new length.

    Returns:
        The ids, int32 `(len(rows), width)`, padded with 0, and the lengths, int32 `(len(rows),)`.

    Example:
        >>> pad_rows([[1, 2, 3], [4]])[0].tolist()
        [[1, 2, 3], [4, 0, 0]]
    """
    lengths = np.array([len(row) for row in rows], "int32")
    width = -(-int(lengths.max()) // multiple) * multiple
    padded = np.zeros((len(rows), width), "int32")
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded, lengths
