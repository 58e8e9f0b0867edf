"""The encoder: reads a source sequence forwards and, if wanted, backwards."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import unknown_name
from rnnzoo.layers.stack import recurrent_layer
from rnnzoo.typing import Shape, Tensor

MERGE_MODES = ("concat", "sum", "mul")


@keras.saving.register_keras_serializable("rnnzoo")
class Encoder(keras.layers.Layer):
    """Embeds a source and runs recurrent layers over it, in one or both directions.

    Args:
        vocabulary_size: Number of source tokens; id 0 is padding.
        units: Size of the recurrent state of each direction.
        num_layers: Number of layers.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        embedding_dim: Length of a token's embedding.
        merge_mode: How the two directions are merged, `"concat"`, `"sum"` or `"mul"`; `None` reads
            forwards only.
        dropout: Rate of the dropout on the embeddings and on each layer's output.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        embeddings_initializer: How the embeddings start, as for `keras.layers.Embedding`.
        **kwargs: What every `keras.layers.Layer` takes.

    Call arguments:
        source: Token ids, int32 `(batch, source_length)`, right-padded with 0; no row may be empty.
        training: Whether dropout is on.

    Returns:
        The outputs `(batch, source_length, output_dim)`; the state handed to a decoder of equal
        `units`, `num_layers` and `cell`, a flat list of `(batch, units)` tensors; the boolean mask
        `(batch, source_length)`. Two directions are merged into one state by a dense tanh layer
        each (Bahdanau et al. 2015, appendix A.2.2, which uses the backward state alone).

    Example:
        >>> import numpy as np
        >>> encoder = Encoder(20, units=8, merge_mode="concat")
        >>> values, state, mask = encoder(np.ones((2, 5), "int32"))
        >>> values.shape == (2, 5, 16) and len(state) == 1
        True
    """

    def __init__(
        self,
        vocabulary_size: int,
        units: int,
        num_layers: int = 1,
        cell: str = "gru",
        embedding_dim: int | None = None,
        merge_mode: str | None = "concat",
        dropout: float = 0.0,
        locked_dropout: bool = False,
        embeddings_initializer: str | keras.Initializer = "uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if merge_mode is not None and merge_mode not in MERGE_MODES:
            raise unknown_name("merge mode", merge_mode, MERGE_MODES)
        self.config = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "num_layers": num_layers,
            "cell": cell,
            "embedding_dim": embedding_dim or units,
            "merge_mode": merge_mode,
            "dropout": dropout,
            "locked_dropout": locked_dropout,
        }
        dtype = self.dtype_policy
        self.units, self.merge_mode = units, merge_mode
        self.embedding_dim = embedding_dim or units
        self.output_dim = 2 * units if merge_mode == "concat" else units
        self.embedding = keras.layers.Embedding(
            vocabulary_size, self.embedding_dim, embeddings_initializer, dtype=dtype,
            name="embedding",
        )  # fmt: skip
        shape = (None, 1, None) if locked_dropout else None  # of what is drawn for (B, S, units)
        self.dropout = keras.layers.Dropout(dropout, shape, dtype=dtype, name="dropout")
        self.layers = []
        # Bidirectional clones a layer by serialising it, and while a model is loaded Keras knows
        # what it has serialised by `id`. A layer that dies may leave its `id` to another, which is
        # then taken for it: those cloned live as long as the encoder, out of Keras's sight.
        cloned = self.__dict__["cloned"] = []
        for index in range(num_layers):
            layer = recurrent_layer(cell, units, dtype=dtype, name=f"{cell}_{index}")
            if merge_mode is not None:
                cloned.append(layer)
                layer = keras.layers.Bidirectional(
                    layer, merge_mode=merge_mode, dtype=dtype, name=f"bidirectional_{index}"
                )
            self.layers.append(layer)
        self.num_states = 2 if cell == "lstm" else 1
        self.bridges = []
        if merge_mode is not None:
            self.bridges = [
                keras.layers.Dense(units, activation="tanh", dtype=dtype, name=f"bridge_{index}")
                for index in range(num_layers * self.num_states)
            ]

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        self.embedding.build(input_shape)
        shape = (*input_shape, self.embedding_dim)
        for layer in self.layers:
            layer.build(shape)
            shape = (*input_shape, self.output_dim)
        for bridge in self.bridges:
            bridge.build((None, 2 * self.units))

    def call(self, source: Tensor, training: bool = False) -> tuple[Tensor, list[Tensor], Tensor]:
        """Reads the source; see the class."""
        mask = ops.not_equal(source, 0)  # (B, S)
        hidden = self.dropout(self.embedding(source), training=training)  # (B, S, E)
        state = []
        for layer in self.layers:
            hidden, *final = layer(hidden, mask=mask, training=training)
            hidden = self.dropout(hidden, training=training)  # (B, S, output_dim)
            state += self._hand_over(final, bridges=self.bridges[len(state) :])
        return hidden, state, mask

    def _hand_over(self, final, bridges):
        """One state for the decoder's layer out of the final states of one or two directions."""
        if self.merge_mode is None:
            return final
        forwards, backwards = final[: self.num_states], final[self.num_states :]
        return [
            bridge(ops.concatenate([ahead, back], axis=-1))  # (B, units)
            for bridge, ahead, back in zip(bridges, forwards, backwards, strict=False)
        ]

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the encoder."""
        initializer = keras.initializers.serialize(self.embedding.embeddings_initializer)
        return {**super().get_config(), **self.config, "embeddings_initializer": initializer}
