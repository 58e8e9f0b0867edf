"""What changes in a recipe and a corpus when the text is one of the user's own."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rnnzoo.data.corpus import Corpus, Splits
from rnnzoo.errors import InputError
from rnnzoo.tasks.recipe import Recipe
from rnnzoo.vocabulary import Vocabulary, lookalikes


def of_own_text(recipe: Recipe, corpus: Corpus, from_model: str | None = None) -> Recipe:
    """Puts words about a text of one's own in the place of those about the recipe's corpus.

    Args:
        recipe: The recipe.
        corpus: The text that it is trained on.
        from_model: The model that the training starts from, if any.

    Returns:
        The recipe without its prompts, which the task then takes from the text.
    """
    tuned = f", fine-tuned from {Path(from_model).name}" if from_model else ""
    description = f"{recipe.kind_of_model()} of {Path(corpus.name).name}{tuned}."
    return replace(recipe, description=description, prompts=(), expected="", limits="")


def title(recipe: Recipe, corpus: Corpus) -> str:
    """The name of a model on its card: that of the recipe, or that of a text of one's own."""
    return recipe.name if corpus.name == recipe.corpus else Path(corpus.name).stem or recipe.name


def folded(corpus: Corpus, vocabularies: Sequence[Vocabulary]) -> Corpus:
    """Writes the symbols that vocabularies lack by those of theirs that look alike.

    Args:
        corpus: The text. Its SHA-256 stays that of the text as it was given.
        vocabularies: Of a trained model.

    Returns:
        The corpus, with a note of what was changed.
    """
    characters, changed = _characters(corpus), {}
    for vocabulary in vocabularies:
        changed |= lookalikes(characters, vocabulary)
    table = str.maketrans(changed)
    notes = [*corpus.notes]
    if changed:
        told = ", ".join(f"{old!r} as {new!r}" for old, new in changed.items())
        notes.append(f"Symbols that the model lacks are written by others that look alike: {told}.")
    loaders = {
        name: (lambda name=name: _translated(corpus.splits[name], table, corpus.kind))
        for name in corpus.splits
    }
    reader = corpus.reader and (lambda size: (p.translate(table) for p in corpus.reader(size)))
    new = replace(corpus, splits=Splits(loaders), reader=reader, notes=notes)
    new.__dict__["sha256"] = corpus.sha256
    return new


def _characters(corpus):
    if corpus.kind == "text":
        return set().union(*corpus.chunks())
    parts = (_texts(corpus.splits[part], corpus.kind) for part in corpus.splits)
    return set().union(*itertools.chain.from_iterable(parts))


def _texts(items: Iterable, kind: str) -> Iterable[str]:
    for item in items:
        yield from (item,) if isinstance(item, str) else item[:1] if kind == "labelled" else item


def _translated(items, table, kind):
    if isinstance(items, str):
        return items.translate(table)
    if kind == "labelled":  # a label is a name, not a text
        return [(text.translate(table), label) for text, label in items]
    return [
        item.translate(table)
        if isinstance(item, str)
        else tuple(text.translate(table) for text in item)
        for item in items
    ]


def check_from(from_model: str | None, options: dict) -> None:
    """Refuses options of a new model where a trained one is given."""
    for name in ("units", "num_layers", "dropout", "level"):
        if from_model is not None and options.get(name) is not None:
            option = {"num_layers": "layers"}.get(name, name)
            raise InputError(
                f"--{option} is of a new model, and {from_model} has its own; leave out --{option} "
                "or --from."
            )
