"""Pictures."""

import csv
import os
from pathlib import Path


def plot_learning_curve(
    log: str | os.PathLike, path: str | os.PathLike, title: str | None = None
) -> None:
    """Draws training and validation loss against minutes.

    Args:
        log: The log.csv of a training.
        path: The picture to write, such as curve.png.
        title: What to write above it.

    Example:
        ```python
        plot_learning_curve("saved_models/imdb_lm/log.csv", "curve.png")
        ```
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with open(log, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # An epoch's own row repeats the mean of the whole epoch: use it where there is nothing finer.
    fine = [row for row in rows if not row["val_loss"]] or rows
    checked = [row for row in rows if row["val_loss"]]
    figure = Figure(figsize=(7, 4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(*_columns(fine, "loss"), label="training (with dropout)", linewidth=1)
    axes.plot(*_columns(checked, "val_loss"), "o-", label="validation")
    axes.set_xlabel("minutes")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.legend()
    if title:
        axes.set_title(title)
    path = Path(path)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.tmp.png")
    try:
        canvas.print_png(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _columns(rows, name):
    return [float(row["minutes"]) for row in rows], [float(row[name]) for row in rows]
