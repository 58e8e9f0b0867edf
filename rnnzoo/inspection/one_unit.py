"""One unit of a language model: where it stands in the state, and its activation over a text."""

import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.generation.batching import LENGTH_STEP
from rnnzoo.generation.loop import pad_rows
from rnnzoo.generation.protocol import cast_like
from rnnzoo.generation.row_steps import unit_values
from rnnzoo.inspection.reading import ids_of
from rnnzoo.inspection.steps import state_names
from rnnzoo.layers.cells.registry import state_shapes
from rnnzoo.layers.kernels.report import cells_and_layers


class StateTensor(NamedTuple):
    """One tensor of a language model's state.

    Attributes:
        layer: The place of its recurrent layer, from 0.
        name: Its name: `"h"`, or `"c"` of an LSTM.
        units: How many numbers it has.
    """

    layer: int
    name: str
    units: int


def state_tensors(model: keras.Model) -> list[StateTensor]:
    """Lists the tensors of a language model's state, in the order of the state.

    Example:
        >>> from rnnzoo import char_lstm
        >>> [tuple(tensor) for tensor in state_tensors(char_lstm(65, units=8, num_layers=1))]
        [(0, 'h', 8), (0, 'c', 8)]
    """
    cells = [getattr(layer, "cell", layer) for layer, *_ in cells_and_layers(model)]
    return [
        StateTensor(place, name, math.prod(shape))
        for place, cell in enumerate(cells)
        for name, shape in zip(state_names(cell), state_shapes(cell), strict=True)
    ]


def parse_unit(text: str) -> tuple[int, str, int]:
    """Reads the name of a unit, `LAYER:STATE:UNIT` with numbers counted from 0.

    Raises:
        InputError: If it is no such name.

    Example:
        >>> parse_unit("1:c:37")
        (1, 'c', 37)
    """
    layer, _, rest = text.partition(":")
    state, _, place = rest.rpartition(":")
    if not (layer.isdecimal() and state and place.isdecimal()):
        raise InputError(
            "A unit is LAYER:STATE:UNIT with numbers counted from 0, such as 1:c:37, not "
            f"{text[:100]!r}."
        )
    return int(layer), state, int(place)


def unit_place(model: keras.Model, unit: str) -> int:
    """Finds a unit in the state, whose tensors count one after the other.

    Args:
        model: A `LanguageModel`.
        unit: `LAYER:STATE:UNIT`, such as `"1:c:37"`.

    Raises:
        InputError: If the model has no such unit.
    """
    layer, state, place = parse_unit(unit)
    tensors = state_tensors(model)
    sizes = {tensor.name: tensor.units for tensor in tensors if tensor.layer == layer}
    if not sizes:
        raise InputError(
            f"The model has {tensors[-1].layer + 1} layers, counted from 0, and none is {layer}."
        )
    if state not in sizes:
        raise unknown_name("state", state, sizes)
    if place >= sizes[state]:
        raise InputError(
            f"Layer {layer} has {sizes[state]} units in {state!r}, counted from 0, and none is "
            f"{place}."
        )
    first = tensors.index((layer, state, sizes[state]))
    return sum(tensor.units for tensor in tensors[:first]) + place


def read_unit(model: keras.Model, text: Any, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Reads a text and keeps the activation of one unit: less to keep than what `inspect` does.

    Args:
        model: A `LanguageModel`.
        text: The text; ids for a model without a vocabulary.
        unit: `LAYER:STATE:UNIT`, such as `"1:c:37"`.

    Returns:
        The ids, int32 `(time,)`, and the activation after each, float32 `(time,)`.

    Raises:
        InputError: If the text cannot be read, or the model has no such unit.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> read_unit(model, "to be", "0:h:3")[1].shape
        (5,)
    """
    ids, place = ids_of(model, text), unit_place(model, unit)

    def run(tokens, places):
        state, steps = model.get_initial_state(1), ops.arange(ops.shape(tokens)[0], dtype="int32")

        def read(step, values, *flat):
            old = keras.tree.pack_sequence_as(state, list(flat))
            token = ops.expand_dims(ops.take(tokens, step, axis=0), 0)
            _, new = model.step(token, old)
            values = ops.where(ops.equal(steps, step), unit_values(new, places), values)
            return (step + 1, values, *keras.tree.flatten(cast_like(new, old)))

        first = (
            ops.convert_to_tensor(0, "int32"),
            ops.zeros(ops.shape(tokens), "float32"),
            *keras.tree.flatten(state),
        )
        return ops.while_loop(lambda step, *_: step < ops.shape(tokens)[0], read, first)[1]

    tokens = pad_rows([ids], LENGTH_STEP)[0][0]  # JAX compiles for every length
    values = model.decodable().compiled("read_unit", run)(tokens, np.array([place], "int32"))
    return ids, ops.convert_to_numpy(values)[: len(ids)]
