"""`rnnzoo score`: how probable a model finds texts, and which words it did not expect."""

import math
import sys
from typing import Annotated, NamedTuple

import typer

from rnnzoo_cli import options
from rnnzoo_cli.lines import refuse_blank, texts_or_stdin
from rnnzoo_cli.running import errors_in_a_sentence, load_able, print_json, print_nothing

END = "<end>"  # how the end of a text is called among its words
TIMES = 2.0  # a word is marked that costs so many times as many nats as the text's words on average


class Word(NamedTuple):
    """A word of a text with the spaces around it.

    Args:
        text: The word; nothing for the end of the text.
        nats: Its negative log-probability: the sum of those of its tokens.
        marked: Whether it is far less probable than the text's other words.
    """

    text: str
    nats: float
    marked: bool


def score(
    model: options.Model,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts; else stdin, a text a line. For a translator: SOURCE, a tab, TRANSLATION."
        ),
    ] = None,
    json: options.Json = False,
):
    """Print how probable a model finds texts: nats, bits per character and perplexity.

    Below its figures each text is printed with the words that the model did not expect marked:
    those with more than twice the nats of the text's words on average. They are red in a terminal;
    elsewhere they stand in brackets with their nats. A blank line of a pipe gives a blank line, or
    with --json an object without figures.

    Examples:
      rnnzoo score char_lstm_shakespeare "To be, or not to be: that is the aardvark."

      rnnzoo score word_lm_imdb < reviews.txt --json
    """
    with errors_in_a_sentence():
        refuse_blank(texts)
        loaded = load_able(model, "score")
        for block in texts_or_stdin(texts):
            for text in block:
                if text.strip():
                    _print(*_measure(loaded, text), text=text, json=json)
                else:
                    print_nothing(json, text=text)


def _measure(model, text):
    """The figures of a text, and its words with theirs."""
    from rnnzoo.errors import InputError
    from rnnzoo.generation.scoring import token_nats
    from rnnzoo.inspection.tokens import added_texts

    translates, source = hasattr(model, "translate"), None
    if translates:
        source, tab, text = text.partition("\t")
        if not tab:
            raise InputError(
                f"A translator scores a source and its translation with a tab between them, and "
                f"{source!r} has no tab."
            )
    vocabulary = model.target_vocabulary if translates else model.vocabulary
    if vocabulary is None:
        raise InputError("The model holds no vocabulary; give a model trained on text.")
    given, ids, nats = token_nats(model, text, source=source)
    first, *texts = added_texts(vocabulary, [*given, *ids])
    ends = len(ids) > 0 and ids[-1] == vocabulary.end_id
    characters = sum(map(len, texts))
    total = float(nats.sum())
    figures = {
        "nats": total,
        "tokens": len(ids),
        "bits_per_character": total / math.log(2) / max(1, characters),
        "perplexity": math.exp(min(total / len(ids), 700.0)),
    }
    words = words_of(first, texts[: len(texts) - ends], nats[: len(nats) - ends])
    if ends:  # it has no text, and costs nothing of the last word
        words.append(Word("", float(nats[-1]), marked=False))
    return figures, words


def words_of(given, token_texts, nats):
    """Joins the tokens of a text to words, and marks those that the model did not expect.

    Args:
        given: The text of what was not predicted: the first symbol, or nothing.
        token_texts: The text of each predicted token.
        nats: Their negative log-probabilities.

    Returns:
        A list of `Word`; their texts together are the text.
    """
    texts, costs = [given], [0.0]
    for piece, cost in zip(token_texts, nats, strict=True):
        between = piece[:1].isspace() or texts[-1][-1:].isspace()
        if between and piece.strip() and texts[-1].strip():
            texts.append("")
            costs.append(0.0)
        texts[-1] += piece
        costs[-1] += float(cost)
    mean = sum(costs) / len(costs)
    return [
        Word(text, cost, marked=cost > TIMES * mean and bool(text.strip()))
        for text, cost in zip(texts, costs, strict=True)
    ]


def _print(figures, words, *, text, json):
    """Prints the figures of a text and its words, those marked that the model did not expect."""
    if json:
        listed = [
            {"word": text.strip() if text else END, "nats": nats, "marked": marked}
            for text, nats, marked in words
        ]
        print_json({"text": text, **figures, "words": listed})
        return
    print(
        f"{figures['nats']:.2f} nats, {figures['tokens']} tokens, "
        f"{figures['bits_per_character']:.3f} bits per character, "
        f"perplexity {figures['perplexity']:.2f}"
    )
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        parts = [(word.text, "bold red" if word.marked else "") for word in words]
        Console().print(Text.assemble(*parts), soft_wrap=True)
    else:
        print("".join(in_brackets(word) if word.marked else word.text for word in words))
    print(flush=True)


def in_brackets(word):
    """A word in brackets with its nats; the spaces around it stay outside."""
    bare = word.text.strip()
    before, after = word.text.split(bare, 1)
    return f"{before}[{bare}: {word.nats:.1f}]{after}"
