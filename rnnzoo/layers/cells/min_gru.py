"""The minimal gated recurrent unit."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.cells.scan_loop import ScanCell
from rnnzoo.typing import Shape, Tensor


@register_cell("min_gru")
@keras.saving.register_keras_serializable("rnnzoo")
class MinGRUCell(ScanCell):
    """The minGRU: a GRU whose gate and candidate read the input alone.

        z = sigmoid(x W_z + b_z)
        h = (1 - z) * h + z * (x W_h + b_h)

    The gates' biases start spread from -4 to 0: some units follow the input, others remember for
    some fifty steps.

    Args:
        units: Size of the state and of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Example:
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, cell="min_gru").recurrent.state_shapes
        [(8,), (8,)]

    Reference:
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024 (section 3.1).
    """

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        units = self.units
        self.kernel = self.add_kernel("kernel", (input_shape[-1], 2 * units))
        self.bias = self.add_vector("bias", np.r_[np.linspace(-4, 0, units), np.zeros(units)])

    def gates_over_time(self, x: Tensor, window: list[Tensor]) -> dict[str, Tensor]:
        """Computes z and the candidate; see `ScanCell.gates_over_time`."""
        z, candidate = ops.split(self.product(x, self.kernel) + self.bias, 2, axis=-1)
        return {"z": ops.sigmoid(z), "candidate": candidate}

    def coefficients(self, x: Tensor, window: list[Tensor]) -> tuple[Tensor, Tensor, Any]:
        """Computes `1 - z` and `z` times the candidate; see `ScanCell.coefficients`."""
        z, candidate = self.gates_over_time(x, window).values()
        return 1 - z, z * candidate, None
