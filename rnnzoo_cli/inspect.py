"""`rnnzoo inspect`: what happens inside a model while it reads a text."""

import math
from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence, print_json, print_table


def inspect(
    model: options.Model,
    text: Annotated[
        str,
        typer.Argument(help="The text. For a translator: SOURCE, or SOURCE, a tab, TRANSLATION."),
    ],
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page: the text shaded by surprisal, or by each --unit."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw states and gates of the top layer over time, or of --unit, a .png."
        ),
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option(help="LAYER:STATE:UNIT, counted from 0, such as 1:c:37; may be repeated."),
    ] = None,
    json: options.Json = False,
):
    """Show what happens inside a model while it reads a text.

    Without --html and --plot a table is printed: for each token its surprisal in bits, its rank
    among all tokens, the entropy of the prediction, and the five likeliest tokens in its place;
    with --unit also the activation of these units. A translator reads its own translation where
    none is given.

    Examples:
      rnnzoo inspect char_lstm_shakespeare "To be, or not to be"

      rnnzoo inspect char_lstm_shakespeare "To be, or not to be" --html to_be.html --unit 1:c:37

      rnnzoo inspect char_lstm_shakespeare "To be, or not to be" --plot gates.png
    """
    with errors_in_a_sentence():
        from rnnzoo import inspection, zoo
        from rnnzoo.errors import InputError
        from rnnzoo.files import check_output
        from rnnzoo.plots import plot_gates

        for path, suffix, option in ((html, ".html", "--html"), (plot, ".png", "--plot")):
            if path is not None and path.suffix != suffix:
                raise InputError(f"{option} writes a {suffix} file, not {path.name!r}.")
            if path is not None:
                check_output(path.parent, megabytes=5, option=option)
        units = [inspection.parse_unit(each) for each in unit or []]
        loaded = zoo.load(model)
        parts = text.split("\t", 1) if hasattr(loaded, "translate") else [text]
        record = inspection.inspect(loaded, *parts)
        activations = [inspection.activation(record, each) for each in units]  # checks them
        if html is not None:
            inspection.save_page(record, html, units=units, title=model)
        if plot is not None:
            layer, _, place = units[0] if units else (-1, None, None)
            plot_gates(record.layers[layer], plot, tokens=record.tokens, unit=place)
        if json:
            print_json(_as_json(record, dict(zip(unit or [], activations, strict=True))))
        elif html is None and plot is None:
            print_table(_table(record, dict(zip(unit or [], activations, strict=True))))


def _as_json(record, activations):
    """The record without the arrays of layers."""
    rows = []
    for place, token in enumerate(record.tokens):
        logs = record.alternative_log_probabilities[place].tolist()
        others = zip(record.alternatives[place], logs, strict=False)
        rows.append(
            {
                "token": token,
                "id": int(record.ids[place]),
                "log_probability": _number(record.log_probabilities[place]),
                "rank": int(record.ranks[place]),
                "entropy": _number(record.entropies[place]),
                "alternatives": [{"token": text, "log_probability": log} for text, log in others],
                "units": {name: float(values[place]) for name, values in activations.items()},
            }
        )
    source = {} if record.source is None else {"source": record.source}
    return {**source, "tokens": rows}


def _number(value):
    return None if math.isnan(value) else float(value)


def _table(record, activations):
    """The record as a table."""
    from rich.table import Table
    from rich.text import Text

    from rnnzoo.plots.picture import visible

    table = Table("token", "bits", "rank", "entropy", *activations, "instead", box=None)
    for place, token in enumerate(record.tokens):
        given = record.ranks[place] == 0
        figures = [-record.log_probabilities[place] / math.log(2), record.ranks[place]]
        figures = (
            ["", "", ""]
            if given
            else [
                f"{figures[0]:.2f}",
                str(figures[1]),
                f"{record.entropies[place] / math.log(2):.2f}",
            ]
        )
        values = [f"{each[place]:.3f}" for each in activations.values()]
        others = " ".join(map(visible, record.alternatives[place]))
        table.add_row(Text(visible(token)), *figures, *values, Text(others))
    return table
