"""The encoder: reads a source sequence forwards and, if wanted, backwards."""

import math
from typing import Any

import keras
from keras import ops

from rnnzoo.errors import unknown_name
from rnnzoo.layers.blocks import make_block
from rnnzoo.layers.cells.cell_loop import recurrent_layer
from rnnzoo.layers.cells.registry import state_shapes
from rnnzoo.layers.initial_state import InitialState
from rnnzoo.layers.replaced import ReplaceableLayers
from rnnzoo.typing import Shape, Tensor

MERGE_MODES = ("concat", "sum", "mul")


@keras.saving.register_keras_serializable("rnnzoo")
class Encoder(ReplaceableLayers, keras.layers.Layer):
    """Embeds a source and runs recurrent layers over it, in one or both directions.

    Args:
        vocabulary_size: Number of source tokens; id 0 is padding.
        units: Size of the recurrent state of each direction.
        num_layers: Number of layers.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a token's embedding.
        merge_mode: How the two directions are merged, `"concat"`, `"sum"` or `"mul"`; `None` reads
            forwards only.
        dropout: Rate of the dropout on the embeddings and on each layer's output; in residual
            blocks, behind each norm.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        embeddings_initializer: How the embeddings start, as for `keras.layers.Embedding`.
        trainable_initial_state: Whether the state before the first token is learnt, one for each
            layer and direction.
        block: `"plain"` or `"residual"`, as for `rnnzoo.layers.RecurrentStack`.
        expansion: Inner width of a residual block's feed-forward layer, in widths of the outputs.
        **kwargs: What every `keras.layers.Layer` takes.

    Call arguments:
        source: Token ids, int32 `(batch, source_length)`, right-padded with 0; no row may be empty.
        training: Whether dropout is on.

    Returns:
        The outputs `(batch, source_length, output_dim)`; the state handed to a decoder of equal
        `units`, `num_layers` and `cell`, a flat list of `(batch, *shape)` tensors; the boolean mask
        `(batch, source_length)`. Two directions are merged into one state by a dense tanh layer
        each (Bahdanau et al. 2015, appendix A.2.2, which uses the backward state alone).

    Example:
        >>> import numpy as np
        >>> encoder = Encoder(20, units=8, merge_mode="concat")
        >>> values, state, mask = encoder(np.ones((2, 5), "int32"))
        >>> values.shape == (2, 5, 16) and len(state) == 1
        True
    """

    gives_mask = True  # to its layers: that of the padding

    def __init__(
        self,
        vocabulary_size: int,
        *,
        units: int,
        num_layers: int = 1,
        cell: str = "gru",
        embedding_dim: int | None = None,
        merge_mode: str | None = "concat",
        dropout: float = 0.0,
        locked_dropout: bool = False,
        embeddings_initializer: str | keras.Initializer = "uniform",
        trainable_initial_state: bool = False,
        block: str = "plain",
        expansion: float = 1.5,
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
        if trainable_initial_state:
            self.config["trainable_initial_state"] = True
        if block != "plain":
            self.config |= {"block": block, "expansion": expansion}
        dtype = self.dtype_policy
        self.units, self.merge_mode, self.block = units, merge_mode, block
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.embedding_dim = embedding_dim or units
        self.embedding = keras.layers.Embedding(
            vocabulary_size, self.embedding_dim, embeddings_initializer, dtype=dtype,
            name="embedding",
        )  # fmt: skip
        shape = (None, 1, None) if locked_dropout else None  # of what is drawn for (B, S, units)
        self.dropout = keras.layers.Dropout(dropout, shape, dtype=dtype, name="dropout")
        self.blocks = [
            make_block(
                block, dropout, locked_dropout=locked_dropout, expansion=expansion,
                last=index + 1 == num_layers, dtype=dtype, name=f"block_{index}",
            )
            for index in range(num_layers)
        ]  # fmt: skip
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
        one = self.layers[0].forward_layer if merge_mode is not None else self.layers[0]
        self.state_shapes = state_shapes(one.cell)  # of one layer and direction
        size = one.compute_output_shape((None, 1, 1))[0][-1]
        self.output_dim = 2 * size if merge_mode == "concat" else size
        self.starts = []
        if trainable_initial_state:
            self.starts = [
                InitialState(dtype=dtype, name=f"initial_state_{index}")
                for index in range(num_layers)
            ]
        self.bridges = []
        if merge_mode is not None:
            sizes = [math.prod(shape) for shape in self.state_shapes] * num_layers
            self.bridges = [
                keras.layers.Dense(size, activation="tanh", dtype=dtype, name=f"bridge_{index}")
                for index, size in enumerate(sizes)
            ]

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        self.embedding.build(input_shape)
        shape = (*input_shape, self.embedding_dim)
        for layer, block in zip(self.layers, self.blocks, strict=True):
            block.build(shape, self.output_dim)
            layer.build((*input_shape, block.read_size))
            shape = (*input_shape, self.output_dim)
        for bridge in self.bridges:
            bridge.build((None, 2 * bridge.units))
        for start, layer in zip(self.starts, self.layers, strict=False):
            start.build_from(self._fixed_initial_state(layer))

    def _fixed_initial_state(self, layer):
        """The state of one row before the first token, of both directions if there are two."""
        if self.merge_mode is None:
            return layer.get_initial_state(batch_size=1)
        parts = (layer.forward_layer, layer.backward_layer)
        return [tensor for part in parts for tensor in part.get_initial_state(batch_size=1)]

    def part_sizes(self) -> dict[str, tuple[int, int]]:
        """The sizes of the inputs and outputs of the layer that may be replaced."""
        return {"embedding": (self.config["vocabulary_size"], self.embedding_dim)}

    def call(self, source: Tensor, training: bool = False) -> tuple[Tensor, list[Tensor], Tensor]:
        """Reads the source; see the class."""
        mask = ops.not_equal(source, 0)  # (B, S)
        hidden = self.embedding(source)  # (B, S, E)
        if self.block == "plain":  # a residual block begins with a norm, and drops behind that
            hidden = self.dropout(hidden, training=training)
        state = []
        for index, (layer, block) in enumerate(zip(self.layers, self.blocks, strict=True)):
            start = None
            if self.starts:
                start = self.starts[index].get_initial_state(ops.shape(source)[0])
            stream, read = block.enter(hidden, training=training)
            outputs, *final = layer(read, initial_state=start, mask=mask, training=training)
            hidden = block.leave(stream, outputs, training=training)  # (B, S, output_dim)
            state += self._bridge(final, bridges=self.bridges[len(state) :])
        return hidden, state, mask

    def _bridge(self, final, bridges):
        """One state for the decoder's layer out of the final states of one or two directions."""
        if self.merge_mode is None:
            return final
        states = len(self.state_shapes)
        merged = []
        for bridge, ahead, back, shape in zip(
            bridges, final[:states], final[states:], self.state_shapes, strict=False
        ):
            flat = [ops.reshape(state, (-1, bridge.units)) for state in (ahead, back)]
            merged.append(ops.reshape(bridge(ops.concatenate(flat, axis=-1)), (-1, *shape)))
        return merged

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the encoder."""
        initializer = keras.initializers.serialize(self.embeddings_initializer)
        return {**super().get_config(), **self.config, "embeddings_initializer": initializer}
