"""Karpathy's tiny Shakespeare."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rnnzoo.data.corpus import About, Corpus
from rnnzoo.data.reading import read_chunks
from rnnzoo.data.sources import Found, find_file, resolve
from rnnzoo.data.tfds_corpora import download_tfds, find_tfds

_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
_TFDS_SPLITS = ("train", "validation", "test")  # in the order of the text
ABOUT = About(
    terms="Public-domain text.",
    redistributable=True,
    reason="the text is in the public domain",
    origin="a part of Shakespeare's works put together by Andrej Karpathy, "
    "https://github.com/karpathy/char-rnn (data/tinyshakespeare/input.txt)",
)


def load(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
    """Loads Karpathy's tiny Shakespeare: one text of 1,115,394 characters, 65 distinct.

    The three splits of tensorflow-datasets are put together again in order, so that the first
    90 % and last 10 % are the same wherever the text came from.

    Args:
        data_dir: A folder with tinyshakespeare.txt, tiny_shakespeare.txt or input.txt.
        seed: Unused; every corpus takes one.

    Returns:
        A corpus of one text.
    """
    name = "tiny_shakespeare"
    files = ("tinyshakespeare.txt", "tiny_shakespeare.txt", "input.txt")

    def find(folder):
        if found := find_file(folder, files):
            return Found(partial(read_chunks, found), str(found))
        found = find_tfds(folder, name)
        return found and _joined(found)

    def download():
        return _joined(download_tfds(name, _TFDS_SPLITS, _URL))

    reader, where = resolve(name, data_dir, find=find, download=download)
    return Corpus.of_known_text(reader, name=name, where=where, about=ABOUT, sha256=_SHA256)


def _joined(found: Found) -> Found:
    """Puts the splits of a tfds text together again; the content becomes a reader of chunks."""
    text = "".join("".join(found.content[split]()) for split in _TFDS_SPLITS)

    def chunks(size: int) -> Iterator[str]:
        yield from (text[start : start + size] for start in range(0, len(text), size))

    return Found(chunks, found.where)
