"""Draws from the model's distribution, sharpened or flattened."""

import reprlib
from collections.abc import Hashable
from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.generation.samplers.base import Sampler
from rnnzoo.generation.samplers.checks import is_factor, is_number
from rnnzoo.typing import Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class TemperatureSampler(Sampler):
    """Draws from softmax(logits / temperature).

    The draw is by the inverse of the cumulative distribution: the first token at which the
    cumulative sum reaches the uniform number. All of it is done in float32.

    Args:
        temperature: 1 is the model's own distribution, less is more careful, more is wilder, 0
            takes the likeliest token. Defaults to 1.

    Raises:
        InputError: If `temperature` is neither 0 nor a number from 1e-6 to 1e6.

    Example:
        >>> TemperatureSampler(temperature=0.8)
        TemperatureSampler(temperature=0.8)
    """

    def __init__(self, temperature: float = 1.0):
        if not is_factor(temperature) and not (is_number(temperature) and temperature == 0):
            raise InputError(
                "`temperature` must be 0 (always the likeliest token) or a number from 1e-6 to 1e6 "
                "(1 is the model's own distribution, less is more careful), not "
                f"{reprlib.repr(temperature)}."
            )
        self.temperature = float(temperature)

    def probabilities(self, logits: Tensor, *, temperature: Tensor | None = None) -> Tensor:
        """Computes what is drawn from; it need not sum to one, only its ratios count.

        Args:
            logits: Float tensor of shape (B, V).
            temperature: A scalar tensor of at least 1e-6; the sampler's own when left out.

        Returns:
            Float32 tensor of shape (B, V), not negative.
        """
        logits = ops.cast(logits, "float32")
        if temperature is None:
            temperature = self.temperature
            if temperature == 0:
                return ops.one_hot(ops.argmax(logits, axis=-1), logits.shape[-1], dtype="float32")
        # the largest becomes 0 first, lest a small temperature overflow
        return ops.softmax((logits - ops.max(logits, axis=-1, keepdims=True)) / temperature)

    def __call__(self, logits: Tensor, uniform: Tensor, **numbers: Tensor) -> Tensor:  # noqa: D102 (Sampler says it)
        return draw(self.probabilities(logits, **numbers), uniform)

    def numbers(self) -> dict[str, float]:
        """Returns all arguments; a subclass of one's own may have others, and gets none."""
        return self.get_config() if type(self).__module__.startswith("rnnzoo.") else {}

    def key(self) -> Hashable:
        """Returns the class alone where all arguments are numbers."""
        return type(self) if self.numbers() else super().key()

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal sampler."""
        return {"temperature": self.temperature}


def draw(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Draws a token for each row by the inverse of the cumulative distribution.

    Args:
        probabilities: Float32 `(B, V)`, not negative; they need not sum to one.
        uniform: Float `(B,)`, in [0, 1).

    Returns:
        Token ids, int32 `(B,)`.

    Example:
        >>> int(draw(ops.array([[0.5, 0.0, 0.5]]), ops.array([0.6]))[0])
        2
    """
    cumulative = ops.cumsum(probabilities, axis=-1)
    # Rounding must never draw a token of probability zero. Parallel cumulative sums may rise
    # by a last bit across one, and `uniform` may be 0 or have been rounded up to 1: so only
    # possible tokens are tried, and the largest sum among them always answers.
    possible = probabilities > 0
    total = ops.max(ops.where(possible, cumulative, 0.0), axis=-1, keepdims=True)  # (B, 1)
    uniform = ops.expand_dims(ops.cast(uniform, "float32"), -1)  # (B, 1)
    reached = ops.logical_and(possible, cumulative >= uniform * total)
    size = probabilities.shape[-1]
    # the least index rather than argmax, whose choice among equals differs by backend
    return ops.min(ops.where(reached, ops.arange(size, dtype="int32"), size - 1), axis=-1)
