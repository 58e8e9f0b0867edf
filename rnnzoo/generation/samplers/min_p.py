"""Draws among the tokens that are not far less likely than the likeliest."""

from typing import Any

import keras
from keras import ops

from rnnzoo.generation.samplers.checks import read_share
from rnnzoo.generation.samplers.temperature import TemperatureSampler
from rnnzoo.typing import Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class MinPSampler(TemperatureSampler):
    """Draws among the tokens at least p times as likely as the likeliest (arXiv:2407.01082).

    Args:
        p: The share of the largest probability, above 0 and at most 1. Defaults to 0.1.
        temperature: As for `TemperatureSampler`. Defaults to 1.

    Raises:
        InputError: If `p` is not above 0 and at most 1, or the temperature is wrong.

    Example:
        >>> int(MinPSampler(p=0.5)(ops.array([[0.0, 2.0, 1.0]]), ops.array([0.99]))[0])
        1

    Reference:
        Nguyen et al., "Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs".
    """

    def __init__(self, p: float = 0.1, *, temperature: float = 1.0):
        super().__init__(temperature)
        self.p = read_share(p)

    def probabilities(
        self, logits: Tensor, *, temperature: Tensor | None = None, p: Tensor | None = None
    ) -> Tensor:
        """Computes what is drawn from; see `TemperatureSampler`."""
        probabilities = super().probabilities(logits, temperature=temperature)
        largest = ops.max(probabilities, axis=-1, keepdims=True)
        least = largest * (self.p if p is None else p)
        return ops.where(probabilities >= least, probabilities, 0.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal sampler."""
        return {"p": self.p, **super().get_config()}
