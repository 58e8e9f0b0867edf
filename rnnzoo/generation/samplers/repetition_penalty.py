"""Makes ids that were generated before less likely."""

import reprlib
from typing import Any

from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.generation.samplers.checks import is_factor
from rnnzoo.typing import Tensor


class RepetitionPenalty:
    """Divides the positive logits of ids generated before, and multiplies the negative ones.

    The number is the penalty; 1 changes nothing. The ids of the prompt do not count.

    Reference:
        Keskar et al., "CTRL", arXiv:1909.05858, section 4.1.
    """

    off = 1.0  # the number that changes nothing

    def check(self, number: float) -> None:
        """Raises an `InputError` unless it is a number from 1e-6 to 1e6."""
        if not is_factor(number):
            raise InputError(
                "`repetition_penalty` must be a number from 1e-6 to 1e6 (1 changes nothing, 1.2 is "
                f"usual), not {reprlib.repr(number)}."
            )

    def start(self, batch_size: Tensor, vocabulary_size: int, capacity: Tensor) -> Tensor:
        """Makes the state: which ids were generated, boolean `(B, V)`."""
        return ops.zeros((batch_size, vocabulary_size), "bool")

    def apply(self, logits: Tensor, state: Any, number: Tensor) -> Tensor:
        """Changes the logits `(B, V)`."""
        changed = ops.where(logits > 0, logits / number, logits * number)
        return ops.where(state, changed, logits)

    def update(self, state: Any, token: Tensor) -> Any:
        """Notes the tokens `(B,)` that were chosen."""
        ids = ops.arange(ops.shape(state)[-1], dtype="int32")
        return ops.logical_or(state, ops.equal(ids, ops.expand_dims(token, -1)))
