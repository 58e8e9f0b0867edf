"""The attention weights of a translation."""

import os
from collections.abc import Sequence

import numpy as np

from rnnzoo.plots.picture import picture, visible


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
    with picture(path, 2 + 0.35 * len(source), 1.5 + 0.3 * len(target)) as figure:
        axes = figure.subplots()
        axes.imshow(weights, cmap="Greys", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(source)), map(visible, source), rotation=90, parse_math=False)
        axes.set_yticks(range(len(target)), map(visible, target), parse_math=False)
        axes.xaxis.tick_top()
