"""The decoder: writes a target sequence while attending over the source."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rnnzoo.errors import unknown_name
from rnnzoo.layers.attention import BahdanauAttention
from rnnzoo.layers.blocks import make_block
from rnnzoo.layers.cells.cell_loop import cast_state, run_cell
from rnnzoo.layers.cells.registry import bare_cell, find_cell, output_size, state_shapes
from rnnzoo.layers.heads import TiedHead, embedding_matrix, head_logits
from rnnzoo.layers.kernels.attending import choose_attending_kernel
from rnnzoo.layers.kernels.choose import Kernel
from rnnzoo.layers.quantization import dequantized
from rnnzoo.layers.replaced import ReplaceableLayers
from rnnzoo.layers.stack import RecurrentStack
from rnnzoo.typing import Shape, Tensor

ATTENTION_POSITIONS = ("before_cell", "after_cell")


@keras.saving.register_keras_serializable("rnnzoo")
class Decoder(ReplaceableLayers, keras.layers.Layer):
    """Recurrent layers that write a target, with additive attention before or after the first cell.

    With `attention_position="before_cell"` the first state of the first cell asks, and the context
    goes into that cell together with the token (Bahdanau et al. 2015): one step needs the one
    before, so training loops. With `"after_cell"` the recurrent layers run over the whole target
    first and their outputs ask, which needs no loop of ours.

    Either way the logits come from what the top layer says, the context and the token's embedding,
    through one tanh layer (the paper's deep output, with tanh for maxout).

    Args:
        vocabulary_size: Number of target tokens; id 0 is padding.
        units: Size of the recurrent state and of the attention's space.
        num_layers: Number of recurrent layers.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a token's embedding.
        attention_position: `"before_cell"`, `"after_cell"`, or `None` for no attention.
        dropout: Rate of the dropout on the embeddings and on each layer's output; in residual
            blocks, behind each norm.
        tie_embedding_weights: Whether the output scores tokens by their embeddings.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        embedding: A `keras.layers.Embedding` to share with the encoder, of `vocabulary_size` and
            `embedding_dim`; one of its own when left out. It is no part of the configuration.
        block: `"plain"` or `"residual"`, as for `rnnzoo.layers.RecurrentStack`.
        expansion: Inner width of a residual block's feed-forward layer, in `units`.
        **kwargs: What every `keras.layers.Layer` takes.

    Call arguments:
        target: Token ids, int32 `(batch, target_length)`, beginning with the start token.
        state: Initial state, a flat list of `(batch, *shape)` tensors.
        memory: What `read` made of the encoder's outputs.
        training: Whether dropout is on.

    Returns:
        Logits `(batch, target_length, vocabulary_size)`.
    """

    exporting = False  # set in a copy that is made for export

    def __init__(
        self,
        vocabulary_size: int,
        *,
        units: int,
        num_layers: int = 1,
        cell: str = "gru",
        embedding_dim: int | None = None,
        attention_position: str | None = "before_cell",
        dropout: float = 0.0,
        tie_embedding_weights: bool = False,
        locked_dropout: bool = False,
        embedding: keras.layers.Embedding | None = None,
        block: str = "plain",
        expansion: float = 1.5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if attention_position is not None and attention_position not in ATTENTION_POSITIONS:
            raise unknown_name("attention position", attention_position, ATTENTION_POSITIONS)
        self.config = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "num_layers": num_layers,
            "cell": cell,
            "embedding_dim": embedding_dim or units,
            "attention_position": attention_position,
            "dropout": dropout,
            "tie_embedding_weights": tie_embedding_weights,
            "locked_dropout": locked_dropout,
        }
        if block != "plain":
            self.config |= {"block": block, "expansion": expansion}
        dtype = self.dtype_policy
        self.units, self.attention_position, self.block = units, attention_position, block
        self.embedding_dim = embedding_dim or units
        self.embedding = embedding or keras.layers.Embedding(
            vocabulary_size, self.embedding_dim, dtype=dtype, name="embedding"
        )
        shape = (None, 1, None) if locked_dropout else None  # of what is drawn for (B, T, units)
        self.dropout = keras.layers.Dropout(dropout, shape, dtype=dtype, name="dropout")
        self.attention = self.attending_cell = self.attending_block = self.recurrent = None
        around = {"locked_dropout": locked_dropout, "expansion": expansion}
        if attention_position is not None:
            self.attention = BahdanauAttention(units, dtype=dtype, name="attention")
        stacked = num_layers
        if attention_position == "before_cell":
            self.equations = getattr(find_cell(cell), "equations", None)
            self.attending_cell = bare_cell(cell, units, dtype=dtype, name="attending_cell")
            if self.loop_kernel().kernel is not None:
                self.supports_jit = False  # as for the CPU loop: XLA is for the generic loop
            stacked -= 1
            self.attending_block = make_block(
                block, dropout, last=not stacked, dtype=dtype, name="attending_block", **around
            )
        if stacked:
            self.recurrent = RecurrentStack(
                units, num_layers=stacked, cell=cell, dropout=dropout, block=block, dtype=dtype,
                name="recurrent", **around,
            )  # fmt: skip
        self.readout = keras.layers.Dense(
            self.embedding_dim, activation="tanh", dtype=dtype, name="readout"
        )
        self.tie_embedding_weights = tie_embedding_weights
        if tie_embedding_weights:
            self.head = TiedHead(
                vocabulary_size, embedding_dim=self.embedding_dim, dtype=dtype, name="head"
            )
        else:
            self.head = keras.layers.Dense(vocabulary_size, dtype=dtype, name="head")

    def build(
        self,
        target_shape: Shape,
        state_shape: Sequence[Shape] | None = None,
        memory_shape: Sequence[Shape] | None = None,
    ) -> None:
        """Creates the weights for the shapes of a target and of the memory that `read` makes."""
        memory_dim = memory_shape[0][-1]
        if not self.embedding.built:
            self.embedding.build(target_shape)
        inputs, query = self.embedding_dim, self.units
        if self.attending_cell is not None:
            query = self._build_attending(inputs, memory_dim)
            inputs = output_size(self.attending_cell)
        if self.recurrent is not None:
            self.recurrent.build((None, None, inputs))
            inputs = self.recurrent.output_size
            if self.attending_cell is None:
                query = inputs
        features = inputs + self.embedding_dim
        if self.attention is not None and not self.attention.built:
            self.attention.build((None, None, query), (None, None, memory_dim))
        if self.attention is not None:
            features += memory_dim
        self.readout.build((None, None, features))
        self.head.build((None, None, self.embedding_dim))

    def _build_attending(self, inputs, memory_dim):
        """Creates the weights of attention and cell; returns the size of what asks."""
        query = math.prod(state_shapes(self.attending_cell)[0])
        self.attention.build((None, None, query), (None, None, memory_dim))
        self.attention.built = True
        self.attending_block.build((None, None, inputs), output_size(self.attending_cell))
        self.attending_cell.build((None, self.attending_block.read_size + memory_dim))
        self.attending_cell.built = True
        return query

    def read(self, values: Tensor, mask: Tensor) -> list[Tensor]:
        """Makes the memory `[values, keys, mask]` that every step looks back at."""
        keys = values if self.attention is None else self.attention.project(values)
        return [values, keys, mask]

    def call(
        self, target: Tensor, state: list[Tensor], memory: list[Tensor], training: bool = False
    ) -> Tensor:
        """Returns the logits of whole sequences; see the class."""
        return self.logits(self.features(target, state, memory, training=training))

    def logits(self, readout: Tensor) -> Tensor:
        """Computes the logits of what `features` returns, `(..., vocabulary_size)`."""
        if isinstance(self.head, TiedHead):
            return self.head(readout, self.embeddings())
        return head_logits(self.head, readout)

    def part_sizes(self) -> dict[str, tuple[int, int]]:
        """The sizes of the inputs and outputs of the layers that may be replaced."""
        size = self.config["vocabulary_size"]
        return {
            "embedding": (size, self.embedding_dim),
            "head": (self.embedding_dim, size),
        }

    def embeddings(self) -> Tensor:
        """Computes the matrix of the embedding layer, `(vocabulary_size, embedding_dim)`."""
        return embedding_matrix(self.embedding, self.config["vocabulary_size"])

    def read_out(self, *args: Any, **kwargs: Any) -> Tensor:
        """Returns what `features` does, of which it is the old name."""
        warnings.warn("`read_out` is called `features` now.", DeprecationWarning, stacklevel=2)
        return self.features(*args, **kwargs)

    def features(
        self, target: Tensor, state: list[Tensor], memory: list[Tensor], training: bool = False
    ) -> Tensor:
        """The vectors of which `head` makes the logits, `(batch, target_length, embedding_dim)`."""
        values, keys, mask = memory
        embedded = self.embedding(target)  # (B, T, E)
        if self.block == "plain":  # a residual block begins with a norm, and drops behind that
            embedded = self.dropout(embedded, training=training)
        hidden, context = embedded, None
        if self.attending_cell is not None:
            own = self._num_cell_states()
            hidden, context = self._attend_and_run(embedded, state[:own], memory, training=training)
            state = state[own:]
        if self.recurrent is not None:
            hidden, _ = self.recurrent(hidden, initial_state=state, training=training)
        if self.attention_position == "after_cell":
            context, _ = self.attention(hidden, values, keys=keys, mask=mask)  # (B, T, V)
        return self._deep_output(hidden, context, embedded, training=training)

    def loop_kernel(self) -> Kernel:
        """The kernel of the loop over attention and cell, which `rnnzoo.kernels` reports."""
        if self.attention.query_projection.quantization_mode:
            return Kernel(
                "cell", "the attention is quantized, and the hand-written loop reads floats"
            )
        return choose_attending_kernel(self.attending_cell, self.equations, self.exporting)

    def _attend_and_run(self, embedded, state, memory, training):
        """The loop of the paper: ask with the last state, feed what was found to the cell."""
        values, keys, mask = memory
        if not self.attending_cell.built:  # the fast loop calls neither of the two layers
            self._build_attending(embedded.shape[-1], values.shape[-1])
        stream, read = self.attending_block.enter(embedded, training=training)
        kernel = self.loop_kernel().kernel
        if kernel is not None:
            hidden, context = kernel.run(
                self.equations, self.attending_cell, self.attention,
                tokens=read, state=state, values=values, keys=keys, mask=mask,
            )  # fmt: skip
        else:
            hidden, context = self._scan(read, state, memory)
        return self.attending_block.leave(stream, hidden, training=training), context

    def _scan(self, embedded, state, memory):
        """The loop in Keras's operations, for every cell and backend."""
        values, keys, mask = memory
        nothing = ops.zeros((ops.shape(embedded)[0], output_size(self.attending_cell)))
        state = cast_state(self.attending_cell, state)
        start = [*state, ops.cast(nothing, self.compute_dtype), ops.zeros_like(values[:, 0])]

        def one_step(carry, token):
            *state, _, _ = carry
            context, _ = self.attention(self._query(state), values, keys=keys, mask=mask)
            inputs = ops.concatenate([token, context], axis=-1)
            output, new = run_cell(self.attending_cell, inputs, state)
            new = [ops.cast(n, s.dtype) for n, s in zip(new, state, strict=True)]
            carry = [*new, output, context]
            return carry, carry  # Keras on TensorFlow wants what is stacked to be like the carry

        tokens = ops.transpose(embedded, (1, 0, 2))  # (T, B, E)
        with dequantized(self.attending_cell):
            _, (*_, hidden, context) = ops.scan(one_step, start, tokens)
        hidden = ops.transpose(hidden, (1, 0, 2))  # (B, T, units)
        context = ops.transpose(context, (1, 0, 2))  # (B, T, V)
        return hidden, context

    def step(
        self, tokens: Tensor, state: list[Tensor], memory: list[Tensor]
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Reads one token per row: logits of the next, new state, attention weights."""
        values, keys, mask = memory
        embedded = self.embedding(tokens)  # (B, E)
        hidden, context, new_state = embedded, None, []
        weights = ops.zeros(ops.shape(mask), "float32")  # (B, S)
        state = list(state)
        if self.attending_cell is not None:
            own = self._num_cell_states()
            context, weights = self.attention(self._query(state), values, keys=keys, mask=mask)
            stream, read = self.attending_block.enter(embedded)
            inputs = ops.concatenate([read, context], axis=-1)
            hidden, new_state = run_cell(self.attending_cell, inputs, state[:own])
            hidden = self.attending_block.leave(stream, hidden)
            state = state[own:]
        if self.recurrent is not None:
            hidden, upper_state = self.recurrent.step(hidden, state)
            new_state += upper_state
        if self.attention_position == "after_cell":
            context, weights = self.attention(hidden, values, keys=keys, mask=mask)
        logits = self.logits(self._deep_output(hidden, context, embedded, training=False))
        return logits, new_state, weights

    def _num_cell_states(self):
        return len(state_shapes(self.attending_cell))

    def _query(self, state):
        """What asks, `(batch, query)`: the first state, flat."""
        return ops.reshape(state[0], (-1, math.prod(state_shapes(self.attending_cell)[0])))

    def _deep_output(self, hidden, context, embedded, training):
        features = [hidden, embedded] if context is None else [hidden, context, embedded]
        readout = self.readout(ops.concatenate(features, axis=-1))
        return self.dropout(readout, training=training)

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the decoder."""
        return {**super().get_config(), **self.config}
