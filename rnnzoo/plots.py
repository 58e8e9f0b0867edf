"""Pictures."""

import csv
import math
import os
from collections.abc import Sequence

import numpy as np

from rnnzoo.files import atomic_path


def plot_learning_curve(
    log: str | os.PathLike,
    path: str | os.PathLike,
    *,
    title: str | None = None,
    loss: str = "loss (with dropout)",
) -> None:
    """Draws the loss of the training, and what training and validation measured, against minutes.

    The measures of an epoch, perplexity or bits per character, are drawn as nats per token, so that
    they compare with each other, but for dropout. A loss with label smoothing does not compare with
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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with open(log, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # An epoch's own row repeats the mean of the whole epoch: use it where there is nothing finer.
    trained = [row for row in rows if row["loss"]]  # not so where an epoch was cut off
    fine = [row for row in trained if not row["val_loss"]] or trained
    checked = [row for row in rows if row["val_loss"]]
    figure = Figure(figsize=(7, 4), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(_minutes(fine), [float(row["loss"]) for row in fine], label=loss, linewidth=1)
    if all(row[_measure(rows)] for row in checked):
        axes.plot(_minutes(checked), _nats(checked), "o-", label="training, mean of an epoch")
    axes.plot(_minutes(checked), _nats(checked, "val_"), "o-", label="validation")
    axes.set_xlabel("minutes")
    axes.set_ylabel("nats per token")
    axes.grid(alpha=0.3)
    axes.legend()
    if title:
        axes.set_title(title)
    with atomic_path(path) as temporary:
        canvas.print_png(temporary)


def _minutes(rows):
    return [float(row["minutes"]) for row in rows]


def _measure(rows):
    return next(name for name in ("perplexity", "bits_per_character") if name in rows[0])


def _nats(rows, prefix=""):
    name = _measure(rows)
    nats = math.log if name == "perplexity" else lambda bits: bits * math.log(2)
    return [nats(float(row[prefix + name])) for row in rows]


def plot_attention(
    weights: np.ndarray,
    path: str | os.PathLike,
    *,
    source: Sequence[str],
    target: Sequence[str],
) -> None:
    """Draws the attention weights of a translation: a row for each token that was generated.

    Args:
        weights: `(target tokens, source tokens)`, as `Seq2Seq.translate` returns them.
        path: The picture to write, such as attention.png.
        source: The source's tokens.
        target: The translation's tokens.

    Example:
        ```python
        text, weights = model.translate("no sé", return_attention=True)
        plot_attention(weights, "no_se.png", source=["no", "sé", "<end>"], target=[...])
        ```

    Reference:
        Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and
        translate", ICLR 2015 (arXiv:1409.0473), figure 3.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (2 + 0.35 * len(source), 1.5 + 0.3 * len(target))  # inches
    figure = Figure(figsize=size, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source, rotation=90, parse_math=False)
    axes.set_yticks(range(len(target)), target, parse_math=False)
    axes.xaxis.tick_top()
    with atomic_path(path) as temporary:
        canvas.print_png(temporary)
