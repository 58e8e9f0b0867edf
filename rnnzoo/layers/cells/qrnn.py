"""The quasi-recurrent neural network."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.cells.scan_loop import ScanCell
from rnnzoo.typing import Shape, Tensor


@register_cell("qrnn")
@keras.saving.register_keras_serializable("rnnzoo")
class QRNNCell(ScanCell):
    """The QRNN: gates from a convolution over two steps, and fo-pooling.

        z, f, o = tanh, sigmoid, sigmoid of x[t-1] W_0 + x[t] W_1 + b
        c = f * c + (1 - f) * z
        h = o * c

    The state is c and the product `x[t-1] W_0`, `(1, 3 * units)`. The bias of f starts at 1.

    Args:
        units: Size of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Example:
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, num_layers=1, cell="qrnn").recurrent.state_shapes
        [(8,), (1, 24)]

    Reference:
        Bradbury et al., "Quasi-Recurrent Neural Networks", arXiv:1611.01576, 2016.
    """

    state_names = ("c", "x W_0")
    candidates = ("z",)
    window = 2

    @property
    def shared_size(self) -> int:
        """The size of a step's part of the next one's gates."""
        return 3 * self.units

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        shape, units = (input_shape[-1], 3 * self.units), self.units
        self.past_kernel = self.add_kernel("past_kernel", shape)
        self.kernel = self.add_kernel("kernel", shape)
        start = np.r_[np.zeros(units), np.ones(units), np.zeros(units)]
        self.bias = self.add_vector("bias", start)

    def shared(self, x: Tensor) -> Tensor:
        """Computes the product that the next step reads; see `ScanCell.shared`."""
        return self.product(x, self.past_kernel)

    def gates_over_time(self, x: Tensor, window: list[Tensor]) -> dict[str, Tensor]:
        """Computes z, f and o; see `ScanCell.gates_over_time`."""
        both = window[0] + self.product(x, self.kernel) + self.bias
        z, f, o = ops.split(both, 3, axis=-1)
        return {"z": ops.tanh(z), "f": ops.sigmoid(f), "o": ops.sigmoid(o)}

    def coefficients(self, x: Tensor, window: list[Tensor]) -> tuple[Tensor, Tensor, Any]:
        """Computes f, the input of c, and the gate of the output; see `ScanCell.coefficients`."""
        z, f, o = self.gates_over_time(x, window).values()
        return f, (1 - f) * z, o

    def output(self, h: Tensor, rest: Any) -> Tensor:
        """Computes the outputs; see `ScanCell.output`."""
        return rest * h
