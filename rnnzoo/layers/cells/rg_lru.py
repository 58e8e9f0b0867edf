"""The real-gated linear recurrent unit, within the recurrent block of Griffin."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.cells.scan_loop import ScanCell
from rnnzoo.typing import Shape, Tensor

SHARPNESS = 8.0  # c of the paper
LEAST = 1e-6  # of `1 - a * a`, whose root has no derivative at 0


@register_cell("rg_lru")
@keras.saving.register_keras_serializable("rnnzoo")
class RGLRUCell(ScanCell):
    """The RG-LRU with its short convolution and its gate: the recurrent block of Griffin.

        u[t] = x[t] W_u + b_u
        v[t] = sum_k w_k * u[t - k] + b_v             k = 0 ... 3
        r = sigmoid(v W_r + b_r)
        i = sigmoid(v W_i + b_i)
        a = exp(-8 softplus(L) * r)
        h = a * h + sqrt(1 - a ** 2) * (i * v)
        y = (gelu(x W_g + b_g) * h) W_o

    `L` starts such that `a` lies between 0.9 and 0.999 for r = 1, spread evenly over the units.
    The state is h, and u of the last three steps, `(3, units)`.

    Args:
        units: Size of the state and of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Example:
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, num_layers=1, cell="rg_lru").recurrent.state_shapes
        [(8,), (3, 8)]

    Reference:
        De et al., "Griffin: Mixing Gated Linear Recurrences with Local Attention for Efficient
        Language Models", arXiv:2402.19427, 2024 (sections 2.3 and 2.4).
    """

    state_names = ("h", "u")
    candidates = ("output_gate",)  # it may be negative
    window = 4

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        features, units, zeros = input_shape[-1], self.units, np.zeros(self.units)
        self.kernel = self.add_kernel("kernel", (features, units))
        self.bias = self.add_vector("bias", zeros)
        within = keras.initializers.RandomUniform(-0.5, 0.5)
        self.convolution = self.add_weight(
            (self.window, units), within, name="convolution", autocast=False
        )
        self.convolution_bias = self.add_vector("convolution_bias", zeros)
        self.gate_kernel = self.add_kernel("gate_kernel", (units, 2 * units))
        self.gate_bias = self.add_vector("gate_bias", np.zeros(2 * units))
        kept = np.linspace(0.9, 0.999, units)
        self.decay = self.add_vector("decay", np.log(np.expm1(-np.log(kept) / SHARPNESS)))
        self.output_gate_kernel = self.add_kernel("output_gate_kernel", (features, units))
        self.output_gate_bias = self.add_vector("output_gate_bias", zeros)
        self.output_kernel = self.add_kernel("output_kernel", (units, units))

    def shared(self, x: Tensor) -> Tensor:
        """Computes u; see `ScanCell.shared`."""
        return self.product(x, self.kernel) + self.bias

    def gates_over_time(self, x: Tensor, window: list[Tensor]) -> dict[str, Tensor]:
        """Computes r, i and the output's gate; see `ScanCell.gates_over_time`."""
        return self._gates(x, self._convolved(window))

    def _gates(self, x, v):
        gates = self.product(v, self.gate_kernel) + self.gate_bias
        r, i = ops.split(ops.sigmoid(gates), 2, axis=-1)
        gate = self.product(x, self.output_gate_kernel) + self.output_gate_bias
        return {"r": r, "i": i, "output_gate": ops.gelu(gate, approximate=False)}

    def coefficients(self, x: Tensor, window: list[Tensor]) -> tuple[Tensor, Tensor, Any]:
        """Computes `a`, the input of h, and the gate of the output; see `ScanCell.coefficients`."""
        v = self._convolved(window)
        r, i, gate = self._gates(x, v).values()
        log_a = -SHARPNESS * ops.softplus(self.decay) * r
        scale = ops.sqrt(ops.maximum(-ops.expm1(2 * log_a), LEAST))
        return ops.exp(log_a), scale * (i * v), gate

    def _convolved(self, window):
        taps = [self.convolution[k] for k in range(self.window)]  # the last is of the step itself
        return sum(u * tap for u, tap in zip(window, taps, strict=True)) + self.convolution_bias

    def output(self, h: Tensor, rest: Any) -> Tensor:
        """Computes the outputs; see `ScanCell.output`."""
        return self.product(rest * h, self.output_kernel)
