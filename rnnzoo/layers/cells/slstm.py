"""The LSTM with exponential gates of xLSTM."""

import keras
import numpy as np
from keras import ops

from rnnzoo.layers.cells.cell_loop import Float32Cell, cast_state
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.typing import Shape, Tensor

EMPTY = -30.0  # the logarithm of the normalizer before any step, whose share is then 1e-13


@register_cell("slstm")
@keras.saving.register_keras_serializable("rnnzoo")
class SLSTMCell(Float32Cell):
    """The sLSTM: an input gate without an upper bound, and a memory that is divided by its sum.

        z, i, f, o = tanh, exp, sigmoid, sigmoid of x W + h R + b
        c = f * c + i * z
        n = f * n + i
        h = o * c / n

    c and n may grow beyond all numbers, so the state has `c / n` and `log n` in their place, which
    are the same and need no further stabilizer. R is one matrix, the paper's case of a single
    head. The bias of f starts spread from 3 to 6.

    Args:
        units: Size of the state and of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Example:
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, num_layers=1, cell="slstm").recurrent.state_shapes
        [(8,), (8,), (8,)]

    Reference:
        Beck et al., "xLSTM: Extended Long Short-Term Memory", arXiv:2405.04517, 2024 (section 2.2).
    """

    state_names = ("h", "c / n", "log n")
    candidates = ("z", "i")  # i has no upper bound

    def __init__(self, units: int, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [self.units] * 3

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        units = self.units
        self.kernel = self.add_kernel("kernel", (input_shape[-1], 4 * units))
        self.recurrent_kernel = self.add_kernel(
            "recurrent_kernel", (units, 4 * units), "orthogonal"
        )
        start = np.r_[np.zeros(2 * units), np.linspace(3, 6, units), np.zeros(units)]
        self.bias = self.add_vector("bias", start)

    def get_initial_state(self, batch_size: int | Tensor) -> list[Tensor]:
        """Returns the state before the first step: h, `c / n` and `log n`."""
        starts = (0.0, 0.0, EMPTY)  # each a tensor of its own: JAX takes none twice
        return [ops.full((batch_size, self.units), start, self.state_dtype) for start in starts]

    def call(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Runs one step: inputs `(batch, features)` to an output `(batch, units)` and the state."""
        h, mean, log_n = cast_state(self, states)
        z, i, f, o = self._sums(inputs, h)
        kept = ops.log_sigmoid(f) + log_n
        log_n = ops.logaddexp(kept, i)
        mean = ops.exp(kept - log_n) * mean + ops.exp(i - log_n) * ops.tanh(z)
        h = ops.sigmoid(o) * mean
        return ops.cast(h, self.compute_dtype), [h, mean, log_n]

    def gates(self, inputs: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        """Computes z, i, f and o of one step; see `register_cell`. i has no upper bound."""
        z, i, f, o = self._sums(inputs, states[0])
        return {"z": ops.tanh(z), "i": ops.exp(i), "f": ops.sigmoid(f), "o": ops.sigmoid(o)}

    def _sums(self, inputs, h):
        """Computes what z, i, f and o are functions of, `(batch, units)` each."""
        products = self.product(inputs, self.kernel) + self.product(h, self.recurrent_kernel)
        return ops.split(products + self.bias, 4, axis=-1)
