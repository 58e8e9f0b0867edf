"""The last layer of a language model: from a hidden vector to one logit per token."""

from typing import Any

import keras
from keras import ops

from rnnzoo.typing import Shape, Tensor


def embedding_matrix(embedding: keras.layers.Layer, vocabulary_size: int) -> Tensor:
    """Computes the matrix that an embedding layer looks ids up in, whatever became of the layer.

    What a quantized layer stores are raw integers, and LoRA adds a product to what is stored. The
    matrix here is the one that the layer's own call uses, with its gradient.

    Args:
        embedding: A built `keras.layers.Embedding`, or any layer that turns ids into vectors.
        vocabulary_size: The number of ids.

    Returns:
        The vector of each id, float `(vocabulary_size, embedding_dim)`.

    Example:
        >>> layer = keras.layers.Embedding(10, 4)
        >>> layer.build()
        >>> layer.quantize("int8")
        >>> embedding_matrix(layer, 10).dtype == layer.embeddings.dtype
        False
    """
    plain = isinstance(embedding, keras.layers.Embedding) and embedding.quantization_mode is None
    if plain and _computes(embedding, keras.layers.Embedding):
        return embedding.embeddings  # with LoRA, where there is any
    return embedding(ops.arange(vocabulary_size, dtype="int32"))


def head_logits(head: keras.layers.Layer, hidden: Tensor) -> Tensor:
    """Calls an output layer on hidden vectors, `(batch, time, units)` or `(batch, units)`.

    A layer put in the place of the head was built for a time axis, and gets one.

    Args:
        head: A built layer.
        hidden: Hidden vectors.

    Returns:
        Logits, `(..., vocabulary_size)`.

    Example:
        >>> head = keras.Sequential([keras.Input((None, 2)), keras.layers.Dense(3)])
        >>> tuple(head_logits(head, ops.zeros((4, 2))).shape)
        (4, 3)
    """
    if len(hidden.shape) == 2 and not isinstance(head, keras.layers.Dense):
        return ops.squeeze(head(ops.expand_dims(hidden, 1)), 1)
    return head(hidden)


def softmax_weights(head: keras.layers.Layer) -> tuple[Tensor, Tensor] | None:
    """Returns the matrix and bias of an output layer that computes `inputs @ matrix + bias`.

    Args:
        head: A built layer.

    Returns:
        The matrix `(features, outputs)`, with LoRA where there is any, and the bias `(outputs,)`.
        `None` where the layer computes something else: a quantized layer rounds its inputs too,
        and a layer put in its place may do anything. Its outputs are then the one right way.

    Example:
        >>> layer = keras.layers.Dense(3)
        >>> layer.build((None, 2))
        >>> [tuple(each.shape) for each in softmax_weights(layer)]
        [(2, 3), (3,)]
    """
    plain = isinstance(head, keras.layers.Dense) and head.quantization_mode is None
    if not plain or not _computes(head, keras.layers.Dense):
        return None
    if head.bias is None or head.activation is not keras.activations.linear:
        return None
    return head.kernel, head.bias


def _computes(layer, kind):
    """Whether a layer of a subclass computes what `kind` does."""
    return type(layer).call is kind.call


@keras.saving.register_keras_serializable("rnnzoo")
class TiedHead(keras.layers.Layer):
    """Scores every token by the product of the hidden vector and that token's own embedding.

    Ties the output weights to the input embedding (Press and Wolf 2017), which saves
    `vocabulary_size x embedding_dim` parameters; only a bias per token is its own. The embedding
    matrix comes with each call, since it belongs to the embedding layer.

    Args:
        vocabulary_size: Number of tokens.
        embedding_dim: Length of a token's embedding. A hidden vector of another length is first
            projected to it.
        **kwargs: What every `keras.layers.Layer` takes.

    Call arguments:
        inputs: Hidden vectors, `(..., units)`.
        embeddings: The embedding matrix, `(vocabulary_size, embedding_dim)`.

    Returns:
        Logits, `(..., vocabulary_size)`.

    Example:
        >>> import numpy as np
        >>> head = TiedHead(vocabulary_size=10, embedding_dim=4)
        >>> logits = head(np.ones((2, 3, 6), "float32"), np.ones((10, 4), "float32"))
        >>> logits.shape == (2, 3, 10)
        True

    Reference:
        Press and Wolf, "Using the Output Embedding to Improve Language Models", EACL 2017.
    """

    def __init__(self, vocabulary_size: int, *, embedding_dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.projection = None

    def build(self, inputs_shape: Shape, embeddings_shape: Shape | None = None) -> None:
        """Creates the bias, and the projection where the lengths differ."""
        if inputs_shape[-1] != self.embedding_dim:
            self.projection = keras.layers.Dense(
                self.embedding_dim, name="projection", dtype=self.dtype_policy
            )
            self.projection.build(inputs_shape)
        self.bias = self.add_weight(shape=(self.vocabulary_size,), initializer="zeros", name="bias")

    def project(self, inputs: Tensor) -> Tensor:
        """Brings hidden vectors to the length of an embedding, `(..., embedding_dim)`."""
        return inputs if self.projection is None else self.projection(inputs)

    def call(self, inputs: Tensor, embeddings: Tensor) -> Tensor:
        """Returns the logits; see the class."""
        inputs = self.project(inputs)
        embeddings = ops.cast(embeddings, inputs.dtype)
        return ops.matmul(inputs, ops.transpose(embeddings)) + self.bias

    def compute_output_shape(
        self, inputs_shape: Shape, embeddings_shape: Shape | None = None
    ) -> Shape:
        """Shape of the logits."""
        return (*inputs_shape[:-1], self.vocabulary_size)

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the layer."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
        }
