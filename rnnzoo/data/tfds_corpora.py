"""Texts out of tensorflow-datasets; TensorFlow and tfds are imported only when one is read."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rnnzoo.data.reading import read_text
from rnnzoo.data.sources import Found, check_reachable
from rnnzoo.errors import InputError

Loaders = dict[str, Callable[[], list[Any]]]


def find_tfds(folder: Path, name: str, labels: Sequence[str] | None = None) -> Found | None:
    """Looks for a prepared data set in a tfds data folder.

    Args:
        folder: The folder that tfds calls `data_dir`.
        name: The data set with its configuration, such as `"imdb_reviews/plain_text"`.
        labels: What its labels 0, 1, ... are called; without it the texts alone are read.

    Returns:
        For each split a function that reads its texts, or with `labels` its `(text, label)`; or
        None where it is not there.
    """
    for path in (folder / name).glob("*/dataset_info.json"):
        try:
            splits = [split["name"] for split in json.loads(read_text(path))["splits"]]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise InputError(
                f"{path} is damaged; delete the folder {path.parent} and prepare it again."
            ) from None
        return Found(
            _loaders(name, splits, labels, folder=folder), f"the tfds data set {folder / name}"
        )
    return None


def download_tfds(
    name: str, splits: tuple[str, ...], url: str, labels: Sequence[str] | None = None
) -> Found:
    """Downloads and prepares a data set with tfds, which checks its hash.

    Args:
        name: The data set with its configuration.
        splits: The splits it has.
        url: The address it comes from, tried first: it says quickly where there is no network.
        labels: As for `find_tfds`.

    Returns:
        As `find_tfds`.
    """
    check_reachable(url)
    import tensorflow_datasets as tfds

    tfds.builder(name).download_and_prepare()
    return Found(_loaders(name, splits, labels), f"the tfds data set {name}, downloaded")


def _loaders(name, splits: Iterable[str], labels, *, folder: Path | None = None) -> Loaders:
    return {split: partial(_read, name, split, labels=labels, folder=folder) for split in splits}


def _read(name: str, split: str, *, labels, folder: Path | None) -> list[Any]:
    import tensorflow_datasets as tfds

    examples = tfds.load(name, split=split, data_dir=folder and str(folder), download=False)
    examples = list(tfds.as_numpy(examples))
    texts = [example["text"].decode("utf-8") for example in examples]
    if labels is None:
        return texts
    return [
        (text, labels[int(example["label"])]) for text, example in zip(texts, examples, strict=True)
    ]
