"""The same prompt at several temperatures."""

import os
import textwrap
from collections.abc import Mapping

from rnnzoo.plots.picture import picture

COLUMNS = 3
LETTERS = 42  # a line of a panel


def plot_temperatures(texts: Mapping[float, str], path: str | os.PathLike) -> None:
    """Draws what a model wrote at several temperatures, side by side.

    Args:
        texts: The text of each temperature.
        path: The picture to write.

    Example:
        ```python
        texts = {t: model.generate("ROMEO:", temperature=t, seed=1) for t in (0.2, 0.5, 1.0)}
        plot_temperatures(texts, "temperatures.png")
        ```
    """
    folded = {each: _folded(text) for each, text in texts.items()}
    lines = max(text.count("\n") + 1 for text in folded.values())
    rows = -(-len(texts) // COLUMNS)
    with picture(path, 3.6 * COLUMNS, rows * (0.5 + 0.14 * lines)) as figure:
        every = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in every:
            axes.axis("off")
        for axes, (temperature, text) in zip(every, folded.items(), strict=False):
            axes.set_title(f"temperature {temperature:g}", loc="left", fontsize=10)
            axes.text(
                0, 1, text, va="top", family="monospace", fontsize=8, parse_math=False,
                transform=axes.transAxes,
            )  # fmt: skip


def _folded(text):
    """A text whose lines fit into a panel."""
    lines = [textwrap.wrap(line, LETTERS) or [""] for line in text.strip("\n").splitlines()]
    return "\n".join(line for wrapped in lines for line in wrapped)
