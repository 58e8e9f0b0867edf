"""A trained model that goes on with a text which has symbols it lacks."""

import itertools
from collections.abc import Iterable

from rnnzoo.data.corpus import Corpus
from rnnzoo.models import LanguageModel, Seq2Seq, grow
from rnnzoo.tasks.recipe import Recipe
from rnnzoo.vocabulary import Vocabulary


def grown(
    model: LanguageModel | Seq2Seq, corpus: Corpus, recipe: Recipe
) -> LanguageModel | Seq2Seq:
    """Makes a trained model fit the symbols of a corpus, and says what was added.

    A vocabulary with an unknown token takes any text and stays as it is.

    Args:
        model: The trained model.
        corpus: What it goes on with.
        recipe: The recipe, which says the direction of pairs.

    Returns:
        The model, or a larger one.
    """
    if corpus.kind == "labelled":
        return model  # its task refuses what the vocabulary lacks
    if isinstance(model, LanguageModel):
        if corpus.kind == "documents" and model.vocabulary.end_id is None:
            return model  # the task refuses it
        texts = corpus.chunks() if corpus.kind == "text" else _items(corpus)
        larger = _extended(model.vocabulary, texts, corpus.name)
        return model if larger is model.vocabulary else grow(model, larger)
    pairs = recipe.directed(list(_items(corpus)), corpus.name)
    source, target = model.source_vocabulary, model.target_vocabulary
    if source == target:  # one vocabulary for both
        both = _extended(source, itertools.chain.from_iterable(pairs), corpus.name)
        sides = both, both
    else:
        texts = zip(*pairs, strict=True)
        sides = tuple(
            _extended(vocabulary, side, corpus.name)
            for vocabulary, side in zip((source, target), texts, strict=True)
        )
    if sides == (source, target):
        return model
    return grow(model, source_vocabulary=sides[0], target_vocabulary=sides[1])


def _items(corpus: Corpus) -> Iterable:
    """The documents or pairs that are trained on and validated with."""
    parts = (part for part in ("train", "validation") if part in corpus.splits)
    return itertools.chain.from_iterable(corpus.splits[part] for part in parts)


def _extended(vocabulary: Vocabulary, texts: Iterable[str], name: str) -> Vocabulary:
    if vocabulary.unknown_id is not None:
        return vocabulary
    larger = vocabulary.extended(texts)
    new = larger.tokens[len(vocabulary) :]
    if new:
        more = f" and {len(new) - 20} more" if len(new) > 20 else ""
        print(
            f"{name} has {len(new)} {vocabulary.level}s that the model to start from lacks: "
            f"{', '.join(map(repr, new[:20]))}{more}. They are added to its vocabulary, with new "
            "rows in its weights; the old ones stay."
        )
    return larger
