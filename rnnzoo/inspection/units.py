"""`find_units`: the units whose activation follows a property of the text."""

from typing import Any, NamedTuple

import keras
import numpy as np

from rnnzoo.errors import InputError, check_positive, unknown_name
from rnnzoo.inspection.properties import PROPERTIES
from rnnzoo.inspection.reading import inspect
from rnnzoo.inspection.record import Inspection


class Unit(NamedTuple):
    """One unit of a recurrent layer.

    Attributes:
        layer: The place of its layer in `Inspection.layers`.
        state: The name of the tensor of the state: `"h"`, or `"c"` of an LSTM.
        unit: Its place in that tensor; in a matrix, in its rows one after the other.
        correlation: Pearson's correlation of its activation with the property, -1 to 1.
    """

    layer: int
    state: str
    unit: int
    correlation: float


def find_units(model: keras.Model, text: Any, property: Any, *, count: int = 10) -> list[Unit]:
    """Ranks units by how well their activation follows a property of a text.

    With thousands of units some follow a property of a short text by chance: read a text of some
    thousand characters, and look at the units found on another one.

    Args:
        model: A `LanguageModel`.
        text: The text.
        property: `"inside_quotes"`, `"line_position"`, `"after_capital"`, `"spaces_in_line"`, or
            numbers of your own, one for each token of `inspect(model, text)`.
        count: How many units to return.

    Returns:
        The units with the largest correlation, whatever its sign, the best first.

    Raises:
        InputError: If there is no such property, the numbers are not one for each token, or the
            property is the same in the whole text.

    Example:
        >>> import keras
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> keras.utils.set_random_seed(0)  # an untrained model: its weights are drawn
        >>> model = char_lstm(Vocabulary.from_text("To be or Not to be"), units=8)
        >>> best, *_ = find_units(model, "To be or Not", "after_capital")
        >>> abs(best.correlation) > 0.5
        True

    Reference:
        Karpathy, Johnson and Fei-Fei, "Visualizing and understanding recurrent networks",
        arXiv:1506.02078.
    """
    check_positive(count=count)
    record = inspect(model, text)
    values = _values(record, property)
    units = []
    for layer, found in enumerate(record.layers):
        for state, activations in found.states.items():
            correlations = _correlations(activations.reshape(len(values), -1), values)
            units += [Unit(layer, state, *each) for each in enumerate(correlations.tolist())]
    return sorted(units, key=lambda unit: -abs(unit.correlation))[:count]


def activation(record: Inspection, unit: tuple) -> np.ndarray:
    """Returns the activation of one unit after each token, float32 `(time,)`.

    Args:
        record: What `inspect` returned.
        unit: A `Unit`, or its layer, state and place alone.

    Raises:
        InputError: If the record has no such unit.
    """
    layer, state, place = unit[:3]
    if not 0 <= layer < len(record.layers):
        raise InputError(
            f"The model has {len(record.layers)} layers, counted from 0, and none is {layer!r}."
        )
    states = record.layers[layer].states
    if state not in states:
        raise unknown_name("state", state, states)
    values = states[state].reshape(len(record.ids), -1)
    if not 0 <= place < values.shape[1]:
        raise InputError(
            f"Layer {layer} has {values.shape[1]} units, counted from 0, and none is {place!r}."
        )
    return values[:, place]


def _values(record, property):
    """The property's value after each token, float64."""
    if isinstance(property, str):
        if property not in PROPERTIES:
            raise unknown_name("property", property, PROPERTIES)
        ends = np.cumsum([len(token) for token in record.tokens])  # of tokens, in the text
        values = PROPERTIES[property]("".join(record.tokens))[ends - 1]
    else:
        values = np.asarray(property, "float64")
        if values.shape != record.ids.shape:
            raise InputError(
                f"`property` must have one number for each of the {len(record.ids)} tokens that "
                f"`inspect` gives, not the shape {values.shape}."
            )
    if np.ptp(values) == 0 or not np.isfinite(values).all():
        raise InputError(
            f"`property` must change in the text and be finite, and {property!r} is "
            f"{values[0]:g} everywhere or has NaN; give another text."
        )
    return values


def _correlations(columns, values):
    """Pearson's correlation of each column with the values; 0 of one that never changes."""
    columns = columns.astype("float64") - columns.mean(axis=0, dtype="float64")
    values = values - values.mean()
    norms = np.linalg.norm(columns, axis=0) * np.linalg.norm(values)
    return np.divide(values @ columns, norms, out=np.zeros(len(norms)), where=norms > 1e-12)
