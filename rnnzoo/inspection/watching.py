"""What recurrent cells are given and return while a model runs."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from rnnzoo.generation.protocol import cast_like
from rnnzoo.layers.cells.cell_loop import cast_state, run_cell
from rnnzoo.layers.quantization import dequantized
from rnnzoo.typing import Tensor


class Steps(NamedTuple):
    """What one cell did, a step or all of them.

    Attributes:
        inputs: What it read, `(time, features)`.
        before: The state before each step, a list of `(time, *shape)`.
        after: The state after each step, as `before`.
    """

    inputs: Tensor
    before: list[Tensor]
    after: list[Tensor]


@contextlib.contextmanager
def replaced(owner: Any, name: str, function: Callable) -> Iterator[None]:
    """Puts a function in the place of a method of one object, for as long as the block runs."""
    object.__setattr__(owner, name, function)  # beside Keras, which would track it
    try:
        yield
    finally:
        object.__delattr__(owner, name)


@contextlib.contextmanager
def watched_cells(cells: Sequence[keras.layers.Layer]) -> Iterator[dict[int, Steps]]:
    """Notes the next step of each cell, by its place in the list."""
    seen = {}

    def watching(place, call):
        def watched(inputs, states, **options):
            output, new = call(inputs, states, **options)
            seen[place] = Steps(inputs, list(states), keras.tree.flatten(new))
            return output, new

        return watched

    with contextlib.ExitStack() as stack:
        for place, cell in enumerate(cells):
            stack.enter_context(replaced(cell, "call", watching(place, cell.call)))
        yield seen


@contextlib.contextmanager
def watched_layers(layers: Sequence[keras.layers.RNN]) -> Iterator[dict[int, tuple]]:
    """Notes the sequences and the initial state of each layer's next loop over time."""
    seen = {}

    def watching(place, loop):
        def watched(sequences, initial_state, mask, training=False):
            seen[place] = sequences, list(initial_state)
            return loop(sequences, initial_state, mask, training=training)

        return watched

    with contextlib.ExitStack() as stack:
        for place, layer in enumerate(layers):
            loop = watching(place, layer.inner_loop)
            stack.enter_context(replaced(layer, "inner_loop", loop))
        yield seen


def cell_over_time(
    layer: keras.layers.RNN, sequences: Tensor, initial_state: list[Tensor]
) -> Steps:
    """Runs the cell of a layer over a sequence and keeps every state.

    Args:
        layer: The recurrent layer; one that goes backwards begins at the end.
        sequences: Its inputs, `(1, time, features)`.
        initial_state: The state before the first step, a list of `(1, *shape)`.

    Returns:
        Its steps in the order of the sequence.
    """
    inputs, initial_state = sequences[0], cast_state(layer.cell, initial_state)
    inputs = ops.flip(inputs, 0) if layer.go_backwards else inputs

    def step(state, x):
        new = cast_like(run_cell(layer.cell, ops.expand_dims(x, 0), state)[1], state)
        return new, new

    with dequantized(layer.cell):
        _, after = ops.scan(step, initial_state, inputs)
    after = [tensor[:, 0] for tensor in after]  # (S, *shape)
    before = [
        ops.concatenate([first, tensor[:-1]])
        for first, tensor in zip(initial_state, after, strict=True)
    ]
    steps = Steps(inputs, before, after)
    if layer.go_backwards:
        steps = Steps(*keras.tree.map_structure(lambda tensor: ops.flip(tensor, 0), tuple(steps)))
    return steps
