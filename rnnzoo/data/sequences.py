"""Ids that come in, checked and laid end to end in one flat array.

A sequence is a start and a count in that array. Language-model targets are the inputs shifted by
one, so a text of n ids has n - 1 targets, and a chunk of `count` targets reads `count + 1` ids.
"""

import math
from typing import NamedTuple

import numpy as np

from rnnzoo.errors import InputError, check_positive


class Chunks(NamedTuple):
    """Sequences laid end to end.

    Attributes:
        ids: Flat ids of all sequences, (N,) int32.
        starts: Where each chunk starts in `ids`, int64.
        counts: How many ids (of documents and targets: how many targets) each has, int64.
    """

    ids: np.ndarray
    starts: np.ndarray
    counts: np.ndarray


def is_documents(ids) -> bool:
    """Tells a list of documents (lists or arrays of ids) from one flat text."""
    if isinstance(ids, np.ndarray):
        return ids.dtype == object  # what `keras.datasets.imdb.load_data` returns
    return isinstance(ids, list | tuple) and len(ids) > 0 and not np.isscalar(ids[0])


def flat_ids(ids) -> np.ndarray:
    """Checks one flat text of ids.

    Args:
        ids: 1-D whole numbers >= 0. An `np.memmap` is neither read nor copied here: its dtype and
            shape are checked, its values are trusted.

    Returns:
        The ids as an array: the memmap itself, anything else as int32.

    Raises:
        InputError: If they are not 1-D whole numbers from 0 to 2**31 - 1, or there are none.
    """
    if isinstance(ids, str) or is_documents(ids):
        kind = "a string" if isinstance(ids, str) else "a list of documents"
        raise InputError(
            f"`ids` must be one flat array of whole numbers, not {kind}: encode a text with "
            "`vocabulary.encode(text)`, and batch documents with `document_batches`."
        )
    return _whole_numbers(_array(ids), "`ids`")


def lay_out(sequences, name: str, minimum: int) -> Chunks:
    """Lays sequences of ids end to end.

    Args:
        sequences: Lists or 1-D arrays of whole numbers >= 0.
        name: What one of them is called in errors, such as `"document"`.
        minimum: The least number of ids that each must have.

    Returns:
        The chunks; each `count` is the whole sequence's number of ids.

    Raises:
        InputError: If there are no sequences, or one is too short or not of whole numbers.
    """
    arrays = [_array(sequence) for sequence in sequences]
    if not arrays:
        raise InputError(f"There is no {name} to batch: the list is empty, give at least one.")
    for number, array in enumerate(arrays):
        if array.ndim == 1 and array.size < minimum:
            raise InputError(
                f"{name.capitalize()} {number} has length {array.size}, but each must have at "
                f"least {minimum} id{'s' * (minimum > 1)}: leave it out."
            )
        _check_kind(array, f"{name.capitalize()} {number}")
    ids = _whole_numbers(np.concatenate(arrays), f"The ids of every {name}")
    counts = np.array([array.size for array in arrays])
    return Chunks(ids, np.cumsum(counts) - counts, counts)


def check_whole(**numbers: int) -> None:
    """Checks that every named id or seed is a whole number of at least 0."""
    for name, value in numbers.items():
        whole = hasattr(value, "__index__") and not isinstance(value, bool)
        if not whole or value < 0:
            raise InputError(f"`{name}` must be a whole number of at least 0, not {value!r}.")


def _array(ids) -> np.ndarray:
    if isinstance(ids, np.ndarray):
        return ids  # a memmap stays one
    try:
        return np.asarray(ids)
    except ValueError:  # lists of different lengths: `_check_kind` raises the error
        return np.asarray(ids, dtype=object)


def _check_kind(array: np.ndarray, name: str) -> None:
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{name} must be a one-dimensional sequence of whole numbers, not of shape "
            f"{array.shape} and type {array.dtype}: encode a text with `vocabulary.encode(text)`."
        )


def _whole_numbers(array: np.ndarray, name: str) -> np.ndarray:
    _check_kind(array, name)
    if not array.size:
        raise InputError(f"{name} must hold at least 2 whole numbers, but there are none.")
    if isinstance(array, np.memmap):
        return array
    low, high = array.min(), array.max()
    if low < 0 or high > np.iinfo(np.int32).max:
        raise InputError(f"{name} must lie from 0 to 2**31 - 1, not from {low} to {high}.")
    return array.astype(np.int32, copy=False)


def split(ids, validation_split: float) -> tuple:
    """Splits a text, or a list of documents, into the first part and the last part.

    Args:
        ids: One flat array of ids, or a list of documents.
        validation_split: The last part's share, between 0 and 1, both excluded.

    Returns:
        The training part, the first `int(n * (1 - validation_split))` ids or documents, and the
        validation part, the rest. (With 0.1 this is nanoGPT's split of tiny Shakespeare.)

    Raises:
        InputError: If the share is not between 0 and 1.

    Example:
        >>> split(np.arange(10), 0.1)
        (array([0, 1, 2, 3, 4, 5, 6, 7, 8]), array([9]))
    """
    number = isinstance(validation_split, int | float) and not isinstance(validation_split, bool)
    if not number or not 0 < validation_split < 1:
        raise InputError(
            f"`validation_split` must be above 0 and below 1, not {validation_split!r}: leave it "
            "out to train on everything."
        )
    at = int(round(len(ids) * (1 - validation_split), 6))  # 100 * (1 - 0.9) is 9.99...98
    return ids[:at], ids[at:]


def labelled_chunks(documents, labels, *, max_length: int | None) -> tuple[Chunks, np.ndarray]:
    """Lays out documents, the last `max_length` ids of each, and checks their labels.

    Args:
        documents: Lists or arrays of ids, each of at least 1.
        labels: As many whole numbers >= 0.
        max_length: The most ids of a document; what is before them is cut off. `None`: all.

    Returns:
        The documents, and the labels, (N,) int32.

    Raises:
        InputError: If the numbers of documents and labels differ, or one is empty or not of ids.
    """
    check_positive(max_length=max_length)
    if len(documents) != len(labels):
        raise InputError(
            f"There are {len(documents):,} documents but {len(labels):,} labels: give one label "
            "for each document."
        )
    whole = lay_out(documents, "document", minimum=1)
    counts = np.minimum(whole.counts, max_length or math.inf).astype(np.int64)
    starts = whole.starts + whole.counts - counts
    return Chunks(whole.ids, starts, counts), _whole_numbers(_array(labels), "`labels`")


def pair_chunks(
    sources, targets, *, start_id: int, end_id: int, max_length: int | None
) -> tuple[Chunks, Chunks]:
    """Lays out pairs for teacher forcing.

    Args:
        sources: Lists or arrays of ids, each of at least 1.
        targets: As many, without start and end.
        start_id: Put before each target.
        end_id: Put after each target.
        max_length: The most ids of a source, and steps of a target; what is longer is cut off at
            the end (a target that is cut has no end id). `None`: nothing is cut.

    Returns:
        The sources, and the targets, whose `counts` are their steps: of a target's ids, the first
        `counts` are the decoder's inputs, and those one further its labels.

    Raises:
        InputError: If the numbers of sources and targets differ, or one is empty or not of ids.
    """
    check_positive(max_length=max_length)
    check_whole(start_id=start_id, end_id=end_id)
    if len(sources) != len(targets):
        raise InputError(
            f"There are {len(sources):,} sources but {len(targets):,} targets: give one target "
            "for each source."
        )
    source = lay_out(sources, "source", minimum=1)
    target = lay_out(targets, "target", minimum=1)
    # Every target grows by its start and end: y -> start y end.
    ends = target.starts + target.counts
    ids = np.insert(
        target.ids, np.stack([target.starts, ends], axis=1).ravel(), [start_id, end_id] * len(ends)
    )
    steps = target.counts + 1
    target = Chunks(ids.astype(np.int32), target.starts + 2 * np.arange(len(ends)), steps)
    longest = max_length or math.inf
    return tuple(
        side._replace(counts=np.minimum(side.counts, longest).astype(np.int64))
        for side in (source, target)
    )
