"""Dropout of whole words."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import check_fraction
from rnnzoo.typing import Shape, Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class EmbeddingDropout(keras.layers.Layer):
    """Drops words: all places where a word stands in a batch lose its embedding together.

    Args:
        vocabulary_size: Number of tokens.
        rate: Share of the vocabulary that a training batch goes without; the others are scaled up.
        seed: Of the draws.
        **kwargs: What every `keras.layers.Layer` takes.

    Call arguments:
        inputs: Embeddings, `(batch, time, embedding_dim)`.
        tokens: The ids they belong to, int32 `(batch, time)`.
        training: Whether words are dropped.

    Returns:
        The embeddings, zero where the word is dropped.

    Example:
        >>> import numpy as np
        >>> drop = EmbeddingDropout(vocabulary_size=10, rate=0.5, seed=0)
        >>> drop(np.ones((2, 3, 4), "float32"), np.ones((2, 3), "int32"), training=True).shape[-1]
        4

    Reference:
        Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural
        Networks", NIPS 2016; Merity et al., arXiv:1708.02182.
    """

    def __init__(
        self, vocabulary_size: int, *, rate: float, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        check_fraction(rate=rate)
        self.vocabulary_size, self.rate, self.seed = vocabulary_size, float(rate), seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: Tensor, tokens: Tensor, training: bool = False) -> Tensor:
        """Returns the thinned embeddings; see the class."""
        if not (training and self.rate):
            return inputs
        ones = ops.ones((self.vocabulary_size,), inputs.dtype)
        kept = keras.random.dropout(ones, self.rate, seed=self.seed_generator)  # (V,)
        return inputs * ops.expand_dims(ops.take(kept, tokens), -1)

    def compute_output_shape(self, inputs_shape: Shape, tokens_shape: Shape | None = None) -> Shape:
        """The shape of the inputs."""
        return inputs_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the layer."""
        own = {"vocabulary_size": self.vocabulary_size, "rate": self.rate, "seed": self.seed}
        return {**super().get_config(), **own}
