"""int8 for the matrices of recurrent cells, which Keras's `quantize` passes over."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import ops

from rnnzoo.typing import Tensor

MATRICES = ("kernel", "recurrent_kernel")

# The matrices that are in use now as floats, by cell and name: a loop over time finds them here.
_in_use = contextvars.ContextVar("in_use", default=None)


def quantize_cell(cell: keras.layers.Layer) -> None:
    """Stores the input and the recurrent matrix of a built cell as int8, with a scale per column.

    A column holds the weights of one gate of one unit. Its largest weight becomes 127, and the
    others are rounded to whole multiples of the scale, float32 `(columns,)`. The cell computes
    with the products of both, so that every kernel works as before. The bias stays as it is, and
    the matrices are no longer trained.

    Args:
        cell: A cell with a `kernel` and a `recurrent_kernel`, matrices whose columns are outputs,
            such as `keras.layers.LSTMCell`.

    Example:
        >>> cell = keras.layers.GRUCell(4)
        >>> cell.build((None, 3))
        >>> before = ops.convert_to_numpy(cell.kernel)
        >>> quantize_cell(cell)
        >>> bool(np.abs(ops.convert_to_numpy(cell.kernel) - before).max() < 0.01)
        True
    """
    cell._tracker.unlock()
    stored = {}
    for name in MATRICES:
        matrix = ops.convert_to_numpy(ops.cast(getattr(cell, name), "float32"))
        scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12) / 127
        stored[name] = np.round(matrix / scale).astype("int8"), scale.astype("float32")
        delattr(cell, name)
    cell.__class__ = _quantized_class(type(cell))
    for name, (values, scale) in stored.items():
        options = {"initializer": "zeros", "trainable": False, "autocast": False}
        quantized = cell.add_weight(
            shape=values.shape, dtype="int8", name=f"quantized_{name}", **options
        )
        scales = cell.add_weight(
            shape=scale.shape, dtype="float32", name=f"{name}_scale", **options
        )
        quantized.assign(values)
        scales.assign(scale)
        setattr(cell, f"quantized_{name}", quantized)
        setattr(cell, f"{name}_scale", scales)
    cell._is_quantized = True  # Keras's own sign, so that it does not quantise twice
    cell._tracker.lock()


def is_quantized(cell: keras.layers.Layer) -> bool:
    """Whether `quantize_cell` has stored the cell's matrices as int8."""
    return isinstance(cell, QuantizedMatrices)


@contextlib.contextmanager
def dequantized(
    *cells: keras.layers.Layer, thin: Callable[[Tensor], Tensor] | None = None
) -> Iterator[None]:
    """Computes the float matrices of quantized cells once, for all that is run inside.

    Without it a cell computes them at every step. Cells that are not quantized are passed over.

    Args:
        *cells: The cells that a loop over time will run.
        thin: Called on each recurrent matrix, whose result is used in its place: dropout.

    Yields:
        Nothing.
    """
    matrices = {
        (id(cell), name): _dequantize(cell, name)
        for cell in cells
        if is_quantized(cell)
        for name in MATRICES
    }
    if thin is not None:
        for key, matrix in matrices.items():
            matrices[key] = thin(matrix) if key[1] == "recurrent_kernel" else matrix
    token = _in_use.set({**(_in_use.get() or {}), **matrices})
    try:
        yield
    finally:
        _in_use.reset(token)


class QuantizedMatrices:
    """A mix-in for cells: `kernel` and `recurrent_kernel` are computed from what is stored."""

    @property
    def kernel(self) -> Tensor:
        """The input matrix `(features, columns)`, in the compute dtype."""
        return _matrix(self, "kernel")

    @property
    def recurrent_kernel(self) -> Tensor:
        """The recurrent matrix `(units, columns)`, in the compute dtype."""
        return _matrix(self, "recurrent_kernel")


@functools.cache
def _quantized_class(cell_class):
    return type(cell_class.__name__, (QuantizedMatrices, cell_class), {})


def _matrix(cell, name):
    found = (_in_use.get() or {}).get((id(cell), name))
    return _dequantize(cell, name) if found is None else found


def _dequantize(cell, name):
    dtype = cell.compute_dtype
    values = ops.cast(getattr(cell, f"quantized_{name}"), dtype)
    return values * ops.cast(getattr(cell, f"{name}_scale"), dtype)
