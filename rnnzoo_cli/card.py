"""`rnnzoo card`: what a model is, what it reaches, and how it was made."""

import sys

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence, print_json


def card(name: options.Model, json: options.Json = False):
    """Print the card of a model: what it is, what it reaches, how to train it again.

    With --json it prints what the training noted, the content of metrics.json.

    Examples:
      rnnzoo card char_lstm_shakespeare

      rnnzoo card saved_models/my_novel > card.md

      rnnzoo card gru_seq2seq_spa_eng --json
    """
    with errors_in_a_sentence(keras=False):
        from rnnzoo import zoo
        from rnnzoo.errors import InputError

        file = "metrics.json" if json else "card.md"
        path = zoo.find(name).parent / file
        if not path.is_file():
            raise InputError(
                f"There is no {file} beside the model in {path.parent}; give the folder that a "
                "training left, or a name of the zoo."
            )
        _show(path.read_text(encoding="utf-8"), json)


def _show(text, json):
    """Prints a card, as it stands or, in a terminal, with its headings and tables drawn."""
    import json as json_module

    if json:
        print_json(json_module.loads(text))
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        print(text, end="")
