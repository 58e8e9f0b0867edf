"""The minimal long short-term memory."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.cells.scan_loop import ScanCell
from rnnzoo.typing import Shape, Tensor


@register_cell("min_lstm")
@keras.saving.register_keras_serializable("rnnzoo")
class MinLSTMCell(ScanCell):
    """The minLSTM: forget and input gate read the input alone, and sum to one.

        f = sigmoid(x W_f + b_f)
        i = sigmoid(x W_i + b_i)
        h = (f * h + i * (x W_h + b_h)) / (f + i)

    The biases start at 1 for f and spread from -4 to 0 for i, so that units remember for different
    times.

    Args:
        units: Size of the state and of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Example:
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, cell="min_lstm").recurrent.state_shapes
        [(8,), (8,)]

    Reference:
        Feng et al., "Were RNNs All We Needed?", arXiv:2410.01201, 2024 (section 3.2).
    """

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        units = self.units
        self.kernel = self.add_kernel("kernel", (input_shape[-1], 3 * units))
        start = np.r_[np.ones(units), np.linspace(-4, 0, units), np.zeros(units)]
        self.bias = self.add_vector("bias", start)

    def gates_over_time(self, x: Tensor, window: list[Tensor]) -> dict[str, Tensor]:
        """Computes f, i and the candidate; see `ScanCell.gates_over_time`."""
        f, i, candidate = ops.split(self.product(x, self.kernel) + self.bias, 3, axis=-1)
        return {"f": ops.sigmoid(f), "i": ops.sigmoid(i), "candidate": candidate}

    def coefficients(self, x: Tensor, window: list[Tensor]) -> tuple[Tensor, Tensor, Any]:
        """Computes the share of h and the rest of the sum; see `ScanCell.coefficients`."""
        f, i, candidate = self.gates_over_time(x, window).values()
        kept = f / (f + i)
        return kept, (1 - kept) * candidate, None
