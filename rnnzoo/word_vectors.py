"""Pretrained word vectors, such as GloVe's, put into an embedding."""

import itertools
import os
from collections.abc import Iterable, Iterator

import keras
import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import Vocabulary


def set_word_vectors(
    embedding: keras.layers.Embedding, vocabulary: Vocabulary, path: str | os.PathLike
) -> int:
    r"""Sets the rows of an embedding to the pretrained vectors of their words.

    Rows of words that the file does not have stay as they are. Words are looked up as the
    vocabulary spells them: the file should be of the same case. Of a word that the file has twice
    the last vector counts. The rows are trained on unless `embedding.trainable` is set to `False`
    before `compile`.

    Args:
        embedding: A built embedding with a row for each token, such as `model.embedding` of a
            `word_lm` or `model.encoder.embedding` of a `gru_seq2seq`. Where its weights are tied,
            the output gets the vectors too.
        vocabulary: The words of its rows, of level `"word"`.
        path: A text file (UTF-8, unpacked) with a word and its numbers in each line, separated by
            blanks, as GloVe has it; or the same after a line with the number of words and of
            dimensions, as word2vec and fastText write it.

    Returns:
        How many tokens of the vocabulary the file has.

    Raises:
        InputError: If the vocabulary is not of words or not the embedding's, the embedding is not
            built, quantized or has LoRA weights, or the file cannot be read, begins with something
            else, has a broken line for a word of the vocabulary or no word of it, or vectors of
            another length than the embedding's; the embedding then is as before.

    Example:
        >>> from pathlib import Path
        >>> from rnnzoo import Vocabulary, word_lm
        >>> vocabulary = Vocabulary.from_text("the cat and the dog", level="word")
        >>> model = word_lm(vocabulary, units=4, embedding_dim=3)
        >>> lines = "cat 0.25 0.5 1\ndog 1.5 -2 0.3\nfish 9 9 9\n"
        >>> Path("vectors.txt").write_text(lines) > 0
        True
        >>> set_word_vectors(model.embedding, vocabulary, "vectors.txt")
        2

    Reference:
        Pennington, Socher and Manning, "GloVe: Global Vectors for Word Representation", EMNLP 2014.
    """
    if vocabulary.level != "word":
        raise InputError(
            f"Word vectors go with a vocabulary of words, not of {vocabulary.level}s; make one "
            'with level="word".'
        )
    if not embedding.built:
        raise InputError(
            f"The embedding {embedding.name!r} is not built, so that it has no rows yet; call its "
            "model on some ids first."
        )
    plain = isinstance(embedding, keras.layers.Embedding) and hasattr(embedding, "embeddings")
    if not plain or embedding.quantization_mode or getattr(embedding, "lora_enabled", False):
        raise InputError(
            f"The rows of {embedding.name!r} cannot be set: it is quantized, has LoRA weights or "
            "is no keras.layers.Embedding; set the vectors first, then change the layer."
        )
    size, dim = embedding.embeddings.shape
    if size != len(vocabulary):
        raise InputError(
            f"The embedding has {size} rows and the vocabulary {len(vocabulary)} tokens; give the "
            "vocabulary that the embedding was made for."
        )
    ids = {token: i for i, token in enumerate(vocabulary.tokens)}
    matrix = keras.ops.convert_to_numpy(embedding.embeddings).copy()  # (V, E)
    found = set()
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            for word, vector in _vectors(file, dim, path):
                if word in ids:
                    matrix[ids[word]] = _numbers(vector, word, dim=dim, path=path)
                    found.add(word)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error}); give a text file of word vectors."
        ) from error
    if not found:
        raise InputError(
            f"{str(path)!r} has no word of the vocabulary, such as {vocabulary.tokens[-1]!r}; give "
            "vectors of the same language and case."
        )
    embedding.embeddings.assign(matrix)
    return len(found)


def _vectors(lines: Iterable[str], dim: int, path: str | os.PathLike) -> Iterator[tuple]:
    """The words and their numbers, still as text: most words are not in the vocabulary."""
    lines = (line.rstrip(" \r\n") for line in lines)
    first = next(lines, "")
    fields = first.split(" ")
    header = len(fields) == 2 and all(field.isdigit() for field in fields)  # word2vec's
    length = int(fields[1]) if header else len(fields) - 1
    if length < 1:
        raise InputError(
            f"The first line of {str(path)!r}, {first[:40]!r}, is not a word and its numbers with "
            "blanks between them; give a text file of word vectors."
        )
    if length != dim:
        raise InputError(
            f"The first line of {str(path)!r} tells of {length} numbers a word, and the embedding "
            f"has vectors of {dim}; give a file of word vectors of that length, or a model with "
            "another `embedding_dim`."
        )
    for line in lines if header else itertools.chain([first], lines):
        word, *vector = line.rsplit(" ", dim)  # from the right: some words have blanks in them
        yield word, vector


def _numbers(vector, word, *, dim, path):
    """A vector as an array."""
    try:
        values = np.array(vector, "float32")
    except ValueError:
        values = np.array([np.nan])
    if len(values) != dim or not np.isfinite(values).all():
        raise InputError(
            f"The vector of {word!r} in {str(path)!r} is not of {dim} finite numbers; give a text "
            "file of word vectors that is whole."
        )
    return values
