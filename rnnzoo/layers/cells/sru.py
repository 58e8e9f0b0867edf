"""The simple recurrent unit: cell, kernel and layer."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from rnnzoo.layers.cells.cell_loop import Float32Cell, cast_state
from rnnzoo.layers.cells.registry import register_cell
from rnnzoo.layers.cells.scan_loop import ScanLoop
from rnnzoo.layers.kernels import linear_scan
from rnnzoo.typing import Shape, Tensor

KEPT = 1e9  # what f is the sigmoid of at a masked step: f is 1, and the state stays


def next_state(c: Tensor, forget: Tensor, candidate: Tensor, *, vector: Tensor) -> Tensor:
    """Takes one step of c; see `GateLoop.scan`."""
    f = ops.sigmoid(forget + vector * c)
    return f * c + (1 - f) * candidate


class GateLoop(linear_scan.ScanKernel):
    """A loop over c alone, whose products are done before; see `rnnzoo.layers.kernels`."""

    name, label = "elementwise_loop", "elementwise loop"

    def runs_on(self, backend, gpu):
        """Every device has it."""
        return True

    def reason(self, layer, call):
        """Why it is chosen."""
        return "no product stands between two steps of this cell"

    def scan(self, forget: Tensor, candidate: Tensor, *, vector: Tensor, start: Tensor) -> Tensor:
        """Computes c of all steps; on TensorFlow with a gradient written by hand.

            f = sigmoid(forget + vector * c)
            c = f * c + (1 - f) * candidate

        Args:
            forget: What the inputs give to f, `(batch, time, units)`.
            candidate: `(batch, time, units)`.
            vector: What c counts for in f, `(units,)`.
            start: c before the first step, `(batch, units)`.

        Returns:
            c after each step, `(batch, time, units)`.
        """
        if keras.config.backend() == "tensorflow":
            return _scan_on_tensorflow(forget, candidate, vector=vector, start=start)

        def step(c, inputs):
            c = next_state(c, *inputs, vector=vector)
            return c, c

        by_time = [ops.swapaxes(each, 0, 1) for each in (forget, candidate)]
        return ops.swapaxes(ops.scan(step, start, by_time)[1], 0, 1)


def _scan_on_tensorflow(forget, candidate, vector, start):
    import tensorflow as tf

    @tf.custom_gradient
    def run_once(forget, candidate, vector, start):
        def step(c, forget, candidate):
            return next_state(c, forget, candidate, vector=vector)

        states = linear_scan.over_time(step, (forget, candidate), start)

        def gradient(d_states):
            before = linear_scan.states_before(states, start)
            f = tf.sigmoid(forget + vector * before)  # nothing is kept for it
            by_sum = f * (1 - f) * (before - candidate)
            decay = f + by_sum * vector
            d_states = linear_scan.move_back(decay, d_states)
            d_forget = d_states * by_sum
            d_vector = tf.reduce_sum(d_forget * before, (0, 1))
            return d_forget, d_states * (1 - f), d_vector, decay[:, 0] * d_states[:, 0]

        return states, gradient

    return run_once(forget, candidate, vector, start)


@keras.saving.register_keras_serializable("rnnzoo", name="SRULoop")
class CellLoop(ScanLoop):
    """Runs the SRU over time: first its products for all steps at once, then the loop over c.

    A file has the weights under the name of this class, and had them before the SRU had a kernel.

    Args:
        cell: The name the cell was registered by.
        units: Size of its output.
        weight_drop: Must be 0: the cell has no recurrent matrix.
        **kwargs: What `keras.layers.RNN` takes.

    Raises:
        InputError: If `weight_drop` is not 0.
    """

    kernels = (GateLoop(),)


@register_cell("sru")
@keras.saving.register_keras_serializable("rnnzoo")
class SRUCell(Float32Cell):
    """The SRU: gates that see the state number by number, and a highway from input to output.

        f = sigmoid(x W_f + v_f * c + b_f)
        r = sigmoid(x W_r + v_r * c + b_r)
        c = f * c + (1 - f) * (x W)
        h = r * c + (1 - r) * scale * x

    Both gates read c before the step, number by number: the products are done for whole sequences
    before the loop. Inputs of another size than `units` are projected for the highway.
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
    loop_class = CellLoop

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
        return ops.cast(_highway(r, c, x), self.compute_dtype), [c]

    def run(
        self,
        x: Tensor,
        state: list[Tensor],
        *,
        scan: Callable[..., Tensor],
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Runs whole sequences.

        Args:
            x: `(batch, time, features)`.
            state: The state before them.
            scan: What computes c of all steps; see `GateLoop.scan`.
            lengths: How many steps of each row count, int32 `(batch,)`; all when left out.

        Returns:
            The outputs `(batch, time, units)`, and the state after the last step that counts.
        """
        (start,) = cast_state(self, state)
        forget, reset, candidate, highway = self._products(x)
        if lengths is not None:
            counts = ops.arange(ops.shape(x)[1], dtype="int32") < ops.expand_dims(lengths, 1)
            forget = ops.where(ops.expand_dims(counts, 2), forget, KEPT)
        vectors = ops.split(ops.cast(self.gate_vector, "float32"), 2)
        c = scan(forget, candidate, vector=vectors[0], start=start)
        r = ops.sigmoid(reset + vectors[1] * linear_scan.states_before(c, start))
        return _highway(r, c, highway), [c[:, -1]]

    def gates(self, inputs: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        """Computes f, r and the candidate of one step; see `register_cell`."""
        f, r, candidate, _ = self._parts(inputs, *cast_state(self, states))
        return {"f": f, "r": r, "candidate": candidate}

    def _parts(self, inputs, c):
        """Computes both gates, the candidate and what the highway carries."""
        forget, reset, candidate, x = self._products(inputs)
        v_f, v_r = ops.split(ops.cast(self.gate_vector, "float32"), 2)
        return ops.sigmoid(forget + v_f * c), ops.sigmoid(reset + v_r * c), candidate, x

    def _products(self, x):
        """Computes what inputs `(..., features)` give to f, r, the candidate and h."""
        parts = 3 if self.highway else 4
        forget, reset, candidate, *last = ops.split(self.product(x, self.kernel), parts, axis=-1)
        b_f, b_r = ops.split(ops.cast(self.bias, "float32"), 2)
        (carried,) = last or [ops.cast(x, "float32")]
        return forget + b_f, reset + b_r, candidate, float(np.sqrt(3)) * carried


def _highway(r, c, x):
    return r * c + (1 - r) * x
