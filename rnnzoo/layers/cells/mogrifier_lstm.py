"""The Mogrifier LSTM."""

import keras
from keras import ops

from rnnzoo.layers.cells.lstm import LSTM
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.typing import Shape, Tensor

ROUNDS = 5


@register_cell("mogrifier_lstm")
@keras.saving.register_keras_serializable("rnnzoo")
class MogrifierLSTMCell(keras.layers.LSTMCell):
    """An LSTM whose input and last output scale each other, in five turns, before each step.

        x = 2 sigmoid(h Q_i) * x        in turns 1, 3 and 5
        h = 2 sigmoid(x R_i) * h        in turns 2 and 4
        h, c = LSTM(x, (h, c))

    Args:
        units: Size of the state and of the output.
        **kwargs: What `keras.layers.LSTMCell` takes.

    Example:
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, num_layers=1, cell="mogrifier_lstm").recurrent.state_shapes
        [(8,), (8,)]

    Reference:
        Melis, Kočiský and Blunsom, "Mogrifier LSTM", ICLR 2020, arXiv:1909.01792.
    """

    state_names = ("h", "c")

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        super().build(input_shape)
        shapes = (self.units, input_shape[-1]), (input_shape[-1], self.units)
        self.turns = [
            self.add_weight(shapes[index % 2], "glorot_uniform", name=f"turn_{index}")
            for index in range(ROUNDS)
        ]

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        """Runs one step: inputs `(batch, features)` to an output `(batch, units)` and the state."""
        return super().call(*self._scaled(inputs, states), training=training)

    def gates(self, inputs: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        """Computes the LSTM's gates after all turns; see `register_cell`."""
        return LSTM.gates(self, *self._scaled(inputs, states))

    def _scaled(self, inputs, states):
        """Takes the turns; returns what the LSTM reads: x and its state."""
        x, (h, c) = inputs, states
        for index, turn in enumerate(self.turns):
            if index % 2 == 0:
                x = 2 * ops.sigmoid(ops.matmul(h, turn)) * x
            else:
                h = 2 * ops.sigmoid(ops.matmul(x, turn)) * h
        return x, [h, c]
