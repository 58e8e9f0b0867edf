"""What changes in a recipe and a corpus when the text is one of the user's own."""

from collections.abc import Sequence
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


def folded(corpus: Corpus, vocabularies: Sequence[Vocabulary], recipe: Recipe) -> Corpus:
    """Writes the symbols that vocabularies lack by those of theirs that look alike.

    Args:
        corpus: The text. Its SHA-256 stays that of the text as it was given.
        vocabularies: Of a trained model; of a translator the source's, then the target's.
        recipe: What the corpus is read by: it says which side of a pair is the source.

    Returns:
        The corpus, with a note of what was changed.
    """
    if corpus.kind == "pairs":
        (vocabularies,) = recipe.directed([tuple(vocabularies)], corpus.name)
    changes = [
        lookalikes(characters, vocabulary)
        for characters, vocabulary in zip(_characters(corpus), vocabularies, strict=True)
    ]
    tables = [str.maketrans(each) for each in changes]
    notes, changed = [*corpus.notes], sorted({pair for each in changes for pair in each.items()})
    if changed:
        told = ", ".join(f"{old!r} as {new!r}" for old, new in changed)
        notes.append(f"Symbols that the model lacks are written by others that look alike: {told}.")
    loaders = {
        name: (lambda name=name: _translated(corpus.splits[name], tables, corpus.kind))
        for name in corpus.splits
    }
    reader = corpus.reader and (lambda size: (p.translate(tables[0]) for p in corpus.reader(size)))
    new = replace(corpus, splits=Splits(loaders), reader=reader, notes=notes)
    new.__dict__["sha256"] = corpus.sha256
    return new


def _characters(corpus):
    """The characters of a corpus, a set for each vocabulary: of pairs one a side."""
    if corpus.kind == "text":
        held_out = (corpus.splits[name] for name in corpus.splits if name != "train")
        return [set().union(*corpus.chunks(), *held_out)]
    sides = [set() for _ in range(2 if corpus.kind == "pairs" else 1)]
    for part in corpus.splits:
        for item in corpus.splits[part]:
            for side, text in zip(sides, _texts(item, corpus.kind), strict=True):
                side.update(text)
    return sides


def _texts(item, kind):
    """The texts of an item: of pairs two; a label is a name, not a text."""
    return (item,) if isinstance(item, str) else item[:1] if kind == "labelled" else item


def _translated(items, tables, kind):
    if isinstance(items, str):
        return items.translate(tables[0])
    if kind == "documents":
        return [text.translate(tables[0]) for text in items]
    if kind == "labelled":
        return [(text.translate(tables[0]), label) for text, label in items]
    return [tuple(map(str.translate, pair, tables)) for pair in items]


def check_from(from_model: str | None, options: dict) -> None:
    """Refuses options of a new model where a trained one is given."""
    for name in ("units", "num_layers", "dropout", "level"):
        if from_model is not None and options.get(name) is not None:
            option = {"num_layers": "layers"}.get(name, name)
            raise InputError(
                f"--{option} is of a new model, and {from_model} has its own; leave out --{option} "
                "or --from."
            )
