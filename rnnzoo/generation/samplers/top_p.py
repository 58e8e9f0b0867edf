"""Draws among the likeliest tokens that together have a given probability."""

from typing import Any

import keras
from keras import ops

from rnnzoo.generation.samplers.checks import read_share
from rnnzoo.generation.samplers.temperature import TemperatureSampler
from rnnzoo.typing import Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class TopPSampler(TemperatureSampler):
    """Nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751).

    Draws among the likeliest tokens whose probabilities, after the temperature, first sum to p.

    Args:
        p: The probability kept, above 0 and at most 1; ties with the last token kept are kept too.
            Defaults to 0.9.
        temperature: As for `TemperatureSampler`. Defaults to 1.

    Raises:
        InputError: If `p` is not above 0 and at most 1, or the temperature is wrong.

    Example:
        >>> int(TopPSampler(p=0.5)(ops.array([[0.0, 2.0, 1.0]]), ops.array([0.99]))[0])
        1
    """

    def __init__(self, p: float = 0.9, *, temperature: float = 1.0):
        super().__init__(temperature)
        self.p = read_share(p)

    def probabilities(
        self, logits: Tensor, *, temperature: Tensor | None = None, p: Tensor | None = None
    ) -> Tensor:
        """Computes what is drawn from; see `TemperatureSampler`."""
        probabilities = super().probabilities(logits, temperature=temperature)
        falling = ops.flip(ops.sort(probabilities, axis=-1), axis=-1)
        before = ops.cumsum(falling, axis=-1) - falling  # the probability of all likelier tokens
        kept = ops.where(before < (self.p if p is None else p), falling, 1.0)
        return ops.where(probabilities >= ops.min(kept, axis=-1, keepdims=True), probabilities, 0.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal sampler."""
        return {"p": self.p, **super().get_config()}
