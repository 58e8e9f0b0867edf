"""The long short-term memory: layer, cell and equations."""

import keras
from keras import ops

from rnnzoo.layers.cells.fast_loop import CudnnLoop
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.kernels import cell_math as math
from rnnzoo.layers.kernels.cell_math import Gradients
from rnnzoo.typing import Tensor


class LSTMEquations:
    """One step of the LSTM (gates i, f, g, o), and its derivatives."""

    gates = 4
    saved = 6  # tensors that `backward` needs
    acts_on_recurrent = False  # whether the last gate multiplies its recurrent part

    @staticmethod
    def forward(
        inputs: list[Tensor], recurrent: list[Tensor], state: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Takes the step.

        Args:
            inputs: What the inputs give to each gate, G times (B, U).
            recurrent: What the previous h gives to each gate, G times (B, U).
            state: The state before the step, (B, U) each, h first.

        Returns:
            The state after the step, and the `saved` tensors that `backward` needs.
        """
        _, c = state
        i, f, g, o = (a + b for a, b in zip(inputs, recurrent, strict=True))
        i, f, g, o = math.sigmoid(i), math.sigmoid(f), math.tanh(g), math.sigmoid(o)
        c_next = f * c + i * g
        tanh_c = math.tanh(c_next)
        return (o * tanh_c, c_next), (i, f, g, o, c, tanh_c)

    @staticmethod
    def backward(d_state: list[Tensor], saved: list[Tensor]) -> Gradients:
        """Takes the gradient one step back.

        Args:
            d_state: Gradients of the state after the step.
            saved: What `forward` saved.

        Returns:
            The gradients of `inputs` and of `recurrent`, and what flows to the state before the
            step otherwise than through `recurrent` (`None`: nothing).
        """
        dh, dc = d_state
        i, f, g, o, c, tanh_c = saved
        dc += math.d_tanh(tanh_c, dh * o)
        d_gates = (
            math.d_sigmoid(i, dc * g),
            math.d_sigmoid(f, dc * c),
            math.d_tanh(g, dc * i),
            math.d_sigmoid(o, dh * tanh_c),
        )
        return d_gates, d_gates, (None, dc * f)


@register_cell("lstm")
@keras.saving.register_keras_serializable("rnnzoo")
class LSTM(CudnnLoop, keras.layers.LSTM):
    """Long short-term memory layer (Hochreiter and Schmidhuber 1997), fast on a CPU too.

    The arguments are those of `keras.layers.LSTM`, and `weight_drop`.

    Example:
        >>> outputs = LSTM(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    cell_class = keras.layers.LSTMCell
    equations = LSTMEquations
    state_names = ("h", "c")

    @staticmethod
    def gates(cell: keras.layers.Layer, inputs: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        """Computes the gates i, f, o and the candidate g of one step; see `register_cell`."""
        sums = ops.matmul(inputs, cell.kernel) + ops.matmul(states[0], cell.recurrent_kernel)
        sums = sums + cell.bias if cell.use_bias else sums  # (B, 4 * units)
        i, f, g, o = ops.split(sums, 4, axis=-1)
        sigmoid = cell.recurrent_activation
        return {"i": sigmoid(i), "f": sigmoid(f), "o": sigmoid(o), "g": cell.activation(g)}
