"""The gated recurrent unit: layer, cell and equations."""

import keras
from keras import ops

from rnnzoo.layers.cells.fast_loop import CudnnLoop
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.kernels import cell_math as math
from rnnzoo.layers.kernels.cell_math import Gradients
from rnnzoo.typing import Tensor


class GRUEquations:
    """One step of the GRU with `reset_after=True`, gates z, r, n; see `lstm.LSTMEquations`."""

    gates = 3
    saved = 5
    acts_on_recurrent = True

    @staticmethod
    def forward(
        inputs: list[Tensor], recurrent: list[Tensor], state: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Takes the step; see `lstm.LSTMEquations`."""
        (h,) = state
        z = math.sigmoid(inputs[0] + recurrent[0])
        r = math.sigmoid(inputs[1] + recurrent[1])
        n = math.tanh(inputs[2] + r * recurrent[2])
        change = h - n
        return (n + z * change,), (z, r, n, recurrent[2], change)

    @staticmethod
    def backward(d_state: list[Tensor], saved: list[Tensor]) -> Gradients:
        """Takes the gradient one step back; see `lstm.LSTMEquations`."""
        (dh,) = d_state
        z, r, n, recurrent, change = saved
        kept = dh * z
        dz = math.d_sigmoid(z, dh * change)
        dn = math.d_tanh(n, dh - kept)
        dr = math.d_sigmoid(r, dn * recurrent)
        return (dz, dr, dn), (dz, dr, dn * r), (kept,)


@register_cell("gru")
@keras.saving.register_keras_serializable("rnnzoo")
class GRU(CudnnLoop, keras.layers.GRU):
    """Gated recurrent unit layer (Cho et al. 2014), fast on a CPU too.

    The arguments are those of `keras.layers.GRU`, and `weight_drop`.

    Example:
        >>> outputs = GRU(8, return_sequences=True)(keras.ops.ones((4, 5, 3)))  # (4, 5, 8)
    """

    cell_class = keras.layers.GRUCell
    equations = GRUEquations
    state_names = ("h",)

    @staticmethod
    def gates(cell: keras.layers.Layer, inputs: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        """Computes the gates z, r and the candidate of one step; see `register_cell`.

        The reset gate acts after the recurrent product, as `reset_after=True` says, which all
        builders take.
        """
        biases = ops.split(cell.bias, 2) if cell.use_bias else (0.0, 0.0)  # (1, 3 * units) each
        ahead = ops.matmul(inputs, cell.kernel) + biases[0]
        back = ops.matmul(states[0], cell.recurrent_kernel) + biases[1]
        (z, r, n), (hz, hr, hn) = ops.split(ahead, 3, axis=-1), ops.split(back, 3, axis=-1)
        z, r = cell.recurrent_activation(z + hz), cell.recurrent_activation(r + hr)
        return {"z": z, "r": r, "candidate": cell.activation(n + r * hn)}
