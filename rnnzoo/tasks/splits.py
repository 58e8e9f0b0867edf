"""The training and validation part of a recipe's corpus."""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rnnzoo.data import corpora
from rnnzoo.data.corpus import Corpus
from rnnzoo.data.splitting import hold_out, keys_of
from rnnzoo.errors import InputError
from rnnzoo.tasks.recipe import Recipe
from rnnzoo.vocabulary import Vocabulary


def load_corpus(
    recipe: Recipe,
    *,
    data_dir: str | os.PathLike | None = None,
    text_file: str | os.PathLike | None = None,
) -> Corpus:
    """Loads the corpus of a recipe, or the user's own text in its stead.

    Args:
        recipe: A `Recipe`.
        data_dir: A folder that has the named corpus.
        text_file: A file or folder to train on instead.

    Returns:
        A `Corpus`.

    Raises:
        InputError: If it is not found, or not of a kind that the recipe's task can use.
    """
    if text_file is None:
        corpus = corpora.load(recipe.corpus, data_dir=data_dir, **recipe.corpus_options)
    else:
        two = "," in str(text_file) and not Path(text_file).exists()  # source,target
        only = recipe.corpus_kinds[0] if len(recipe.corpus_kinds) == 1 else None
        kind = only if only in ("pairs", "labelled") else None
        corpus = corpora.load(str(text_file) if two else Path(text_file), kind=kind)
    if corpus.kind not in recipe.corpus_kinds:
        raise InputError(
            f"The recipe {recipe.name!r} needs {recipe.reads}, but {corpus.name} holds "
            f"{corpus.contents}; give another --text-file, "
            "or another --recipe."
        )
    return corpus


def train_and_validation(corpus: Corpus, recipe: Recipe) -> tuple[list[Any], list[Any], str]:
    """Splits documents or pairs, by the corpus's own split where it has one.

    Args:
        corpus: A `Corpus` of documents or pairs.
        recipe: A `Recipe`, which gives the share to hold out of a corpus without a split.

    Returns:
        The training items, the validation items, and a sentence that says what was held out.

    Raises:
        InputError: If there are too few items to hold any out.
    """
    train, validation = corpus.splits["train"], corpus.validation
    how = f"the {corpus.name} validation split"
    if validation is None:
        keys = keys_of(train, corpus.kind)
        count = max(1, round(len(train) * recipe.validation_split))
        train, validation = hold_out(train, keys, count, seed=0)
        how = f"held out by content, {recipe.validation_split:.0%} of the {corpus.contents}"
        if not train or not validation:
            raise InputError(
                f"{corpus.name} has too few different {corpus.contents} to hold any out for "
                "validation; give more of them."
            )
    if recipe.validation_limit is not None and recipe.validation_limit < len(validation):
        validation = validation[: recipe.validation_limit]
        how += f" (its first {recipe.validation_limit:,})"
    what = f"{len(validation):,} {corpus.contents}: {how}; trained on {len(train):,}"
    return train, validation, what


def own_validation(corpus: Corpus, vocabulary: Vocabulary, *, before: np.ndarray) -> np.ndarray:
    """Encodes the validation split of a text that has one of its own.

    Args:
        corpus: A `Corpus` of one text.
        vocabulary: The model's `Vocabulary`.
        before: The last id of the training text, which is given, so that all tokens of the split
            are predicted.

    Returns:
        Ids, the given one first.

    Raises:
        InputError: If the vocabulary lacks a symbol of the split.
    """
    text = corpus.validation
    if vocabulary.unknown_id is None and (missing := vocabulary.unknown_symbols(text)):
        raise InputError(
            f"The validation split of {corpus.name} has {vocabulary.level}s that its training text "
            f"lacks, such as {min(missing)!r}; give the vocabulary the special token <unk>."
        )
    return np.concatenate([before, vocabulary.encode(text)])


def in_rows(ids: np.ndarray, rows: int) -> list[np.ndarray]:
    """Cuts a text into contiguous rows that together predict each token but the first.

    Example:
        >>> [row.tolist() for row in in_rows(np.arange(6), 2)]
        [[0, 1, 2], [2, 3, 4, 5]]
    """
    ends = np.linspace(0, len(ids) - 1, rows + 1).astype("int64")
    return [ids[start : end + 1] for start, end in itertools.pairwise(ends)]


def check_symbols(vocabulary: Vocabulary, texts: Iterable[str], name: str) -> None:
    """Refuses texts with symbols that the vocabulary of a trained model lacks.

    Args:
        vocabulary: The model's `Vocabulary`; one with an unknown token takes any text.
        texts: The texts to go on with.
        name: What they are called in the error.

    Raises:
        InputError: If there are such symbols; it lists them.
    """
    if vocabulary.unknown_id is not None:
        return
    missing = sorted(set().union(*map(vocabulary.unknown_symbols, texts)))
    if missing:
        more = f" and {len(missing) - 20} more" if len(missing) > 20 else ""
        raise InputError(
            f"{name} has {len(missing)} {vocabulary.level}s that the vocabulary of the model to "
            f"start --from lacks: {', '.join(map(repr, missing[:20]))}{more}; take them out of the "
            "text, fold those that look alike by --fold-lookalikes, or train without --from."
        )
