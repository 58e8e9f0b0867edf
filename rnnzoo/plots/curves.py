"""Learning curves: of one training, and of several in one picture."""

import csv
import math
import os
from collections.abc import Mapping

from rnnzoo.plots.picture import picture


def plot_learning_curve(
    log: str | os.PathLike,
    path: str | os.PathLike,
    *,
    title: str | None = None,
    loss: str = "loss (with dropout)",
) -> None:
    """Draws the loss of the training, and what training and validation measured, against minutes.

    The measures of an epoch, perplexity or bits per character, are drawn as nats per token, so that
    they compare with each other, but for dropout; of a classifier that is its loss, in nats per
    text. A loss with label smoothing does not compare with
    them, nor does what a training with a sampled softmax measures.

    Args:
        log: The log.csv of a training.
        path: The picture to write, such as curve.png.
        title: What to write above it.
        loss: What to call the loss.

    Example:
        ```python
        plot_learning_curve("saved_models/imdb_lm/log.csv", "curve.png")
        ```
    """
    rows = _rows(log)
    fine, checked = _fine_and_checked(rows)
    with picture(path, 7, 4) as figure:
        axes = _axes(figure, title, rows)
        axes.plot(_minutes(fine), _losses(fine), label=loss, linewidth=1)
        if all(row[_measure(rows)] for row in checked):
            axes.plot(_minutes(checked), _nats(checked), "o-", label="training, mean of an epoch")
        axes.plot(_minutes(checked), _nats(checked, "val_"), "o-", label="validation")
        axes.legend()


def plot_learning_curves(
    logs: Mapping[str, str | os.PathLike], path: str | os.PathLike, *, title: str | None = None
) -> None:
    """Draws several trainings in one picture: thin the loss, thick what validation measured.

    Args:
        logs: The log.csv of each training, by the name it gets in the picture.
        path: The picture to write.
        title: What to write above it.

    Example:
        ```python
        plot_learning_curves({"LSTM": "lstm/log.csv", "GRU": "gru/log.csv"}, "curves.png")
        ```
    """
    with picture(path, 7, 4) as figure:
        read = {name: _rows(log) for name, log in logs.items()}
        axes = _axes(figure, title, next(iter(read.values())))
        for name, rows in read.items():
            fine, checked = _fine_and_checked(rows)
            (thin,) = axes.plot(_minutes(fine), _losses(fine), linewidth=0.7)
            colour = thin.get_color()
            axes.plot(_minutes(checked), _nats(checked, "val_"), "o-", color=colour, label=name)
        axes.legend()


def _axes(figure, title, rows):
    axes = figure.subplots()
    axes.set_xlabel("minutes")
    axes.set_ylabel("nats per text" if _measure(rows) == "loss" else "nats per token")
    axes.grid(alpha=0.3)
    axes.set_title(title or "")
    return axes


def _rows(log):
    with open(log, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _fine_and_checked(rows):
    """The rows of the loss as finely as there are, and those with a validation."""
    # An epoch's own row repeats the mean of the whole epoch: use it where there is nothing finer.
    trained = [row for row in rows if row["loss"]]  # not so where an epoch was cut off
    fine = [row for row in trained if not row["val_loss"]] or trained
    return fine, [row for row in rows if row["val_loss"]]


def _losses(rows):
    return [float(row["loss"]) for row in rows]


def _minutes(rows):
    return [float(row["minutes"]) for row in rows]


def _measure(rows):
    """The figure that validation is drawn by; that of a classifier is its loss."""
    known = (name for name in ("perplexity", "bits_per_character") if name in rows[0])
    return next(known, "loss")


def _nats(rows, prefix=""):
    name = _measure(rows)
    nats = {
        "perplexity": math.log,
        "bits_per_character": lambda bits: bits * math.log(2),
        "loss": float,
    }[name]
    return [nats(float(row[prefix + name])) for row in rows]
