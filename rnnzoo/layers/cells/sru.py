"""The simple recurrent unit."""

import keras
import numpy as np
from keras import ops

from rnnzoo.layers.cells.cell_loop import Float32Cell, cast_state
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.typing import Shape, Tensor


@register_cell("sru")
@keras.saving.register_keras_serializable("rnnzoo")
class SRUCell(Float32Cell):
    """The SRU: gates that see the state number by number, and a highway from input to output.

        f = sigmoid(x W_f + v_f * c + b_f)
        r = sigmoid(x W_r + v_r * c + b_r)
        c = f * c + (1 - f) * (x W)
        h = r * c + (1 - r) * scale * x

    Both gates read c before the step; because of that c is not linear in what it was, and the
    generic loop runs the cell. Inputs of another size than `units` are projected for the highway.
    The scale is `sqrt(3)`, as in the paper's section 3.3 for biases that start at 0.

    Args:
        units: Size of the state and of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Example:
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, num_layers=1, cell="sru").recurrent.state_shapes
        [(8,)]

    Reference:
        Lei et al., "Simple Recurrent Units for Highly Parallelizable Recurrence", EMNLP 2018,
        arXiv:1709.02755.
    """

    state_names = ("c",)

    def __init__(self, units: int, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = self.units

    def build(self, input_shape: Shape) -> None:
        """Creates the weights."""
        self.highway = input_shape[-1] == self.units
        parts = 3 if self.highway else 4
        self.kernel = self.add_kernel("kernel", (input_shape[-1], parts * self.units))
        self.gate_vector = self.add_vector("gate_vector", np.zeros(2 * self.units))
        self.bias = self.add_vector("bias", np.zeros(2 * self.units))

    def call(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Runs one step: inputs `(batch, features)` to an output `(batch, units)` and the state."""
        (c,) = cast_state(self, states)
        f, r, candidate, x = self._parts(inputs, c)
        c = f * c + (1 - f) * candidate
        h = r * c + (1 - r) * float(np.sqrt(3)) * x
        return ops.cast(h, self.compute_dtype), [c]

    def gates(self, inputs: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        """Computes f, r and the candidate of one step; see `register_cell`."""
        f, r, candidate, _ = self._parts(inputs, *cast_state(self, states))
        return {"f": f, "r": r, "candidate": candidate}

    def _parts(self, inputs, c):
        """Computes both gates, the candidate and what the highway carries."""
        products = self.product(inputs, self.kernel)
        gates, candidate = products[:, : 2 * self.units], products[:, 2 * self.units :]
        candidate, x = candidate[:, : self.units], candidate[:, self.units :]
        x = ops.cast(inputs, "float32") if self.highway else x
        seen = ops.concatenate([c, c], axis=-1) * self.gate_vector
        f, r = ops.split(ops.sigmoid(gates + seen + self.bias), 2, axis=-1)
        return f, r, candidate, x
