"""The long short-term memory with layer normalization."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.typing import Shape, Tensor

# Arguments of Keras's cell, of which this one has the defaults alone.
FIXED = {
    "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True,
    "dropout": 0, "recurrent_dropout": 0,
}  # fmt: skip


@register_cell("layer_norm_lstm")
@keras.saving.register_keras_serializable("rnnzoo")
class LayerNormLSTMCell(keras.layers.LSTMCell):
    """An LSTM whose products and cell state are normalized over their units.

        i, f, g, o = norm(x W) + norm(h U) + b
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(norm(c))

    Each norm has its own gain, and that of c a bias; those of the products share b.

    Args:
        units: Size of the state and of the output.
        **kwargs: What `keras.layers.LSTMCell` takes, but for the arguments in `FIXED`, which stay
            as they are.

    Raises:
        InputError: If one of these is another.

    Example:
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, num_layers=1, cell="layer_norm_lstm").recurrent.state_shapes
        [(8,), (8,)]

    Reference:
        Ba, Kiros and Hinton, "Layer Normalization", arXiv:1607.06450, 2016 (appendix, equations
        20 to 22).
    """

    state_names = ("h", "c")

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(units, **kwargs)
        config = self.get_config()
        for name, value in FIXED.items():
            if config[name] != value:
                raise InputError(
                    f"`{name}` of the cell 'layer_norm_lstm' is {value!r} and cannot be "
                    f"{config[name]!r}; leave it out, or take the cell 'lstm'."
                )

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        super().build(input_shape)
        options = {"dtype": self.dtype_policy}
        shapes = {"input_norm": 4 * self.units, "recurrent_norm": 4 * self.units}
        for name, size in {**shapes, "state_norm": self.units}.items():
            norm = keras.layers.LayerNormalization(
                epsilon=1e-5, center=name == "state_norm", name=name, **options
            )
            norm.build((None, size))
            setattr(self, name, norm)

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Runs one step: inputs `(batch, features)` to an output `(batch, units)` and the state."""
        _, c = states
        i, f, o, g = self.gates(inputs, states).values()
        c = f * c + i * g
        h = o * ops.tanh(self.state_norm(c))
        return h, [h, c]

    def gates(self, inputs: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        """Computes the gates i, f, o and the candidate g of one step; see `register_cell`."""
        sums = self.input_norm(ops.matmul(inputs, self.kernel))
        sums = sums + self.recurrent_norm(ops.matmul(states[0], self.recurrent_kernel))
        sums = ops.add(sums, self.bias)  # in mixed precision the bias is float32 outside of `call`
        i, f, g, o = ops.split(sums, 4, axis=-1)  # (B, units) each
        return {"i": ops.sigmoid(i), "f": ops.sigmoid(f), "o": ops.sigmoid(o), "g": ops.tanh(g)}
