"""The loop that writes: one token after the other, inside one compiled function."""

from collections.abc import Callable, Sequence

import numpy as np
from keras import ops

from rnnzoo.typing import Tensor


def generation_loop(
    step: Callable[[Tensor, list[Tensor]], tuple[Tensor, list[Tensor]]],
    sampler: Callable[[Tensor, Tensor], Tensor],
    logits: Tensor,
    state: list[Tensor],
    uniforms: Tensor,
    num_tokens: Tensor,
    end_id: int | None = None,
) -> Tensor:
    """Samples tokens until every row has ended or `num_tokens` are written.

    Args:
        step: `step(tokens (batch,), state) -> logits (batch, vocabulary), state`.
        sampler: `sampler(logits, uniform (batch,)) -> tokens (batch,)`.
        logits: Logits of the first new token, `(batch, vocabulary)`.
        state: The state behind them, a flat list of tensors.
        uniforms: Numbers in [0, 1), `(at least num_tokens, batch)`: the chance of each draw, so
            that a seed gives the same text on every backend.
        num_tokens: How many tokens to write, an integer tensor.
        end_id: The token that ends a row; `None` when rows do not end.

    Returns:
        Tokens `(batch, rows of uniforms)`, int32. A row is filled up with `end_id` after its end,
        and everything after `num_tokens` is 0.
    """
    capacity, batch_size = ops.shape(uniforms)[0], ops.shape(uniforms)[1]
    positions = ops.expand_dims(ops.arange(capacity, dtype="int32"), -1)  # (N, 1)
    written = ops.zeros((capacity, batch_size), "int32")
    ended = ops.zeros((batch_size,), "bool")

    def write(position, written, ended, logits):
        """Draws the tokens of a position and notes which rows they end."""
        token = sampler(logits, ops.take(uniforms, position, axis=0))  # (B,)
        if end_id is not None:
            token = ops.where(ended, end_id, token)
            ended = ops.logical_or(ended, ops.equal(token, end_id))
        # A select over the small buffer is cheaper than it looks and runs on every backend.
        written = ops.where(ops.equal(positions, position), token, written)  # (N, B)
        return position + 1, written, ended, token

    def more(position, written, ended, *_):
        unfinished = ops.logical_not(ops.all(ended))
        return ops.logical_and(position < num_tokens, unfinished)

    def step_and_write(position, written, ended, token, *state):
        logits, new_state = step(token, list(state))
        # The state must keep its dtype round the loop, also in mixed precision.
        new_state = [ops.cast(new, old.dtype) for new, old in zip(new_state, state, strict=True)]
        return (*write(position, written, ended, logits), *new_state)

    first = write(ops.convert_to_tensor(0, "int32"), written, ended, logits)
    _, written, *_ = ops.while_loop(more, step_and_write, (*first, *state))
    return ops.transpose(written)  # (B, N)


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
