"""What all pictures share: a figure without a screen, and a file that is written whole."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnnzoo.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {" ": "␣", "\n": "↵", "\t": "⇥"}


@contextlib.contextmanager
def picture(path: str | os.PathLike, width: float, height: float) -> "Iterator[Figure]":
    """Yields a figure to draw on, and writes it as a PNG once it is drawn.

    Args:
        path: The file; one that exists is replaced.
        width: In inches.
        height: In inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    yield figure
    with atomic_path(path) as temporary:
        canvas.print_png(temporary)


def visible(token: str) -> str:
    """Returns a token as a label: spaces and line breaks by their signs."""
    return NAMES.get(token, token.replace("\n", "↵"))
