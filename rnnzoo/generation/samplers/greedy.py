"""The likeliest token."""

import keras
from keras import ops

from rnnzoo.generation.samplers.base import Sampler
from rnnzoo.typing import Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class GreedySampler(Sampler):
    """Always the likeliest token; the uniform numbers go unused.

    Example:
        >>> int(GreedySampler()(ops.array([[0.0, 2.0, 1.0]]), ops.array([0.9]))[0])
        1
    """

    def __call__(self, logits: Tensor, uniform: Tensor | None = None) -> Tensor:  # noqa: D102 (Sampler says it)
        return ops.cast(ops.argmax(logits, axis=-1), "int32")
