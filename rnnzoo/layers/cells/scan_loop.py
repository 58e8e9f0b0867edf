"""Cells whose state moves by `h = a * h + b`, number by number, and the layer that runs them."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from rnnzoo.layers.cells.cell_loop import CellLoop, Float32Cell, cast_state, check_no_weight_drop
from rnnzoo.layers.cells.fast_loop import FastLoop
from rnnzoo.layers.kernels import linear_scan
from rnnzoo.typing import Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class ScanLoop(FastLoop, CellLoop):
    """Runs a cell over time: first its products for all steps at once, then the scan.

    The cell is a `ScanCell`, or has a method `run` as one has.

    Args:
        cell: The name the cell was registered by.
        units: Size of its output.
        weight_drop: Must be 0: the cell has no recurrent matrix.
        **kwargs: What `keras.layers.RNN` takes.

    Raises:
        InputError: If `weight_drop` is not 0.
    """

    kernels = linear_scan.KERNELS

    def __init__(self, cell: str, units: int, *, weight_drop: float = 0.0, **kwargs: Any):
        check_no_weight_drop(cell, weight_drop)
        super().__init__(cell, units, **kwargs)

    def scan_sequences(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        *,
        mask: Tensor | None,
        scan: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs whole sequences; returns what `inner_loop` of a Keras layer does.

        Args:
            sequences: Float `(batch, time, features)`.
            initial_state: The cell's state, a list of `(batch, *shape)` tensors.
            mask: Boolean `(batch, time)`, or None.
            scan: What computes the states; the cell's `run` calls it.
        """
        x = ops.cast(sequences, self.compute_dtype)  # (B, T, I)
        mask = mask[0] if keras.tree.is_nested(mask) else mask
        if self.go_backwards:
            x = ops.flip(x, 1)
            mask = None if mask is None else ops.flip(mask, 1)
        if mask is None:
            outputs, state = self.cell.run(x, initial_state, scan=scan)
        else:
            outputs, state = self._masked(x, initial_state, mask=ops.cast(mask, "bool"), scan=scan)
        outputs = ops.cast(outputs, self.compute_dtype)
        last = outputs[:, -1]
        return last, outputs if self.return_sequences else ops.expand_dims(last, 1), state

    def _masked(self, x, state, mask, scan):
        """Moves the steps that count to the front, where the cell knows how many there are."""
        counts = ops.cumsum(ops.cast(mask, "int32"), axis=1)  # (B, T): those up to each step
        steps = ops.shape(x)[1]
        places = ops.arange(steps, dtype="int32")
        order = ops.argsort(ops.where(mask, places, places + steps), axis=1)
        x = take_steps(x, order)
        outputs, state = self.cell.run(x, state, scan=scan, lengths=counts[:, -1])
        # A masked step repeats the output of the step before it; zeros before the first.
        outputs = take_steps(outputs, ops.maximum(counts - 1, 0))
        shown = ops.expand_dims(mask if self.zero_output_for_mask else counts > 0, 2)
        return ops.where(shown, outputs, ops.zeros_like(outputs)), state


class ScanCell(Float32Cell):
    """A cell with the state `h = a * h + b`, where `a` and `b` do not depend on h.

    What a step computes of its inputs, and of those shortly before it, is written once, for whole
    sequences `(batch, time, ...)`; a single step is a sequence of one. A subclass gives
    `coefficients` and, where it needs them, `output` and `shared`; `gates_over_time` names its
    gates.

    Args:
        units: Size of the state and of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Raises:
        InputError: If `units` is not a positive whole number.
    """

    loop_class = ScanLoop
    state_names = ("h",)
    window = 1  # how many steps a step reads, itself included

    @property
    def shared_size(self) -> int:
        """The size of what a step leaves to the next ones."""
        return self.units

    @property
    def state_size(self) -> list[int | tuple[int, int]]:
        """h, and what the last `window - 1` steps left."""
        return [self.units, *([(self.window - 1, self.shared_size)] if self.window > 1 else [])]

    def shared(self, x: Tensor) -> Tensor:
        """Computes what a step leaves to the next ones, `(batch, time, shared_size)`."""
        raise NotImplementedError

    def coefficients(self, x: Tensor, window: list[Tensor]) -> tuple[Tensor, Tensor, Any]:
        """Computes the coefficients of all steps.

        Args:
            x: `(batch, time, features)`.
            window: What `shared` is at each step, `(batch, time, shared_size)`: a list from
                `window - 1` steps before it to the step itself; empty without a window.

        Returns:
            `a` and `b`, float32 `(batch, time, units)`, and anything for `output`.
        """
        raise NotImplementedError

    def gates_over_time(self, x: Tensor, window: list[Tensor]) -> dict[str, Tensor]:
        """Computes the gates of all steps.

        Args:
            x: As in `coefficients`.
            window: As in `coefficients`.

        Returns:
            Float32 `(batch, time, units)` tensors by the names of the gates; none by default.
        """
        return {}

    def gates(self, inputs: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
        """Computes the gates of one step; see `register_cell`."""
        x = ops.expand_dims(inputs, 1)
        found = self.gates_over_time(x, self._windows(x, states)[1])
        return {name: ops.squeeze(values, 1) for name, values in found.items()}

    def output(self, h: Tensor, rest: Any) -> Tensor:
        """Computes the outputs `(batch, time, units)` of the states, which they are by default."""
        return h

    def run(
        self,
        x: Tensor,
        state: list[Tensor],
        *,
        scan: Callable[[Tensor, Tensor, Tensor], Tensor],
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Runs whole sequences.

        Args:
            x: `(batch, time, features)`.
            state: The state before them.
            scan: What computes the states of all steps from `a`, `b` and the first.
            lengths: How many steps of each row count, int32 `(batch,)`; all when left out.

        Returns:
            The outputs `(batch, time, units)`, and the state after the last step that counts.
        """
        state = cast_state(self, state)
        past, window = self._windows(x, state)
        after = [] if past is None else [past[:, 1 - self.window :]]
        decay, inputs, rest = self.coefficients(x, window)
        if lengths is not None:
            counts = ops.arange(ops.shape(x)[1], dtype="int32") < ops.expand_dims(lengths, 1)
            counts = ops.expand_dims(counts, 2)
            decay = ops.where(counts, decay, ops.ones_like(decay))
            inputs = ops.where(counts, inputs, ops.zeros_like(inputs))
            if self.window > 1:
                last = ops.arange(self.window - 1, dtype="int32") + ops.expand_dims(lengths, 1)
                after = [take_steps(past, last)]
        h = scan(decay, inputs, state[0])
        return self.output(h, rest), [h[:, -1], *after]

    def _windows(self, x, state):
        """What `shared` is before and during the steps, and the windows of `coefficients`."""
        if self.window == 1:
            return None, []
        past = ops.concatenate([state[1], self.shared(x)], axis=1)  # (B, K - 1 + T, S)
        ends = [*range(1 - self.window, 0), None]
        return past, [past[:, start:end] for start, end in enumerate(ends)]

    def call(self, inputs: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Runs one step: inputs `(batch, features)` to an output `(batch, units)` and the state."""
        x = ops.expand_dims(inputs, 1)
        outputs, states = self.run(x, list(states), scan=linear_scan.one_step)
        return ops.cast(ops.squeeze(outputs, 1), self.compute_dtype), states


def take_steps(x: Tensor, places: Tensor) -> Tensor:
    """Takes steps of each row: of `(batch, time, size)` those at `places`, int32 `(batch, n)`.

    `ops.take_along_axis` would make an index of 64 bits for each number, in every long prompt.
    """
    rows, steps = ops.shape(x)[0], ops.shape(x)[1]
    first = ops.expand_dims(ops.arange(rows, dtype="int32") * steps, 1)
    return ops.take(ops.reshape(x, (-1, x.shape[-1])), places + first, axis=0)
