"""States and gates of a recurrent layer over time, as heat maps."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.plots.picture import picture, visible

LABELLED = 150  # tokens that have room for their labels
WIDTH = 12  # inches


def plot_gates(
    layer: Any, path: str | os.PathLike, *, tokens: Sequence[str], unit: int | None = None
) -> None:
    """Draws states and gates of a recurrent layer over time.

    Gates between 0 and 1 are grey, 1 black. Candidates and states are red above 0 and blue below.

    Args:
        layer: A `LayerRecord`, as `rnnzoo.inspect(model, text).layers` has them.
        path: The picture to write.
        tokens: The tokens that were read, one for each step.
        unit: Draws one unit alone, a row for each state and gate that has it. All units when left
            out, a heat map for each state and gate.

    Raises:
        InputError: If no state or gate has the unit.

    Example:
        ```python
        record = rnnzoo.inspect(model, "To be, or not to be")
        plot_gates(record.layers[0], "gates.png", tokens=record.tokens)
        ```
    """
    found = {**layer.gates, **layer.states}
    rows = {name: values.reshape(len(tokens), -1).T for name, values in found.items()}  # (U, T)
    height = 1.5
    if unit is not None:
        units = max(map(len, rows.values()))
        if not 0 <= unit < units:
            last = units - 1
            raise InputError(
                f"The layer {layer.name!r} has units 0 to {last}, not {unit}; give one of them."
            )
        rows = {
            name: values[unit : unit + 1] for name, values in rows.items() if unit < len(values)
        }
        height = 0.35
    with picture(path, min(WIDTH, 2 + 0.16 * len(tokens)), 1 + height * len(rows)) as figure:
        every = figure.subplots(len(rows), sharex=True, squeeze=False)[:, 0]
        for axes, (name, values) in zip(every, rows.items(), strict=True):
            signed = name in layer.states or name in layer.candidates
            colours = _colours(values, signed)
            image = axes.imshow(values, aspect="auto", interpolation="nearest", **colours)
            axes.set_ylabel(name, rotation=0, ha="right", va="center", parse_math=False)
            axes.set_yticks([])
            if unit is None:
                figure.colorbar(image, ax=axes, pad=0.01)
        if len(tokens) <= LABELLED:
            every[-1].set_xticks(range(len(tokens)), map(visible, tokens), parse_math=False)
            longest = max(map(len, tokens))
            every[-1].tick_params(axis="x", labelsize=7, rotation=90 if longest > 2 else 0)
        which = "all units" if unit is None else f"unit {unit}"
        figure.suptitle(f"{layer.name}, {which}", fontsize=10)


def _colours(values, signed):
    if not signed and values.min() >= 0 and values.max() <= 1:  # a cell's own gate may be else
        return {"cmap": "Greys", "vmin": 0, "vmax": 1}
    largest = float(np.abs(values).max()) or 1.0  # all zero: white
    return {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
