"""A large text as token ids in a memory-mapped file, encoded chunk by chunk and kept."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rnnzoo.data.corpus import Corpus, whole_words
from rnnzoo.data.sources import keras_home
from rnnzoo.errors import InputError
from rnnzoo.files import atomic_path


def encode_corpus(corpus: Corpus, vocabulary, cache_dir: str | Path | None = None) -> np.ndarray:
    """Encodes a text corpus to a memory-mapped file, or opens the one made earlier.

    Neither the text nor its ids are ever held in memory as a whole. The file is named by the
    hashes of the content and of the vocabulary, so a change of either makes another file.

    Args:
        corpus: A corpus of kind `"text"`.
        vocabulary: A `Vocabulary`.
        cache_dir: The folder for the file; default rnnzoo/encoded in `KERAS_HOME` or ~/.keras.

    Returns:
        A read-only `np.memmap` of int32 ids, shape `(tokens,)`.

    Raises:
        InputError: If the corpus is no text, the vocabulary lacks one of its symbols, or the
            file cannot be written.

    Example:
        ```python
        from rnnzoo.data.encoded import encode_corpus

        corpus = corpora.load("huge.txt")
        vocabulary = Vocabulary.from_text(corpus.chunks(), level="word", size=50_000)
        train, valid = stream_batches(encode_corpus(corpus, vocabulary), 64, 128,
                                      validation_split=0.1)
        ```
    """
    folder = Path(cache_dir).expanduser() if cache_dir else keras_home() / "rnnzoo" / "encoded"
    key = hashlib.sha256(f"{corpus.sha256} {vocabulary.sha256}".encode()).hexdigest()
    path = folder / f"{key}.npy"
    if path.is_file():
        try:
            return np.load(path, mmap_mode="r")
        except (ValueError, EOFError):
            pass  # damaged: made anew below
    return encode_to_file(corpus.chunks(), vocabulary, path)


def encode_to_file(chunks: Iterable[str], vocabulary, path: str | Path) -> np.ndarray:
    """Encodes a text that comes in chunks to a `.npy` file, whole or not at all.

    Args:
        chunks: Strings that, joined, are the text. They may end anywhere: words are put together
            again before they are encoded.
        vocabulary: A `Vocabulary`.
        path: The file to write; an existing one is replaced.

    Returns:
        A read-only `np.memmap` of int32 ids, shape `(tokens,)`.

    Raises:
        InputError: If the vocabulary lacks a symbol or the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, open(temporary, "w+b") as file:
            count = 0
            _write_header(file, count)
            for chunk in whole_words(chunks):
                ids = np.asarray(vocabulary.encode(chunk), "<i4")
                file.write(ids.tobytes())
                count += len(ids)
            file.seek(0)
            _write_header(file, count)
    except OSError as error:
        raise InputError(
            f"The encoded text cannot be written to {path} ({error.strerror or error}); free some "
            "space or name another folder (the default one is in KERAS_HOME)."
        ) from None
    return np.load(path, mmap_mode="r")


def _write_header(file, count):
    # NumPy pads the header so that it keeps its length while the array grows
    header = {"descr": np.dtype("<i4").str, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, header)
