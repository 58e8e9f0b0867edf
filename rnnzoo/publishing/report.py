"""Figures in words: for the terminal and for the card."""

import os
from typing import Any

SHARES = (
    "_rate", "_right", "_worst_length", "_by_length", "_by_position", "accuracy", "_by_label",
)  # fmt: skip


def is_share(name: str) -> bool:
    """Whether a figure, or each number of it, is a share, from 0 to 1.

    Example:
        >>> is_share("unknown_rate"), is_share("perplexity")
        (True, False)
    """
    return name.endswith(SHARES)


def readable(name: str, value: float | list[float] | dict[str, float]) -> tuple[str, str]:
    """Formats a figure: its name without underscores, and its value.

    Example:
        >>> readable("unknown_rate", 0.04251)
        ('unknown rate', '4.25 %')
        >>> readable("bleu_beam_5", 39.071)
        ('BLEU beam 5', '39.07')
        >>> readable("symbols_right_by_length", {"1": 1.0, "2": 0.99953})
        ('symbols right by length', '1: 100.00 %, 2: 99.95 %')
    """
    words = name.replace("_", " ").replace("bleu", "BLEU").replace("chrf", "chrF")
    if isinstance(value, dict):
        return words, ", ".join(f"{key}: {_percent(share)}" for key, share in value.items())
    if isinstance(value, list):
        return words, " ".join(f"{number:.3f}" for number in value)
    if is_share(name):
        return words, _percent(value)
    if isinstance(value, int):
        return words, f"{value:,}"
    whole = name.startswith(("bleu", "chrf")) or abs(value) >= 10
    return words, f"{value:.2f}" if whole else f"{value:.4f}"


def _percent(share):
    return f"{share:.2%}".replace("%", " %")


def comparison(
    name: str, figures: dict[str, Any], baselines: dict[str, float]
) -> list[tuple[str, float]]:
    """Rows that set a model's figure beside those of simple models, the best last.

    Args:
        name: The model's name.
        figures: Its figures, with `"perplexity"` or `"accuracy"`.
        baselines: The same of others, by names such as `"kneser_ney_2gram_perplexity"`.

    Returns:
        A list of (name, value).

    Example:
        >>> comparison("mine", {"accuracy": 0.9}, {"naive_bayes_accuracy": 0.8})
        [('naive Bayes', 0.8), ('mine', 0.9)]
    """
    figure = compared(baselines)
    rows = [(label.removesuffix(f"_{figure}"), value) for label, value in baselines.items()]
    if figure == "perplexity":
        rows = [(f"interpolated {label}", value) for label, value in rows]
    rows = [(label.replace("_", " "), value) for label, value in rows]
    rows = [
        (label.replace("kneser ney", "Kneser-Ney").replace("naive bayes", "naive Bayes"), value)
        for label, value in rows
    ]
    rows.append((name, figures[figure]))
    return sorted(rows, key=lambda row: row[1] if is_share(figure) else -row[1])


def compared(baselines: dict[str, float]) -> str:
    """The figure that simple models are compared by: `"perplexity"` or `"accuracy"`."""
    return next(iter(baselines)).rsplit("_", 1)[-1]


def show(
    name: str, figures: dict[str, Any], baselines: dict[str, float], folder: str | os.PathLike
) -> None:
    """Prints the figures of a training as tables.

    Args:
        name: The model's name.
        figures: Its figures by name.
        baselines: Figures of simple models by name, if any.
        folder: Where the model lies.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, emoji=False)  # names may have brackets
    table = Table("figure", "value", title=f"{name} on its validation data", title_justify="left")
    for label, value in figures.items():
        table.add_row(*readable(label, value))
    console.print(table)
    if baselines:
        figure = compared(baselines)
        what = "texts" if is_share(figure) else "tokens"
        table = Table("model", figure, title=f"On the same {what}", title_justify="left")
        for label, value in comparison(name, figures, baselines):
            table.add_row(label, readable(figure, value)[1])
        console.print(table)
    console.print(f"Written to {folder}", soft_wrap=True, highlight=False)
