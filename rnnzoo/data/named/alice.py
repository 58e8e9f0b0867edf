"""Alice's Adventures in Wonderland."""

from functools import partial
from pathlib import Path

from rnnzoo.data.corpus import About, Corpus
from rnnzoo.data.reading import read_chunks
from rnnzoo.data.sources import Found, download_folder, fetch, find_file, resolve

_URL = (
    "https://raw.githubusercontent.com/gutenbergbooks/11/5e5120e12a58a10254e0e6a42661d887e61c2aac"
    "/11-0.txt"
)
_SHA256 = "f17aa0bf7466424a8b357b688678666bad7a0148963ef349016a3098faa6bd1e"
ABOUT = About(
    terms="Public domain in the United States.",
    redistributable=True,
    reason="the text is in the public domain",
    origin="*Alice's Adventures in Wonderland* by Lewis Carroll, Project Gutenberg's text 11, "
    "https://www.gutenberg.org/ebooks/11",
)


def load(*, data_dir: str | Path | None = None, seed: int = 0) -> Corpus:
    """Loads Alice's Adventures in Wonderland (Project Gutenberg 11), the body alone, as one text.

    Args:
        data_dir: A folder with alice.txt.
        seed: Unused; every corpus takes one.

    Returns:
        A corpus of one text.
    """

    def find(folder):
        found = find_file(folder, ("alice.txt",))
        return found and Found(partial(read_chunks, found), str(found))

    def download():
        path = fetch(_URL, download_folder() / "alice.txt", sha256=_SHA256, unpack=_plain)
        return Found(partial(read_chunks, path), f"{_URL}, downloaded")

    reader, where = resolve("alice", data_dir, find=find, download=download)
    return Corpus.of_known_text(reader, name="alice", where=where, about=ABOUT, sha256=_SHA256)


def _plain(content: bytes) -> bytes:
    return content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").strip()
