"""The Elman network: layer, cell and equations."""

import keras

from rnnzoo.layers.cells.fast_loop import FastLoop
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.kernels import cell_math as math
from rnnzoo.layers.kernels.cell_math import Gradients
from rnnzoo.typing import Tensor


class SimpleRNNEquations:
    """One step of the Elman network with tanh; see `lstm.LSTMEquations`."""

    gates = 1
    saved = 1
    acts_on_recurrent = False

    @staticmethod
    def forward(
        inputs: list[Tensor], recurrent: list[Tensor], state: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Takes the step; see `lstm.LSTMEquations`."""
        h = math.tanh(inputs[0] + recurrent[0])
        return (h,), (h,)

    @staticmethod
    def backward(d_state: list[Tensor], saved: list[Tensor]) -> Gradients:
        """Takes the gradient one step back; see `lstm.LSTMEquations`."""
        d_gate = (math.d_tanh(saved[0], d_state[0]),)
        return d_gate, d_gate, (None,)


@register_cell("simple_rnn")
@keras.saving.register_keras_serializable("rnnzoo")
class SimpleRNN(FastLoop, keras.layers.SimpleRNN):
    """Elman network layer (Elman 1990), fast on a CPU too.

    The arguments are those of `keras.layers.SimpleRNN`, and `weight_drop`.

    Example:
        >>> outputs = SimpleRNN(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    cell_class = keras.layers.SimpleRNNCell
    equations = SimpleRNNEquations
    state_names = ("h",)
