"""A layer around any registered cell, for states of every shape."""

from typing import Any, Self

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.layers.cells.registry import bare_cell, find_cell, output_size, state_shapes
from rnnzoo.layers.kernels.many_rows import laid_out
from rnnzoo.typing import Shape, Tensor


@keras.saving.register_keras_serializable("rnnzoo")
class CellLoop(keras.layers.RNN):
    """Runs a registered cell over time: `keras.layers.RNN`, but states may be matrices.

    Args:
        cell: The name the cell was registered by.
        units: Size of its output.
        weight_drop: Must be 0: only a layer with a recurrent matrix has it.
        **kwargs: What `keras.layers.RNN` takes.

    Raises:
        InputError: If `weight_drop` is not 0.
    """

    def __init__(self, cell: str, units: int, *, weight_drop: float = 0.0, **kwargs: Any):
        check_no_weight_drop(cell, weight_drop)
        made = bare_cell(cell, units, dtype=kwargs.get("dtype"), name="cell")
        super().__init__(made, **kwargs)
        self.cell_name, self.units = cell, units

    def get_initial_state(self, batch_size: int | Tensor) -> list[Tensor]:
        """Returns the state before the first step, `(batch, *shape)` each."""
        if hasattr(self.cell, "get_initial_state"):
            state = self.cell.get_initial_state(batch_size=batch_size)
            return list(state) if isinstance(state, list | tuple) else [state]
        shapes = state_shapes(self.cell)
        zeros = [ops.zeros((batch_size, *shape), self.compute_dtype) for shape in shapes]
        return cast_state(self.cell, zeros)

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs the loop over time; see `keras.layers.RNN`."""
        x = ops.cast(sequences, self.compute_dtype)  # (B, T, I)
        features = x.shape[-1]
        if mask is not None:
            # As one more feature: Keras on TensorFlow scans one tensor where the length is unknown.
            mask = mask[0] if keras.tree.is_nested(mask) else mask
            x = ops.concatenate([x, ops.cast(ops.expand_dims(mask, -1), x.dtype)], -1)
        x = ops.swapaxes(x, 0, 1)
        x = ops.flip(x, 0) if self.go_backwards else x

        def step(carry, now):
            *state, last = carry
            output, new = run_cell(self.cell, now[:, :features], state, training=training)
            new = [ops.cast(n, s.dtype) for n, s in zip(new, state, strict=True)]
            output = ops.cast(output, last.dtype)
            if mask is not None:
                counts = ops.cast(now[:, -1], "bool")
                other = ops.zeros_like(last) if self.zero_output_for_mask else last
                new = [where_rows(counts, n, s) for n, s in zip(new, state, strict=True)]
                output = where_rows(counts, output, other)
            carry = [*new, output]
            return carry, carry  # Keras on TensorFlow wants what is stacked to be like the carry

        nothing = ops.zeros((ops.shape(x)[1], output_size(self.cell)), self.compute_dtype)
        start = cast_state(self.cell, initial_state)
        (*state, last), (*_, outputs) = ops.scan(step, [*start, nothing], x)
        outputs = ops.swapaxes(outputs, 0, 1) if self.return_sequences else ops.expand_dims(last, 1)
        return last, outputs, state

    def compute_output_shape(
        self, sequences_shape: Shape, initial_state_shape: Any = None
    ) -> Shape | tuple[Shape, ...]:
        """Shapes of the output and, where it is returned, of the state."""
        rows, size = sequences_shape[0], output_size(self.cell)
        output = (rows, sequences_shape[1], size) if self.return_sequences else (rows, size)
        states = [(rows, *shape) for shape in state_shapes(self.cell)]
        return (output, *states) if self.return_state else output

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the layer; the cell by its name."""
        names = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")
        names = (*names, "zero_output_for_mask")
        return {
            **keras.layers.Layer.get_config(self),
            **{name: getattr(self, name) for name in names},
            "cell": self.cell_name,
            "units": self.units,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Remakes the layer."""
        return cls(**config)


class Float32Cell(keras.layers.Layer):
    """A cell that multiplies matrices in the compute dtype and does all else in float32.

    So is its state, which mixed precision would otherwise round at every step: small changes of it
    would be lost. `call` casts the state with `cast_state`, and its output to the compute dtype.

    Args:
        units: Size of the state and of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Raises:
        InputError: If `units` is not a positive whole number.
    """

    state_dtype = "float32"

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        check_positive(units=units)
        self.units = self.output_size = int(units)
        self.autocast = False  # Keras would cast the state to the compute dtype

    def add_kernel(self, name: str, shape: Shape, initializer: Any = "glorot_uniform") -> Any:
        """Adds a matrix for `product`."""
        return self.add_weight(shape, initializer, name=name)

    def add_vector(self, name: str, start: Any) -> Any:
        """Adds a weight of given first values, which stays in float32."""
        start = np.asarray(start, "float32")
        initializer = keras.initializers.Constant(start)
        return self.add_weight(start.shape, initializer, name=name, autocast=False)

    def product(self, x: Tensor, kernel: Any) -> Tensor:
        """Computes `x @ kernel` in the compute dtype, and gives it in float32."""
        kernel = ops.cast(kernel, self.compute_dtype)
        return ops.cast(ops.matmul(ops.cast(x, self.compute_dtype), kernel), "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the cell."""
        return {**super().get_config(), "units": self.units}


def cast_state(cell: keras.layers.Layer, state: list[Tensor]) -> list[Tensor]:
    """Casts a state to the `state_dtype` of its cell; leaves it as it is where there is none."""
    dtype = getattr(cell, "state_dtype", None)
    return list(state) if dtype is None else [ops.cast(each, dtype) for each in state]


def recurrent_layer(cell: str, units: int, **kwargs: Any) -> keras.layers.RNN:
    """Makes one recurrent layer that returns its whole sequence and its final state.

    Args:
        cell: A registered name: `"lstm"`, `"gru"`, `"simple_rnn"` or one of your own.
        units: Size of the output.
        **kwargs: Passed on to the layer.

    Returns:
        The layer: an `rnnzoo.layers.LSTM`, `GRU` or `SimpleRNN`, or a layer around the cell.

    Raises:
        InputError: If no cell has that name.

    Example:
        >>> recurrent_layer("gru", 8).units
        8
    """
    cls = find_cell(cell)
    options = {"return_sequences": True, "return_state": True, **kwargs}
    if issubclass(cls, keras.layers.RNN):
        return cls(units, **options)
    return getattr(cls, "loop_class", CellLoop)(cell, units, **options)


def check_no_weight_drop(cell: str, weight_drop: float) -> None:
    """Raises an `InputError` if a cell without it is given a `weight_drop`."""
    if weight_drop:
        raise InputError(
            f"`weight_drop` is {weight_drop!r}, but the cell {cell!r} has none; leave it at 0."
        )


def run_cell(
    cell: keras.layers.Layer, inputs: Tensor, state: list[Tensor], training: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """Runs one step of a cell; the new state is a list, whatever the cell returns."""
    prepared = None if training else laid_out(cell)
    if prepared is not None:
        return prepared.step(inputs, state)
    options = {"training": training} if cell._call_has_training_arg else {}
    output, state = cell(inputs, state, **options)
    return output, list(state) if isinstance(state, list | tuple) else [state]


def where_rows(rows: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Selects whole rows: `yes` where `rows` (batch,) is true, else `no`, of any shape."""
    return ops.where(ops.reshape(rows, (-1, *[1] * (len(yes.shape) - 1))), yes, no)
