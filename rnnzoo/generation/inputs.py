"""What people hand to `generate` and `translate`, read and checked."""

import numbers
import reprlib
from collections.abc import Iterable, Sequence

import numpy as np

from rnnzoo.errors import InputError


def list_of_texts(texts: str | Iterable[str]) -> tuple[list[str], bool]:
    """Reads a text or a list of texts.

    Returns:
        The list, and whether it was a single text.

    Raises:
        InputError: If it is neither, or an empty list.

    Example:
        >>> list_of_texts("How are you?")
        (['How are you?'], True)
    """
    single = isinstance(texts, str)
    listed = [texts] if single else list(texts) if isinstance(texts, Iterable) else []
    if not listed or not all(isinstance(text, str) for text in listed):
        raise InputError(f"Give a text, or a list of at least one text, not {reprlib.repr(texts)}.")
    return listed, single


def rows_of_ids(
    ids: Sequence[int] | Sequence[Sequence[int]] | np.ndarray, smallest: int, vocabulary_size: int
) -> tuple[list[np.ndarray], bool]:
    """Reads one row of ids or a list of rows, for a model without a vocabulary.

    Args:
        ids: The row or rows.
        smallest: The smallest id allowed.
        vocabulary_size: One more than the largest.

    Returns:
        The list of int32 arrays, and whether there was a single row.

    Raises:
        InputError: If it is neither, a row is empty or an id is not allowed.

    Example:
        >>> rows_of_ids([[3, 4], [5]], 1, 10)
        ([array([3, 4], dtype=int32), array([5], dtype=int32)], False)
    """
    try:
        single = np.ndim(ids[0]) == 0
        rows = [np.asarray(row) for row in ([ids] if single else ids)]
    except (TypeError, IndexError, KeyError, ValueError):
        rows = []
    if not rows or any(row.ndim != 1 or row.dtype.kind not in "iu" for row in rows):
        raise InputError(
            "The model has no vocabulary and reads ids: give a list of whole numbers or a list of "
            f"such lists, none of them empty, not {reprlib.repr(ids)}."
        )
    for row in rows:
        foreign = row[(row < smallest) | (row >= vocabulary_size)]
        if foreign.size:
            raise InputError(
                f"The id {foreign[0]} is none that the model reads, which are {smallest} to "
                f"{vocabulary_size - 1}."
            )
    return [row.astype("int32") for row in rows], single


def check_seed(seed: int | None) -> None:
    """Checks a seed, which is `None` or a whole number of at least 0.

    Raises:
        InputError: If it is not.

    Example:
        >>> check_seed(7)
    """
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if seed is not None and (not whole or seed < 0):
        raise InputError(f"`seed` must be a whole number of at least 0, not {seed!r}.")
