"""`rnnzoo evaluate`: the figures of a card, made again, and what models reach at test time."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence, print_json, print_table

FIELDS = ("split", "data", "now", "card", "different")  # of an evaluation, for --json


def evaluate(
    model: options.Model,
    data_dir: options.DataDir = None,
    text_file: Annotated[
        Path | None, typer.Option(help="The text, if the model was trained on one of your own.")
    ] = None,
    adapt: Annotated[
        str | None,
        typer.Option(help="Let it adapt to the text that it is measured on: dynamic, or cache."),
    ] = None,
    json: options.Json = False,
):
    """Make the figures of a model's card again from the data; exit code 1 if they differ.

    They are equal if they agree in three digits. The data, the split, how it is read and the code
    are those of the training.

    With --adapt the model adapts to the text while it reads it; of A+B, several models, the
    probabilities are averaged. These are other measures than the card's: they are printed beside
    the models as they are, and compared with no card.

    Examples:
      rnnzoo evaluate char_lstm_shakespeare

      rnnzoo evaluate saved_models/my_novel --text-file my_novel.txt

      rnnzoo evaluate char_lstm_shakespeare --json

      rnnzoo evaluate char_lstm_shakespeare --adapt dynamic

      rnnzoo evaluate char_lstm_shakespeare+char_lstm_shakespeare_small
    """
    if adapt is not None or ("+" in model and not Path(model).exists()):
        _at_test_time(model, adapt, data_dir=data_dir, text_file=text_file, json=json)
        return
    with errors_in_a_sentence():
        from rnnzoo.publishing.evaluate import evaluate as evaluate_again

        found = evaluate_again(model, data_dir=data_dir, text_file=text_file)
        if json:
            fields = {name: getattr(found, name) for name in FIELDS}
            print_json({"model": model, **fields})
        else:
            _compare(model, found)
    if found.different:
        raise typer.Exit(1)


def _at_test_time(model, adapt, *, json, **data):
    with errors_in_a_sentence():
        from rnnzoo.publishing.at_test_time import evaluate_at_test_time

        found = evaluate_at_test_time(model, adapt=adapt, **data)
        if json:
            print_json({"model": model, **asdict(found)})
        else:
            print_beside_plain(model, found)


def print_beside_plain(name, found):
    """Prints the figures of a model that adapts beside those of the same model as it is."""
    from rich.table import Table

    from rnnzoo.publishing.report import readable

    table = Table("figure", "result", *(f"{each}, as it is" for each in found.plain))
    for figure in found.now:
        words = readable(figure, 0)[0]
        values = [readable(figure, side[figure])[1] for side in (found.now, *found.plain.values())]
        table.add_row(words, *values)
    print_table(f"{name}, {found.split} data: {found.data}.")
    print_table(f"Not a figure of the card: {found.how}.")
    print_table(table)


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
