"""The 50,000 labelled IMDB reviews of the Large Movie Review Dataset, each with what it says."""

from functools import partial
from pathlib import Path

from rnnzoo.data.corpus import Corpus, Splits
from rnnzoo.data.labelled import Labelled, read_labelled
from rnnzoo.data.named import imdb_reviews
from rnnzoo.data.reading import read_text, text_files
from rnnzoo.data.sources import Found, resolve
from rnnzoo.data.splitting import hold_out
from rnnzoo.data.tfds_corpora import download_tfds, find_tfds
from rnnzoo.errors import InputError

ABOUT = imdb_reviews.ABOUT
LABELS = ("negative", "positive")  # 0 and 1 in the files
SPLITS = ("train", "test")


def load(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
    """Loads the labelled reviews; a tenth of the training reviews is the validation split.

    The split is that of the corpus `imdb_reviews`: what is held out there is held out here, so that
    a language model of that corpus has seen no review that its classifier is measured on. The
    `<br />` marks are spaces, and every run of white space is one.

    Args:
        data_dir: A folder that has them: as JSONL (imdb/train.jsonl.gz with the fields "text" and
            "label", 0 or 1), as the original archive unpacks (aclImdb/), or as tfds prepares them.
        seed: Another seed is another split; training seeds do not change it.

    Returns:
        A corpus of texts with the labels `negative` and `positive`, and the splits train,
        validation and test.

    Raises:
        InputError: If the reviews are found nowhere, or damaged.
    """
    read, where = resolve(
        "imdb_sentiment",
        data_dir,
        find=_find,
        download=lambda: download_tfds(
            imdb_reviews.TFDS_NAME, SPLITS, imdb_reviews.URL, labels=LABELS
        ),
    )
    raw = read["train"]()
    if not raw:
        raise InputError(f"There is no training review in {where}; fetch the corpus again.")
    train, validation, keys = _split(raw, count=round(len(raw) / 10), seed=seed)
    notes = imdb_reviews.notes_of(len(raw), different=len(keys))

    def test():
        items, _, other = _split(read["test"](), count=0, seed=seed)
        if shared := len(keys & other):
            corpus.note(f"{shared:,} reviews of test occur in train or validation too.")
        return items

    loaders = {"train": lambda: train, "validation": lambda: validation}
    corpus = Corpus(
        name="imdb_sentiment",
        kind="labelled",
        source=f"{len(raw):,} labelled training reviews from {where}.",
        terms=ABOUT.terms,
        redistributable=ABOUT.redistributable,
        splits=Splits(loaders | ({"test": test} if "test" in read else {})),
        notes=notes,
    )
    return corpus


def _split(raw: list[Labelled], *, count: int, seed: int):
    """Holds `count` reviews out; also returns the set of their tidied texts."""
    texts = imdb_reviews.tidied([text for text, _ in raw])
    items = [(text, label) for text, (_, label) in zip(texts, raw, strict=True)]
    rest, held_out = hold_out(items, texts, count, seed=seed)
    return rest, held_out, set(texts)


def _find(folder: Path) -> Found | None:
    for base in (folder / name for name in imdb_reviews.FOLDERS):
        found = {split: one for split in SPLITS if (one := _find_split(base, split))}
        if "train" in found:
            read = {split: one.content for split, one in found.items()}
            return Found(read, found["train"].where)
    return find_tfds(folder, imdb_reviews.TFDS_NAME, labels=LABELS)


def _find_split(base: Path, split: str) -> Found | None:
    file, folders = imdb_reviews.LAYOUT[split]
    for path in (base / f"{file}.gz", base / file):
        if path.is_file():
            return Found(partial(_read_jsonl, path), str(path))
    paths = [base / folder for folder in folders]
    if all(path.is_dir() for path in paths):
        return Found(partial(_read_folders, paths), " and ".join(map(str, paths)))
    return None


def _read_jsonl(path: Path) -> list[Labelled]:
    names = {"0": LABELS[0], "1": LABELS[1], **{label: label for label in LABELS}}
    items = read_labelled(path)
    if wrong := {label for _, label in items} - names.keys():
        raise InputError(
            f"{path} has the label {min(wrong)!r:.40}, and those of the reviews are 0, negative, "
            "and 1, positive; fetch the corpus again."
        )
    return [(text, names[label]) for text, label in items]


def _read_folders(folders: list[Path]) -> list[Labelled]:
    return [
        (read_text(path), label)
        for folder, label in zip(folders, LABELS, strict=True)
        for path in text_files(folder)
    ]
