"""Forbids n-grams that were generated before."""

import reprlib
from numbers import Integral
from typing import Any

from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.generation.inputs import MOST
from rnnzoo.typing import Tensor

FORBIDDEN = -5e8  # less likely than anything but the suppressed ids


class NoRepeatNgram:
    """Forbids every token that would end an n-gram which was generated before.

    The number is n; 0 changes nothing. The ids of the prompt do not count.

    The state holds, for every place before, how many tokens up to it equal those up to the
    present one. So one compiled function serves every n.

    Reference:
        Paulus et al., "A Deep Reinforced Model for Abstractive Summarization", arXiv:1705.04304,
        section 2.5.
    """

    off = 0

    def check(self, number: int) -> None:
        """Raises an `InputError` unless it is a whole number from 0 to a million."""
        whole = isinstance(number, Integral) and not isinstance(number, bool)
        if not whole or not 0 <= number <= MOST:
            raise InputError(
                f"`no_repeat_ngram` must be a whole number from 1 to {MOST}, the length of what "
                f"may not come twice (or 0 for none), not {reprlib.repr(number)}."
            )

    def start(self, batch_size: Tensor, vocabulary_size: int, capacity: Tensor) -> Any:
        """Makes the state: ids (B, N), counts of equal tokens before each (B, N), place (B, 1)."""
        history = ops.zeros((batch_size, capacity), "int32") - 1
        place = ops.zeros((batch_size, 1), "int32")
        return history, ops.zeros((batch_size, capacity), "int32"), place

    def apply(self, logits: Tensor, state: Any, number: Tensor) -> Tensor:
        """Changes the logits `(B, V)`."""
        history, equal_before, place = state
        length = ops.cast(number, "int32")
        places = ops.arange(ops.shape(history)[1], dtype="int32")
        repeats = ops.logical_and(equal_before >= length - 1, places < place)  # (B, N)
        repeats = ops.cast(ops.logical_and(repeats, length > 0), "float32")
        rows = ops.expand_dims(ops.arange(ops.shape(history)[0], dtype="int32"), -1)  # (B, 1)
        ids = ops.stack([rows + ops.zeros_like(history), ops.maximum(history, 0)], axis=-1)
        shape = (ops.shape(history)[0], logits.shape[-1])
        counts = ops.scatter(ops.reshape(ids, (-1, 2)), ops.reshape(repeats, (-1,)), shape)
        return logits + ops.where(counts > 0, FORBIDDEN, 0.0)

    def update(self, state: Any, token: Tensor) -> Any:
        """Notes the tokens `(B,)` that were chosen."""
        history, equal_before, place = state
        token = ops.expand_dims(token, -1)  # (B, 1)
        equal = ops.where(ops.equal(history, token), equal_before + 1, 0)  # up to each place
        equal_before = ops.concatenate([ops.zeros_like(token), equal[:, :-1]], axis=1)
        places = ops.arange(ops.shape(history)[1], dtype="int32")
        return ops.where(ops.equal(places, place), token, history), equal_before, place + 1
