"""Beam search: the few likeliest beginnings of each text are followed side by side."""

from __future__ import annotations

import reprlib
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.protocol import NEVER, Decodable, cast_like, take_rows
from rnnzoo.generation.samplers.checks import LARGEST, is_number
from rnnzoo.typing import Tensor

WIDEST = 10_000  # hypotheses of a beam


def length_penalty(length: float | Tensor, alpha: float | Tensor) -> float | Tensor:
    """Computes what a log-probability is divided by, so that short texts win less often.

    Args:
        length: Number of tokens, the end token included.
        alpha: 0 for no penalty; the more, the longer the texts.

    Returns:
        `((5 + length) / 6) ** alpha`.

    Example:
        >>> length_penalty(1, 0.6), length_penalty(7, 1.0)
        (1.0, 2.0)

    Reference:
        Wu et al. 2016, "Google's Neural Machine Translation System" (arXiv:1609.08144), eq. 14.
    """
    return ((5.0 + length) / 6.0) ** alpha


def coverage_penalty(coverage: Tensor, mask: Tensor) -> Tensor:
    """Computes how much of the sources was left without attention, as log-probabilities.

    Args:
        coverage: The attention that each source token got in all, float32 `(..., source_length)`.
        mask: Which tokens count, float32 `(..., source_length)`.

    Returns:
        The sum of `log(min(coverage, 1))`, float32 `(...)`: at most 0.

    Example:
        >>> coverage = ops.array([0.5, 2.0, 0.0])
        >>> round(float(coverage_penalty(coverage, ops.array([1.0, 1.0, 0.0]))), 3)
        -0.693

    Reference:
        Wu et al. 2016, "Google's Neural Machine Translation System" (arXiv:1609.08144), eq. 14.
    """
    return ops.sum(ops.log(ops.clip(coverage, 1e-9, 1.0)) * mask, axis=-1)


def check_search(
    beam_width: int,
    length_penalty: float,
    n_best: int | None = None,
    coverage_penalty: float = 0.0,
    beam_groups: int = 1,
    diversity_penalty: float = 0.5,
) -> None:
    """Checks the options of beam search.

    Raises:
        InputError: If the width is not a whole number from 1 to 10,000 that the groups divide, a
            penalty not a number from 0 to 1e6, or more texts are requested than are followed, or
            there is a diversity penalty for one group.
    """
    check_positive(WIDEST, n_best=n_best, beam_width=beam_width, beam_groups=beam_groups)
    if beam_width % beam_groups:
        raise InputError(
            f"`beam_groups` ({beam_groups}) must divide `beam_width` ({beam_width}): each group "
            "follows as many hypotheses."
        )
    penalties = {
        "length_penalty": (length_penalty, 0.6),
        "coverage_penalty": (coverage_penalty, 0.2),
        "diversity_penalty": (diversity_penalty, 0.5),
    }
    for name, (penalty, usual) in penalties.items():
        if not is_number(penalty) or not 0 <= penalty <= LARGEST:
            raise InputError(
                f"`{name}` must be a number from 0 to 1e6 (0 for none, {usual} is usual), not "
                f"{reprlib.repr(penalty)}."
            )
    if beam_groups == 1 and diversity_penalty != 0.5:
        raise InputError(
            f"`diversity_penalty` ({diversity_penalty!r}) is of no use without groups; give "
            "`beam_groups` too, or leave it out."
        )
    if n_best is not None and n_best > beam_width:
        raise InputError(
            f"`n_best` ({n_best}) is more than `beam_width` ({beam_width}); follow at least as "
            "many hypotheses as you want to have."
        )


def beam_search(
    model: Decodable,
    inputs: Any,
    *,
    limits: Tensor,
    buffer: Tensor,
    alpha: Tensor,
    width: int,
    n_best: int = 1,
    beta: Tensor | None = None,
    groups: int = 1,
    diversity: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Finds the texts with the highest log-probability over length penalty.

    At each step the live hypotheses are continued by every token. Those of the `width` likeliest
    continuations that end are done; the `width` likeliest that do not end live on. A row is ready
    when `width` hypotheses are done, or when no live one could still win. With a width of 1 this
    is greedy search; with one that cuts nothing off, exhaustive search.

    Args:
        model: What is decoded.
        inputs: What its `start` reads.
        limits: The most tokens of each row, int32 `(batch,)`, at most the capacity.
        buffer: Any vector; its length is the capacity of the output.
        alpha: The exponent of `length_penalty`, at least 0, a float32 tensor.
        width: The number of hypotheses that are followed, a Python int.
        n_best: How many texts are wanted of each row, at most `width`, a Python int.
        beta: What `coverage_penalty` is multiplied by before it is added to the score of a whole
            text, at least 0, a float32 tensor; the model then has attention. None for none.
        groups: Into how many beams `width` is divided, a Python int. They choose one after the
            other: a token loses `diversity` for each time that a beam before chose it at this
            step (Vijayakumar et al. 2018, arXiv:1610.02424, with the Hamming distance). It counts
            for the choice alone, not for the scores. Texts that beams share are returned once.
        diversity: See `groups`; a float32 tensor, at least 0.

    Returns:
        Tokens, int32 `(batch, n_best, capacity)`, filled up with 0 after the end token; and their
        log-probabilities over their penalties, float32 `(batch, n_best)`, below half of `NEVER`
        where there are fewer texts. Where too few have ended within the limit, the best live ones
        follow. Suppressed ids are never written, and the other probabilities sum to one.
    """
    size, end_id = model.rules.size, model.rules.end_id
    covers = beta is not None
    logits, state, *weights = model.start(inputs, attention=True) if covers else model.start(inputs)
    wanted, width = n_best, width // groups  # from here on each beam is a row of its own
    n_best = min(n_best, width)
    sources, capacity = ops.shape(logits)[0], ops.shape(buffer)[0]
    batch_size = sources * groups
    rows = ops.arange(batch_size, dtype="int32")
    logits, state = take_rows((logits, state), ops.repeat(rows, width) // groups)  # (B * K, ...)
    if covers:
        attended = ops.repeat(weights[0], groups * width, axis=0)  # (B * K, S), by all steps
        state = {"model": state, "attended": attended}
        counts = ops.cast(model.source_mask(inputs), "float32")
        counts = ops.expand_dims(ops.repeat(counts, groups, axis=0), 1)  # (B, 1, S)

    def uncovered(state):
        """What is added to the score of each hypothesis if it ends now (B, K)."""
        attended = ops.reshape(state["attended"], (-1, width, ops.shape(counts)[-1]))  # (B, K, S)
        return beta * coverage_penalty(attended, counts)

    def read(token, old):
        """Reads a token for each hypothesis: logits and state."""
        if not covers:
            return model.step(token, old)
        logits, new, weights = model.step(token, old["model"], attention=True)
        return logits, {"model": new, "attended": old["attended"] + weights}

    def reordered(state, rows):
        """The state of the parents."""
        if not covers:
            return model.reorder(state, rows)
        attended = ops.take(state["attended"], rows, axis=0)
        return {"model": model.reorder(state["model"], rows), "attended": attended}

    positions = ops.arange(capacity, dtype="int32")  # (N,)
    first_of_row = ops.expand_dims(rows * width, -1)  # (B, 1)
    limits = ops.repeat(ops.cast(limits, "int32"), groups)
    largest_penalty = length_penalty(ops.cast(limits, "float32"), alpha)  # (B,)
    # All hypotheses of a row are the same at first: only one of them may go on.
    only_first = np.full((1, width), NEVER, "float32")
    only_first[0, 0] = 0.0
    live = ops.repeat(ops.convert_to_tensor(only_first), batch_size, axis=0)  # (B, K)
    written = ops.zeros((batch_size, width, capacity), "int32")
    best = ops.full((batch_size, n_best), NEVER, "float32")  # the scores of what is `chosen`
    chosen = ops.zeros((batch_size, n_best, capacity), "int32")
    done = ops.zeros((batch_size,), "int32")  # how many hypotheses have ended

    def may_win(position, live, best, done):
        # A live log-probability only falls, and is divided by the largest penalty at most.
        can_win = ops.max(live, axis=-1) / largest_penalty > best[:, -1]
        return ops.logical_and(ops.logical_and(done < width, can_win), position < limits)  # (B,)

    def keep_best(waits, scores, texts, best, chosen):
        """Merges other texts (B, n, N) into the best of the rows that wait (B, 1)."""
        if n_best == 1:  # a comparison costs less than a merge
            better = ops.logical_and(waits, scores > best)
        else:
            better = waits
            scores, places = ops.top_k(ops.concatenate([best, scores], axis=-1), n_best)
            texts = ops.concatenate([chosen, texts], axis=1)
            texts = ops.take_along_axis(texts, ops.expand_dims(places, -1), axis=1)
        texts = ops.where(ops.expand_dims(better, -1), texts, chosen)
        return ops.where(better, scores, best), texts

    def live_ones(live, written, best):
        """The n best of those that live, each where one that has ended is missing (B, n)."""
        missing = best <= NEVER / 2  # (B, n), the last ones
        if n_best == 1:
            return missing, live[:, :1], written[:, :1]
        ended = n_best - ops.sum(ops.cast(missing, "int32"), axis=-1, keepdims=True)  # (B, 1)
        rank = ops.maximum(ops.arange(n_best, dtype="int32") - ended, 0)  # (B, n), among the live
        texts = ops.take_along_axis(written, ops.expand_dims(rank, -1), axis=1)  # (B, n, N)
        return missing, ops.take_along_axis(live, rank, axis=1), texts

    def likeliest(scores):
        """The 2K likeliest continuations of each beam, of scores (B, K * V).

        Returns their scores, their indices, and their ranks, by which they are chosen.
        """
        if groups == 1:
            scores, found = ops.top_k(scores, 2 * width)
            return scores, ops.cast(found, "int32"), scores
        scores = ops.reshape(scores, (-1, groups, width, size))
        taken = ops.zeros_like(scores[:, 0, 0])  # (sources, V), how often by the beams before
        parts = []
        for group in range(groups):
            its = scores[:, group]  # (sources, K, V)
            ranked = ops.reshape(its - diversity * ops.expand_dims(taken, 1), (-1, width * size))
            ranks, found = ops.top_k(ranked, 2 * width)  # (sources, 2K)
            found = ops.cast(found, "int32")
            plain = ops.take_along_axis(ops.reshape(its, (-1, width * size)), found, axis=1)
            parts.append((plain, found, ranks))
            tokens = found % size
            goes_on = ranks if end_id is None else ops.where(tokens == end_id, 2 * NEVER, ranks)
            chosen = ops.take_along_axis(tokens, ops.top_k(goes_on, width)[1], axis=1)
            taken += ops.sum(ops.one_hot(chosen, size, dtype=taken.dtype), axis=1)
        return [
            ops.reshape(ops.stack(part, axis=1), (-1, 2 * width))
            for part in zip(*parts, strict=True)
        ]

    def choose(position, live, written, best, chosen, done, waits, logits, state):
        """Continues every hypothesis by a token; also returns the rows that live on."""
        waiting = ops.expand_dims(waits, -1)  # (B, 1)
        log_probabilities = ops.log_softmax(model.rules.suppress(logits), axis=-1)  # (B * K, V)
        scores = ops.expand_dims(live, -1) + ops.reshape(log_probabilities, (-1, width, size))
        scores, found, ranks = likeliest(ops.reshape(scores, (-1, width * size)))  # (B, 2K)
        parents, tokens = found // size, found % size  # (B, 2K)
        here = ops.equal(positions, position)  # (N,)
        texts = ops.take_along_axis(written, ops.expand_dims(parents, -1), axis=1)  # (B, 2K, N)
        texts = ops.where(here, ops.expand_dims(tokens, -1), texts)
        length = ops.cast(position + 1, "float32")
        penalty = length_penalty(length, alpha)
        continues = ranks
        # What a text would get beside its log-probability, if it were whole (B, 2K)
        added = ops.zeros_like(scores)
        if covers:
            added = ops.take_along_axis(uncovered(state), parents, axis=1)
        if end_id is not None:
            ends = ops.equal(tokens, end_id)  # (B, 2K)
            # The best of those that end now, against the best that have ended before
            ending = ops.logical_and(ends[:, :width], scores[:, :width] > NEVER / 2)
            ended = scores[:, :width] / penalty + added[:, :width]
            ended = ops.where(ending, ended, NEVER)
            ended, places = ops.top_k(ended, n_best)
            its = ops.take_along_axis(texts, ops.expand_dims(places, -1), axis=1)  # (B, n, N)
            best, chosen = keep_best(waiting, ended, its, best=best, chosen=chosen)
            done = done + ops.sum(ops.cast(ending, "int32"), axis=-1)
            continues = ops.where(ends, 2 * NEVER, ranks)
        # The likeliest of the others live on, each with its parent's state; at least `width` of
        # the 2 * width do not end, since a parent ends but once.
        live, kept = ops.top_k(continues, width)  # (B, K)
        if groups > 1:
            live = ops.take_along_axis(scores, kept, axis=1)
        rows = ops.reshape(first_of_row + ops.take_along_axis(parents, kept, axis=1), (-1,))
        token = ops.reshape(ops.take_along_axis(tokens, kept, axis=1), (-1,))
        written = ops.take_along_axis(texts, ops.expand_dims(kept, -1), axis=1)
        # At its limit a row takes its best live hypotheses where too few have ended.
        whole, texts = live / penalty, written
        if covers or groups > 1:  # they may come in another order
            whole += ops.take_along_axis(added, kept, axis=1)
            whole, order = ops.top_k(whole, width)
            texts = ops.take_along_axis(texts, ops.expand_dims(order, -1), axis=1)
        missing, scores, texts = live_ones(whole, texts, best)
        at_limit = ops.expand_dims(ops.equal(position + 1, limits), -1)
        fills = ops.logical_and(ops.logical_and(waiting, at_limit), missing)
        best = ops.where(fills, scores, best)
        chosen = ops.where(ops.expand_dims(fills, -1), texts, chosen)
        waits = may_win(position + 1, live, best, done=done)
        return (position + 1, live, written, best, chosen, done, waits, token), rows

    def more(position, live, written, best, chosen, done, waits, *_):
        return ops.any(waits)

    def step_and_choose(position, live, written, best, chosen, done, waits, token, *carried):
        old = keras.tree.pack_sequence_as(state, list(carried))
        logits, new = read(token, old)
        now, rows = choose(
            position, live, written, best=best, chosen=chosen, done=done, waits=waits,
            logits=logits, state=new,
        )  # fmt: skip
        new = cast_like(reordered(new, rows), old)
        return (*now, *keras.tree.flatten(new))

    start = ops.convert_to_tensor(0, "int32")
    waits = may_win(start, live, best, done=done)  # (B,), all of them at first
    first, _ = choose(
        start, live, written, best=best, chosen=chosen, done=done, waits=waits, logits=logits,
        state=state,
    )  # fmt: skip
    result = ops.while_loop(more, step_and_choose, (*first, *keras.tree.flatten(state)))
    if groups == 1:
        return result[4], result[3]
    texts = ops.reshape(result[4], (-1, groups * n_best, capacity))
    return _best_of_all(texts, ops.reshape(result[3], (-1, groups * n_best)), wanted)


def _best_of_all(texts, scores, n_best):
    """The best of the texts (B, M, N) of all beams, each once."""
    count = scores.shape[-1]
    same = ops.all(ops.equal(ops.expand_dims(texts, 1), ops.expand_dims(texts, 2)), axis=-1)
    before = ops.convert_to_tensor(np.tril(np.ones((count, count), "bool"), -1))
    again = ops.any(ops.logical_and(same, before), axis=-1)  # (B, M)
    scores, places = ops.top_k(ops.where(again, NEVER, scores), n_best)
    return ops.take_along_axis(texts, ops.expand_dims(places, -1), axis=1), scores
