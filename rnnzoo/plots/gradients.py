"""Gradients: how far back a prediction looks, and how large the steps of a training are."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from rnnzoo.plots.picture import picture


def plot_sensitivity(
    norms: Mapping[str, Mapping[str, Sequence[np.ndarray]]], path: str | os.PathLike
) -> None:
    """Draws how much predictions depend on tokens by their distance, models side by side.

    A line that falls straight down the logarithmic scale is a vanishing gradient.

    Args:
        norms: For each panel, by its title, its lines by their names; each line is a list of what
            `rnnzoo.inspection.sensitivity` returned for several positions, whose mean is drawn at
            each distance that all of them have.
        path: The picture to write.

    Example:
        ```python
        found = [sensitivity(model, text, position) for position in range(100, 200, 10)]
        plot_sensitivity({"LSTM": {"trained": found}}, "sensitivity.png")
        ```

    Reference:
        Madsen, "Visualizing memorization in RNNs", Distill 2019, doi:10.23915/distill.00016;
        Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen", 1991.
    """
    with picture(path, 1 + 3.2 * len(norms), 3.2) as figure:
        every = figure.subplots(1, len(norms), sharey=True, squeeze=False)[0]
        for axes, (title, lines) in zip(every, norms.items(), strict=True):
            for name, found in lines.items():
                by_distance = mean_by_distance(found)
                axes.plot(range(1, len(by_distance) + 1), by_distance, label=name)
            axes.set_title(title)
            axes.set_yscale("log")
            axes.set_xlabel("tokens before the prediction")
            axes.grid(alpha=0.3)
            axes.legend()
        every[0].set_ylabel("norm of the gradient")


def mean_by_distance(norms: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the mean of sensitivities at each distance, the nearest first.

    Example:
        >>> mean_by_distance([np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0])]).tolist()
        [4.0, 3.0]
    """
    shortest = min(map(len, norms))
    return np.mean([each[::-1][:shortest] for each in norms], axis=0)


def plot_gradient_norms(
    norms: Mapping[str, Sequence[float]], path: str | os.PathLike, *, clipnorm: float | None = None
) -> None:
    """Draws the norm of the gradient at each step of trainings.

    Args:
        norms: The norms of each training, by the name it gets in the picture.
        path: The picture to write.
        clipnorm: The norm that gradients were clipped to, drawn as a line.

    Example:
        ```python
        plot_gradient_norms({"without clipping": free, "with clipping": clipped}, "norms.png")
        ```
    """
    with picture(path, 7, 3.5) as figure:
        axes = figure.subplots()
        for name, values in norms.items():
            axes.plot(values, label=name, linewidth=1)
        if clipnorm is not None:
            axes.axhline(clipnorm, color="black", linestyle="--", linewidth=1, label="clipped to")
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("norm of the gradient")
        axes.grid(alpha=0.3)
        axes.legend()
