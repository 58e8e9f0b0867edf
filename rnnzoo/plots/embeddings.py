"""Embeddings in two dimensions."""

import os
from collections.abc import Sequence

import numpy as np

from rnnzoo.plots.picture import picture, visible


def plot_embeddings(
    embeddings: np.ndarray, path: str | os.PathLike, *, labels: Sequence[str]
) -> None:
    """Draws embeddings along their two principal components.

    Args:
        embeddings: A row for each token, `(tokens, embedding_dim)`.
        path: The picture to write.
        labels: The text of each token.

    Example:
        ```python
        plot_embeddings(model.embeddings(), "embeddings.png", labels=model.vocabulary.tokens)
        ```
    """
    points, shares = principal_components(np.asarray(embeddings, "float64"))
    with picture(path, 7, 6) as figure:
        axes = figure.subplots()
        axes.scatter(*points.T, s=0)  # for the limits of the axes
        for (x, y), label in zip(points, labels, strict=True):
            axes.text(x, y, visible(label), ha="center", va="center", parse_math=False)
        axes.set_xlabel(f"first component, {shares[0]:.0%} of the variance")
        axes.set_ylabel(f"second component, {shares[1]:.0%}")
        axes.grid(alpha=0.3)


def principal_components(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the coordinates of rows along their two principal components.

    Args:
        rows: `(count, size)`.

    Returns:
        The coordinates, `(count, 2)`, and the share of the variance that each has.

    Example:
        >>> points, shares = principal_components(np.array([[0.0, 1.0], [0.0, 3.0], [0.0, 5.0]]))
        >>> shares.round(3).tolist(), abs(points[0] - points[2]).round(3).tolist()
        ([1.0, 0.0], [4.0, 0.0])
    """
    rows = rows - rows.mean(axis=0)
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    return (left * sizes)[:, :2], sizes[:2] ** 2 / (sizes**2).sum()
