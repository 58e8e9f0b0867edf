"""Draws among the tokens whose information is close to what is expected."""

from typing import Any

import keras
from keras import ops

from rnnzoo.generation.samplers.checks import read_share
from rnnzoo.generation.samplers.temperature import TemperatureSampler
from rnnzoo.typing import Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class TypicalSampler(TemperatureSampler):
    """Locally typical sampling (Meister et al. 2023, arXiv:2202.00666).

    Draws among the tokens whose negative log-probability is nearest to the entropy, as many as
    first sum to p.

    Args:
        p: The probability kept, above 0 and at most 1; ties with the last token kept are kept too.
            Defaults to 0.9.
        temperature: As for `TemperatureSampler`. Defaults to 1.

    Raises:
        InputError: If `p` is not above 0 and at most 1, or the temperature is wrong.

    Example:
        >>> logits = ops.log(ops.array([[0.6, 0.3, 0.1]]))  # 0.51, 1.20, 2.30 nats; entropy 0.90
        >>> int(TypicalSampler(p=0.2)(logits, ops.array([0.01]))[0])
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
        nats = -ops.log(ops.maximum(probabilities, 1e-30))
        entropy = ops.sum(probabilities * nats, axis=-1, keepdims=True)
        distance = ops.abs(nats - entropy)  # (B, V)
        nearest = ops.argsort(distance, axis=-1)
        sorted_probabilities = ops.take_along_axis(probabilities, nearest, axis=-1)
        before = ops.cumsum(sorted_probabilities, axis=-1) - sorted_probabilities
        kept = before < (self.p if p is None else p)
        distances = ops.take_along_axis(distance, nearest, axis=-1)
        largest = ops.max(ops.where(kept, distances, 0.0), axis=-1, keepdims=True)
        return ops.where(distance <= largest, probabilities, 0.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal sampler."""
        return {"p": self.p, **super().get_config()}
