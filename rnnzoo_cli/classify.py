"""`rnnzoo classify`: the label of each text."""

from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.lines import refuse_blank, texts_or_stdin
from rnnzoo_cli.running import errors_in_a_sentence, load_able, print_json, print_nothing


def classify(
    model: options.Model,
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts; else stdin, a text a line.")
    ] = None,
    json: options.Json = False,
):
    """Print the label of each text, with its probability before it, after a tab.

    The lines of a pipe are answered one by one. A blank line gives a blank line, or with --json an
    object without a label.

    Examples:
      rnnzoo classify sentiment_imdb "The best film that I have seen this year."

      rnnzoo classify sentiment_imdb < reviews.txt

      rnnzoo classify sentiment_imdb "It has its moments." --json
    """
    with errors_in_a_sentence():
        refuse_blank(texts)
        loaded = load_able(model, "classify")
        for block in texts_or_stdin(texts):
            read = [text for text in block if text.strip()]
            found = iter(loaded.classify(read) if read else [])
            for text in block:
                if text.strip():
                    _print(text, next(found), json=json)
                else:
                    print_nothing(json, text=text)


def _print(text, found, *, json):
    """Prints a label, or the probability of each."""
    if json:
        print_json({"text": text, **found._asdict()})
    else:
        print(f"{found.probabilities[found.label]:.3f}\t{found.label}", flush=True)
