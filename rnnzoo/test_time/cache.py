"""The neural cache: tokens of the recent past are likelier where it was like the present."""

from collections.abc import Sequence
from itertools import product

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_fraction, check_positive
from rnnzoo.test_time.reading import (
    Ids,
    nats_of,
    read,
    read_segment,
    trained_weights,
    weights_in_place,
)

# To choose them on training text: `python benchmarks/test_time.py cache`.
SIZE, SHARE, THETA = 500, 0.1, 0.3
EMPTY = -1  # no token


def neural_cache(
    model: keras.Model,
    ids: Ids,
    *,
    size: int = SIZE,
    share: float = SHARE,
    theta: float = THETA,
    batch_size: int = 1,
    sequence_length: int = 64,
) -> np.ndarray:
    """Computes how improbable a model with a cache finds each token of a text.

    The cache keeps the last `size` hidden vectors and the token that followed each. A token's
    probability is `(1 - share) * p_model + share * p_cache`, where `p_cache` is a softmax of
    `theta` times the product of the present hidden vector with those kept, summed over the places
    that this token followed. Nothing is trained. An empty cache has no share; each document starts
    with one.

    Args:
        model: A `LanguageModel`.
        ids: One flat text of ids, or a list of documents; see `token_nats`.
        size: How many tokens the cache reaches back.
        share: The cache's share of the probability, at least 0 and below 1.
        theta: How much more a vector counts that is like the present one; 0 counts all alike.
        batch_size: The rows that are read side by side, each with a cache of its own.
        sequence_length: The tokens of a segment; it changes nothing but the speed.

    Returns:
        The negative log-probability of each predicted token in nats, float32 `(tokens,)`, in the
        order of the text.

    Raises:
        InputError: If the model is no language model, or a number cannot be.

    Example:
        >>> from rnnzoo import char_lstm
        >>> from rnnzoo.test_time import token_nats
        >>> model, text = char_lstm(65, units=8), np.arange(60) % 5
        >>> bool(neural_cache(model, text).mean() < token_nats(model, text).mean())
        True

    Reference:
        Grave et al., "Improving Neural Language Models with a Continuous Cache", ICLR 2017
        (arXiv:1612.04426).
    """
    sizes = {"batch_size": batch_size, "sequence_length": sequence_length}
    check_positive(size=size, **sizes)
    check_fraction(share=share)
    if not (np.isfinite(theta) and theta >= 0):
        raise InputError(f"`theta` must be at least 0, not {theta!r}.")
    fixed = (trained_weights(model), ops.convert_to_tensor([share, theta], "float32"))
    keys = ops.zeros((batch_size, size, model.recurrent.output_size), "float32")
    values = ops.full((batch_size, size), EMPTY, "int32")
    kept = (model.get_initial_state(batch_size), keys, values)
    return read(model, ids, step=_cache_step, fixed=fixed, kept=kept, **sizes)[0]


def choose_cache(
    model: keras.Model,
    ids: Ids,
    *,
    size: int = SIZE,
    shares: Sequence[float] = (0.02, 0.05, 0.1, 0.2),
    thetas: Sequence[float] = (0.1, 0.3, 1.0),
    batch_size: int = 1,
    sequence_length: int = 64,
) -> dict[str, float]:
    """Chooses the share and theta that serve a text best: one that is not measured afterwards.

    Args:
        model: A `LanguageModel`.
        ids: The last part of its training text, some ten thousand tokens.
        size: As for `neural_cache`.
        shares: The shares to try.
        thetas: The values of theta to try with each.
        batch_size: As for `neural_cache`.
        sequence_length: As for `neural_cache`.

    Returns:
        The `"share"` and `"theta"` of the lowest mean nats, arguments of `neural_cache`.

    Raises:
        InputError: As `neural_cache`.
    """
    sizes = {"size": size, "batch_size": batch_size, "sequence_length": sequence_length}

    def mean_nats(numbers):
        return neural_cache(model, ids, **numbers, **sizes).mean()

    tried = [{"share": share, "theta": theta} for share, theta in product(shares, thetas)]
    return min(tried, key=mean_nats)


def _cache_step(model, fixed, kept, segment):
    weights, numbers = fixed
    state, keys, values = kept
    share, theta = numbers[0], numbers[1]
    with weights_in_place(model, weights):
        hidden, state = read_segment(model, state, segment)  # (B, T, U)
        nats = nats_of(model.logits(hidden), segment.targets)  # (B, T)
    size, steps = keys.shape[1], hidden.shape[1]
    hidden = ops.cast(hidden, "float32")
    restarts = ops.expand_dims(segment.reset, -1) != 0
    followers = ops.where(segment.weights > 0, segment.targets, EMPTY)
    values = ops.concatenate([ops.where(restarts, EMPTY, values), followers], axis=1)  # (B, N + T)
    keys = ops.concatenate([keys, hidden], axis=1)  # (B, N + T, U)

    products = theta * ops.matmul(hidden, ops.swapaxes(keys, 1, 2))  # (B, T, N + T)
    step, place = np.arange(steps)[:, None], np.arange(size + steps)[None, :]
    before = (place >= step) & (place < step + size)  # the `size` places just before each step
    seen = ops.logical_and(ops.expand_dims(values != EMPTY, 1), ops.convert_to_tensor(before))
    products = ops.where(seen, products, -1e9)
    found = ops.expand_dims(values, 1) == ops.expand_dims(segment.targets, -1)
    attention = ops.softmax(products) * ops.cast(ops.logical_and(seen, found), "float32")
    of_cache = ops.sum(attention, axis=-1)  # (B, T)
    share = ops.where(ops.any(seen, axis=-1), share, 0.0)  # none of an empty cache
    nats = -ops.logaddexp(ops.log(1.0 - share) - nats, ops.log(share * of_cache))
    return nats, (state, keys[:, steps:], values[:, steps:])
