"""Draws among the k likeliest tokens."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import check_positive
from rnnzoo.generation.samplers.temperature import TemperatureSampler
from rnnzoo.typing import Tensor

LARGEST_K = 2**31 - 1  # an int32


@keras.saving.register_keras_serializable("rnnzoo")
class TopKSampler(TemperatureSampler):
    """Draws among the k likeliest tokens (Fan et al. 2018, arXiv:1805.04833).

    Args:
        k: How many tokens may be drawn; ties with the k-th are kept, and a k above the size of
            the vocabulary keeps all. Defaults to 40.
        temperature: As for `TemperatureSampler`. Defaults to 1.

    Raises:
        InputError: If `k` is not a whole number from 1 to 2**31 - 1, or the temperature is wrong.

    Example:
        >>> int(TopKSampler(k=1)(ops.array([[0.0, 2.0, 1.0]]), ops.array([0.99]))[0])
        1
    """

    def __init__(self, k: int = 40, *, temperature: float = 1.0):
        super().__init__(temperature)
        check_positive(LARGEST_K, k=k)
        self.k = int(k)

    def probabilities(
        self, logits: Tensor, *, temperature: Tensor | None = None, k: Tensor | None = None
    ) -> Tensor:
        """Computes what is drawn from; see `TemperatureSampler`."""
        probabilities = super().probabilities(logits, temperature=temperature)
        size = logits.shape[-1]
        each = k is not None and len(k.shape) == 2  # a k for each row (B, 1)
        if k is not None:  # clipped first, lest a large one overflow
            k = ops.cast(ops.clip(k, 1, size), "int32")
        if each:
            rank = size - k
            least = ops.take_along_axis(ops.sort(probabilities, axis=-1), rank, axis=-1)  # (B, 1)
        elif k is None or keras.config.backend() == "tensorflow":  # which takes a tensor for k
            likeliest, _ = ops.top_k(probabilities, min(self.k, size) if k is None else k)
            least = likeliest[:, -1:]  # of (B, k), falling
        else:
            rank = ops.expand_dims(size - k, 0)
            least = ops.take(ops.sort(probabilities, axis=-1), rank, axis=-1)
        return ops.where(probabilities >= least, probabilities, 0.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments that make an equal sampler."""
        return {"k": self.k, **super().get_config()}
