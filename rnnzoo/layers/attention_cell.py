"""Attention inside a recurrent cell: each step looks back at the cell's own last outputs."""

from typing import Any, Self

import keras
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.typing import Shape, Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class AttentionCell(keras.layers.Layer):
    """Wraps a recurrent cell so that each step attends over its own last outputs.

    The cell of TensorFlow 1's `AttentionCellWrapper`, for `keras.layers.RNN`. With input `x_t`,
    what was found the step before `a_{t-1}`, and the last `attention_length` outputs
    `o_{t-L} ... o_{t-1}`:

        x'_t     = [x_t; a_{t-1}] W_x + b_x
        y_t, s_t = cell(x'_t, s_{t-1})
        score_i  = v . tanh(o_i W_k + [s_t] W_q + b_q)         i = t-L ... t-1
        a_t      = sum_i softmax(score)_i o_i
        o_t      = [y_t; a_t] W_o + b_o

    `[s_t]` is the whole state of the cell, side by side. Before the first step all is zero, and the
    outputs that were never made are attended to like others, as in TensorFlow. The state is a flat
    list: the cell's own, `a_t`, and the last outputs `(batch, attention_length * attention_size)`,
    the oldest first.

    Args:
        cell: A Keras cell such as `keras.layers.LSTMCell`, or `StackedRNNCells`; without dropout,
            whose mask would be made inside the loop.
        attention_length: L, how many outputs to look back at (`attn_length` in TensorFlow).
        attention_size: Size of an output (`attn_size`); the size of the cell's when left out.
        attention_units: Size of the space in which state and outputs are compared
            (`attn_vec_size`); `attention_size` when left out.
        input_size: Size of the cell's input `x'` (`input_size`); that of `x` when left out.
        **kwargs: What every `keras.layers.Layer` takes.

    Call arguments:
        inputs: Float tensor `(batch, features)`, one step.
        states: The flat list of tensors.

    Returns:
        The output `(batch, attention_size)` and the new state.

    Raises:
        InputError: If a size is not positive, or the cell has dropout.

    Example:
        >>> cell = AttentionCell(keras.layers.LSTMCell(8), attention_length=3)
        >>> layer = keras.layers.RNN(cell, return_sequences=True)
        >>> tuple(layer(ops.ones((2, 5, 4))).shape)
        (2, 5, 8)

    Reference:
        The documentation of `tf.contrib.rnn.AttentionCellWrapper`, TensorFlow 1.15, which names
        Cheng, Dong and Lapata, "Long Short-Term Memory-Networks for Machine Reading",
        arXiv:1601.06733.
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        *,
        attention_length: int,
        attention_size: int | None = None,
        attention_units: int | None = None,
        input_size: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_positive(
            attention_length=attention_length, attention_size=attention_size,
            attention_units=attention_units, input_size=input_size,
        )  # fmt: skip
        for part in getattr(cell, "cells", [cell]):
            if getattr(part, "dropout", 0) or getattr(part, "recurrent_dropout", 0):
                raise InputError(
                    f"The cell {part.name!r} must have no dropout inside an AttentionCell; put a "
                    "Dropout layer behind the recurrent layer."
                )
        self.cell = cell
        self.cell_sizes = tuple(keras.tree.flatten(cell.state_size))
        self.cell_output = getattr(cell, "output_size", None) or self.cell_sizes[0]
        self.attention_length = attention_length
        self.attention_size = attention_size or self.cell_output
        self.attention_units = attention_units or self.attention_size
        self.input_size = input_size
        self.output_size = self.attention_size

    @property
    def state_size(self) -> list[int]:
        """The size of each tensor of the state, in order."""
        size = self.attention_size
        return [*self.cell_sizes, size, self.attention_length * size]

    def build(self, input_shape: Shape) -> None:
        """Creates the weights, the cell's too."""
        features, size, units = input_shape[-1], self.attention_size, self.attention_units
        cell_input = self.input_size or features
        if not self.cell.built:
            self.cell.build((input_shape[0], cell_input))
            self.cell.built = True

        def linear(name, inputs, outputs):
            kernel = self.add_weight((inputs, outputs), "glorot_uniform", name=f"{name}_kernel")
            return kernel, self.add_weight((outputs,), "zeros", name=f"{name}_bias")

        self.input_kernel, self.input_bias = linear("input", features + size, cell_input)
        self.query_kernel, self.query_bias = linear("query", sum(self.cell_sizes), units)
        self.key_kernel = self.add_weight((size, units), "glorot_uniform", name="key_kernel")
        self.score_vector = self.add_weight((units,), "glorot_uniform", name="score_vector")
        self.output_kernel, self.output_bias = linear("output", self.cell_output + size, size)

    def call(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Runs one step; see the class."""
        *state, attended, last_outputs = states  # (B, A), (B, L * A)
        seen = ops.concatenate([inputs, attended], axis=-1)
        seen = ops.matmul(seen, self.input_kernel) + self.input_bias
        output, state = self.cell(seen, keras.tree.pack_sequence_as(self.cell.state_size, state))
        state = keras.tree.flatten(state)

        past = ops.reshape(last_outputs, (-1, self.attention_length, self.attention_size))
        query = ops.concatenate(state, axis=-1)
        query = ops.matmul(query, self.query_kernel) + self.query_bias  # (B, U)
        energies = ops.tanh(ops.matmul(past, self.key_kernel) + ops.expand_dims(query, 1))
        scores = ops.matmul(energies, ops.expand_dims(self.score_vector, -1))  # (B, L, 1)
        weights = ops.softmax(ops.cast(scores, "float32"), axis=1)
        attended = ops.sum(ops.cast(weights, past.dtype) * past, axis=1)  # (B, A)

        output = ops.concatenate([output, attended], axis=-1)
        output = ops.matmul(output, self.output_kernel) + self.output_bias  # (B, A)
        last_outputs = ops.concatenate(
            [last_outputs[:, self.attention_size :], output], axis=-1
        )  # without the oldest
        return output, [*state, attended, last_outputs]

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the cell."""
        names = ("attention_length", "attention_size", "attention_units", "input_size")
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            **{name: getattr(self, name) for name in names},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Remakes a cell from its configuration."""
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return super().from_config({**config, "cell": cell})
