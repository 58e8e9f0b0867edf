"""`rnnzoo evaluate`: the figures of a card, made again from the data."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence, print_json, print_table

FACTS = ("split", "data", "now", "card", "different")  # of an evaluation, for --json


def evaluate(
    model: options.Model,
    data_dir: options.DataDir = None,
    text_file: Annotated[
        Path | None, typer.Option(help="The text, if the model was trained on one of your own.")
    ] = None,
    json: options.Json = False,
):
    """Make the figures of a model's card again from the data; exit code 1 if they differ.

    They are equal if they agree in three digits. The data, the split, how it is read and the code
    are those of the training.

    Examples:
      rnnzoo evaluate char_lstm_shakespeare

      rnnzoo evaluate saved_models/my_novel --text-file my_novel.txt

      rnnzoo evaluate char_lstm_shakespeare --json
    """
    with errors_in_a_sentence():
        from rnnzoo.publishing.evaluate import evaluate as evaluate_again

        found = evaluate_again(model, data_dir=data_dir, text_file=text_file)
        if json:
            facts = {name: getattr(found, name) for name in FACTS}
            print_json({"model": model, **facts})
        else:
            _compare(model, found)
    if found.different:
        raise typer.Exit(1)


def _compare(name, found):
    """Prints the figures of an evaluation beside those of the card."""
    from rich.table import Table

    from rnnzoo.publishing.report import readable

    table = Table("figure", "now", "card", "")
    for figure in dict.fromkeys([*found.card, *found.now]):
        words = readable(figure, 0)[0]
        values = [
            readable(figure, side[figure])[1] if figure in side else "-"
            for side in (found.now, found.card)
        ]
        table.add_row(words, *values, "differs" if figure in found.different else "")
    print_table(f"{name}, {found.split} data: {found.data}.")
    print_table(table)
    print_table(verdict(found))


def verdict(found):
    """Says which figures differ, and which there is nothing to compare with."""
    new = [figure for figure in found.different if figure not in found.card]
    old = [figure for figure in found.different if figure not in found.now]
    both = [figure for figure in found.different if figure in found.card and figure in found.now]
    sentences = {
        "{} differ.": both,
        "The card lacks {}, which this version measures.": new,
        "This version does not measure {}, which the card has.": old,
    }
    told = [text.format(", ".join(figures)) for text, figures in sentences.items() if figures]
    return " ".join(told) or "All agree."
