"""Beam search: the few likeliest beginnings of each translation are followed side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from rnnzoo.generation.generate import never_written
from rnnzoo.typing import Tensor

if TYPE_CHECKING:
    from rnnzoo.models.seq2seq import Seq2Seq

NEVER = -1e9  # far below the log-probability of anything that can be written


def length_penalty(length: float | Tensor, alpha: float | Tensor) -> float | Tensor:
    """What a log-probability is divided by, so that short translations win less often.

    Args:
        length: Number of tokens, the end token included.
        alpha: 0 for no penalty; the more, the longer the translations.

    Returns:
        `((5 + length) / 6) ** alpha`.

    Example:
        >>> length_penalty(1, 0.6), length_penalty(7, 1.0)
        (1.0, 2.0)

    Reference:
        Wu et al. 2016, "Google's Neural Machine Translation System" (arXiv:1609.08144), eq. 14.
    """
    return ((5.0 + length) / 6.0) ** alpha


def beam_search(
    model: Seq2Seq, source: Tensor, room: Tensor, num_tokens: Tensor, alpha: Tensor, width: int
) -> tuple[Tensor, Tensor]:
    """Finds the translation with the highest log-probability over length penalty.

    At each step the live hypotheses are continued by every token. Those of the `width` likeliest
    continuations that end are done; the `width` likeliest that do not end live on. A row is ready
    when `width` hypotheses are done, or when no live one could still win. With a width of 1 this
    is greedy search; with one that cuts nothing off, exhaustive search.

    Args:
        model: The encoder-decoder.
        source: Token ids, int32 `(batch, source_length)`, right-padded with 0.
        room: Any int32 vector; its length is the capacity of the output.
        num_tokens: The most tokens to write, an integer tensor of at most the capacity.
        alpha: The exponent of `length_penalty`, at least 0, a float32 tensor.
        width: The number of hypotheses that are followed, a Python int.

    Returns:
        Tokens of the best hypothesis, int32 `(batch, capacity)`, filled up with 0 after the end
        token; and its log-probability over its penalty, float32 `(batch,)`. Where none has ended
        after `num_tokens`, the best live one. Padding, start and unknown tokens are never written,
        and the other probabilities sum to one without them.
    """
    size = model.target_vocabulary_size
    banned = never_written(model.target_vocabulary, size)
    banned[[0, model.start_id]] = NEVER  # padding and start, also without a vocabulary
    banned = ops.convert_to_tensor(banned)
    capacity, batch_size = ops.shape(room)[0], ops.shape(source)[0]
    positions = ops.arange(capacity, dtype="int32")  # (N,)
    first_of_row = ops.expand_dims(ops.arange(batch_size, dtype="int32") * width, -1)  # (B, 1)
    num_tokens = ops.cast(num_tokens, "int32")
    most = length_penalty(ops.cast(num_tokens, "float32"), alpha)

    memory, state = model.encode(source)
    memory = keras.tree.map_structure(lambda each: ops.repeat(each, width, axis=0), memory)
    state = [ops.repeat(each, width, axis=0) for each in state]  # (B * K, units)
    # All hypotheses of a row are the same at first: only one of them may go on.
    start = np.full((1, width), NEVER, "float32")
    start[0, 0] = 0.0
    live = ops.repeat(ops.convert_to_tensor(start), batch_size, axis=0)  # (B, K) log-probabilities
    written = ops.zeros((batch_size, width, capacity), "int32")
    token = ops.full((batch_size * width,), model.start_id, "int32")
    best = ops.full((batch_size,), NEVER, "float32")  # the score of what is `chosen`
    chosen = ops.zeros((batch_size, capacity), "int32")
    done = ops.zeros((batch_size,), "int32")  # how many hypotheses have ended

    def ready(live, best, done):
        cannot_win = ops.max(live, axis=-1) / most <= best  # it only falls, divided by `most`
        return ops.logical_or(done >= width, cannot_win)

    def more(position, live, written, token, best, chosen, done, *state):
        unfinished = ops.logical_not(ops.all(ready(live, best, done)))
        return ops.logical_and(position < num_tokens, unfinished)

    def write_one(position, live, written, token, best, chosen, done, *state):
        waits = ops.logical_not(ready(live, best, done))  # (B,)
        logits, new_state, _ = model.step(token, list(state), memory)
        surprise = ops.log_softmax(logits + banned, axis=-1)  # (B * K, V)
        scores = ops.expand_dims(live, -1) + ops.reshape(surprise, (-1, width, size))
        scores, found = ops.top_k(ops.reshape(scores, (-1, width * size)), 2 * width)  # (B, 2K)
        found = ops.cast(found, "int32")
        parents, tokens = found // size, found % size  # (B, 2K)
        here = ops.equal(positions, position)  # (N,)
        texts = ops.take_along_axis(written, ops.expand_dims(parents, -1), axis=1)  # (B, 2K, N)
        texts = ops.where(here, ops.expand_dims(tokens, -1), texts)
        ends = ops.equal(tokens, model.end_id)  # (B, 2K)

        # The best of those that end now, against the best that has ended before
        ending = ops.logical_and(ends[:, :width], scores[:, :width] > NEVER / 2)
        length = ops.cast(position + 1, "float32")
        ended = ops.where(ending, scores[:, :width] / length_penalty(length, alpha), NEVER)
        winner = ops.expand_dims(ops.argmax(ended, axis=-1), -1)  # (B, 1)
        score = ops.max(ended, axis=-1)  # (B,)
        better = ops.logical_and(waits, score > best)
        text = ops.take_along_axis(texts, ops.expand_dims(winner, -1), axis=1)[:, 0]  # (B, N)
        best = ops.where(better, score, best)
        chosen = ops.where(ops.expand_dims(better, -1), text, chosen)
        done = done + ops.sum(ops.cast(ending, "int32"), axis=-1)

        # The likeliest of the others live on, each with its parent's state; at least `width` of
        # the 2 * width do not end, since a parent ends but once.
        live, kept = ops.top_k(ops.where(ends, 2 * NEVER, scores), width)  # (B, K)
        rows = ops.reshape(first_of_row + ops.take_along_axis(parents, kept, axis=1), (-1,))
        token = ops.reshape(ops.take_along_axis(tokens, kept, axis=1), (-1,))
        written = ops.take_along_axis(texts, ops.expand_dims(kept, -1), axis=1)
        new_state = [
            ops.take(ops.cast(new, old.dtype), rows, axis=0)
            for new, old in zip(new_state, state, strict=True)
        ]
        return (position + 1, live, written, token, best, chosen, done, *new_state)

    first = ops.convert_to_tensor(0, "int32")
    result = ops.while_loop(
        more, write_one, (first, live, written, token, best, chosen, done, *state)
    )
    position, live, written, _, best, chosen, done = result[:7]
    unended = ops.equal(done, 0)
    likeliest = live[:, 0] / length_penalty(ops.cast(position, "float32"), alpha)
    chosen = ops.where(ops.expand_dims(unended, -1), written[:, 0], chosen)
    return chosen, ops.where(unended, likeliest, best)


def attention_of(model: Seq2Seq, source: Tensor, written: Tensor) -> Tensor:
    """Tells where the decoder looked when it wrote given tokens.

    Args:
        model: The encoder-decoder, with attention.
        source: Token ids, int32 `(batch, source_length)`, right-padded with 0.
        written: Token ids, int32 `(batch, steps)`.

    Returns:
        The attention weights, float32 `(batch, steps, source_length)`.
    """
    memory, state = model.encode(source)
    batch_size, source_length = ops.shape(source)[0], ops.shape(source)[1]
    written = ops.transpose(written)  # (N, B)
    steps = ops.shape(written)[0]
    positions = ops.reshape(ops.arange(steps, dtype="int32"), (-1, 1, 1))  # (N, 1, 1)
    looked = ops.zeros((steps, batch_size, source_length), "float32")
    token = ops.full((batch_size,), model.start_id, "int32")

    def look(position, looked, token, *state):
        _, new_state, weights = model.step(token, list(state), memory)
        looked = ops.where(ops.equal(positions, position), weights, looked)
        new_state = [ops.cast(new, old.dtype) for new, old in zip(new_state, state, strict=True)]
        return (position + 1, looked, ops.take(written, position, axis=0), *new_state)

    first = ops.convert_to_tensor(0, "int32")
    result = ops.while_loop(
        lambda position, *_: position < steps, look, (first, looked, token, *state)
    )
    return ops.transpose(result[1], (1, 0, 2))
