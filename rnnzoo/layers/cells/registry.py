"""The cells by name: what `cell="lstm"` stands for in every stack, encoder, decoder and builder."""

import math
from collections.abc import Callable
from typing import Any

import keras

from rnnzoo.errors import InputError, unknown_name

_CELLS: dict[str, type] = {}


def register_cell(name: str) -> Callable[[type], type]:
    """Registers a recurrent cell, or a whole layer, by name: a decorator of its class.

    A cell is a `keras.layers.Layer` as `keras.layers.RNN` takes it: `cls(units, **kwargs)`, a
    `state_size` with one entry for each tensor of the state (a number, or a tuple for a matrix),
    `call(inputs, states) -> (output, new_states)`; `output_size` where the output is not like the
    first state; `get_initial_state(batch_size)` where the state does not start at zero;
    `state_dtype` where the state is kept in another dtype than the compute dtype, and then
    `autocast = False`, or Keras would cast it (`rnnzoo.layers.cells.cell_loop.Float32Cell`). A
    `keras.layers.RNN` of its own is registered where it has faster kernels, as the LSTM is; it
    names its cell's class in `cell_class`.

    For `rnnzoo.inspect` a class may also have `state_names`, a name for each tensor of the state,
    and a method `gates(inputs, states)`: of one step's inputs `(batch, features)` and of the state
    before it, a dictionary of `(batch, units)` tensors by the names of the gates. A layer has it as
    a static method, `gates(cell, inputs, states)`. `candidates` names what of these is no
    gate from 0 to 1, where that is something else than `"g"` and `"candidate"`.

    Args:
        name: What the builders take as `cell`.

    Returns:
        The decorator, which gives the class back.

    Raises:
        InputError: If the name is taken.

    Example:
        >>> import keras
        >>> @register_cell("average")
        ... class Average(keras.layers.Layer):
        ...     def __init__(self, units, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.state_size = self.output_size = units
        ...     def build(self, shape):
        ...         self.kernel = self.add_weight((shape[-1], self.state_size))
        ...     def call(self, inputs, states):
        ...         state = 0.9 * states[0] + 0.1 * keras.ops.matmul(inputs, self.kernel)
        ...         return keras.ops.tanh(state), [state]
        >>> from rnnzoo import char_lstm
        >>> char_lstm(65, units=8, cell="average").recurrent.cell
        'average'
    """

    def register(cls):
        known = _CELLS.get(name)
        if known is not None and known.__qualname__ != cls.__qualname__:
            raise InputError(f"The cell {name!r} is registered already; choose another name.")
        _CELLS[name] = cls
        return cls

    return register


def find_cell(name: str) -> type:
    """Returns the class that was registered by a name.

    Raises:
        InputError: If no cell has that name.
    """
    if name not in _CELLS:
        raise unknown_name("cell", name, _CELLS)
    return _CELLS[name]


def class_of(cell: keras.layers.Layer) -> tuple[str, type] | None:
    """Returns the name and the class that were registered for a cell; None if there are none.

    Example:
        >>> from rnnzoo.layers import GRU
        >>> class_of(GRU(4).cell)[0]
        'gru'
    """
    cells = {getattr(cls, "cell_class", cls): (name, cls) for name, cls in _CELLS.items()}
    return next((cells[cls] for cls in type(cell).__mro__ if cls in cells), None)


def bare_cell(cell: str, units: int, **kwargs: Any) -> keras.layers.Layer:
    """Makes a cell alone, for a loop of one's own.

    Args:
        cell: A registered name.
        units: Size of the output.
        **kwargs: What every `keras.layers.Layer` takes.

    Returns:
        The cell.
    """
    cls = find_cell(cell)
    return getattr(cls, "cell_class", cls)(units, **kwargs)


def state_shapes(cell: keras.layers.Layer) -> list[tuple[int, ...]]:
    """Returns the shape of each tensor of a cell's state, without the batch."""
    sizes = cell.state_size
    sizes = sizes if isinstance(sizes, list | tuple) else [sizes]
    return [tuple(size) if isinstance(size, list | tuple) else (int(size),) for size in sizes]


def output_size(cell: keras.layers.Layer) -> int:
    """Returns the size of a cell's output."""
    return getattr(cell, "output_size", None) or math.prod(state_shapes(cell)[0])
