"""Additive attention: where in the source a decoder looks at each step."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import check_positive
from rnnzoo.typing import Shape, Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class BahdanauAttention(keras.layers.Layer):
    """Attends with the additive score `v . tanh(W query + U value)` of Bahdanau et al. (2015).

    The projected values, here called keys, do not depend on the query. A decoder that asks many
    times therefore makes them once, with `project`, and hands them to every call.

    Args:
        units: Size of the space in which queries and values are compared (the paper's
            alignment model).
        **kwargs: What every `keras.layers.Layer` takes, such as `name` and `dtype`.

    Call arguments:
        query: Float tensor of shape `(batch, query_dim)` or `(batch, target_length, query_dim)`.
        values: Float tensor of shape `(batch, source_length, value_dim)`.
        keys: The projected values, from `project`; made here when they are not given.
        mask: Boolean tensor of shape `(batch, source_length)`, `True` at real positions. Each row
            needs at least one.

    Returns:
        The context, `(batch, value_dim)` or `(batch, target_length, value_dim)`, and the weights
        over the source in float32, `(batch, source_length)` or
        `(batch, target_length, source_length)`, which sum to one.

    Raises:
        InputError: If `units` is not a positive whole number.

    Example:
        >>> import numpy as np
        >>> attention = BahdanauAttention(8)
        >>> context, weights = attention(np.ones((2, 4), "float32"), np.ones((2, 5, 6), "float32"))
        >>> context.shape == (2, 6) and weights.shape == (2, 5)
        True

    Reference:
        Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and
        Translate", ICLR 2015 (arXiv:1409.0473), appendix A.1.2.
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        check_positive(units=units)
        self.supports_masking = True
        self.units = int(units)
        parts = {"dtype": self.dtype_policy, "use_bias": False}
        self.query_projection = keras.layers.Dense(units, name="query_projection", **parts)
        self.key_projection = keras.layers.Dense(units, name="key_projection", **parts)

    def build(
        self,
        query_shape: Shape,
        values_shape: Shape,
        keys_shape: Shape | None = None,
        mask_shape: Shape | None = None,
    ) -> None:
        """Creates the weights for the shapes of a query and of the values."""
        self.query_projection.build(query_shape)
        if not self.key_projection.built:  # `project` may have come first
            self.key_projection.build(values_shape)
        self.score_vector = self.add_weight(
            shape=(self.units,), initializer="glorot_uniform", name="score_vector"
        )

    def project(self, values: Tensor) -> Tensor:
        """Projects values `(batch, source_length, value_dim)` to keys, once for many queries."""
        return self.key_projection(values)  # (B, S, A)

    def call(
        self, query: Tensor, values: Tensor, keys: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Returns the context and the attention weights; see the class."""
        if keys is None:
            keys = self.project(values)
        single_query = len(query.shape) == 2
        if single_query:
            query = ops.expand_dims(query, 1)  # (B, 1, Q)
        projected_query = self.query_projection(query)  # (B, T, A)
        energies = ops.tanh(
            ops.expand_dims(projected_query, 2) + ops.expand_dims(keys, 1)
        )  # (B, T, S, A)
        scores = ops.matmul(energies, ops.expand_dims(self.score_vector, -1))  # (B, T, S, 1)
        scores = ops.cast(ops.squeeze(scores, -1), "float32")  # (B, T, S)
        if mask is not None:
            scores = ops.where(ops.expand_dims(mask, 1), scores, -1e9)
        weights = ops.softmax(scores, axis=-1)  # (B, T, S), float32 also in mixed precision
        context = ops.matmul(ops.cast(weights, values.dtype), values)  # (B, T, V)
        if single_query:
            context, weights = ops.squeeze(context, 1), ops.squeeze(weights, 1)
        return context, weights

    def compute_mask(self, query: Tensor, previous_mask: Tensor | None = None) -> None:
        """None: the mask is that of the values, and ends here."""

    def compute_output_shape(
        self,
        query_shape: Shape,
        values_shape: Shape,
        keys_shape: Shape | None = None,
        mask_shape: Shape | None = None,
    ) -> tuple[Shape, Shape]:
        """Shapes of the context and of the weights."""
        return (*query_shape[:-1], values_shape[-1]), (*query_shape[:-1], values_shape[1])

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the layer."""
        return {**super().get_config(), "units": self.units}
