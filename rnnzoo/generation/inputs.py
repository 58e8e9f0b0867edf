"""What people hand to `generate` and `translate`, read and checked."""

import numbers
import random
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.typing import Texts
from rnnzoo.vocabulary import Vocabulary
from rnnzoo.vocabulary.text_rules import is_iterable

MOST = 1_000_000  # tokens of a text, and texts of a prompt: what is written needs memory


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
    listed = [texts] if single else list(texts) if is_iterable(texts) else []
    wrong = [index for index, text in enumerate(listed) if not isinstance(text, str)]
    if not listed or wrong:
        which = f" (number {wrong[0] + 1} is none)" if wrong else ""
        raise InputError(
            f"Give a text, or a list of at least one text, not {reprlib.repr(texts)}{which}."
        )
    return [str(text) for text in listed], single  # NumPy's texts too


def encode_prompts(model: Any, prompts: Texts) -> tuple[list[np.ndarray], bool]:
    """Turns prompts into rows of ids.

    Args:
        model: The language model.
        prompts: A text or a list of texts; for a model without a vocabulary, a list of ids or a
            list of such lists.

    Returns:
        The list of id arrays, and whether the prompt was a single one.

    Raises:
        InputError: If a prompt is empty, where no start token goes before it, or has symbols that
            the vocabulary lacks.
    """
    vocabulary = model.vocabulary
    if vocabulary is None:
        return rows_of_ids(prompts, 0, model.vocabulary_size)
    texts, single = list_of_texts(prompts)
    start = vocabulary.start_id is not None
    rows = vocabulary.encode_documents(texts, start=start, end=False)
    for number, row in enumerate(rows, 1):
        if row.size == 0:
            which = "A prompt is empty" if single else f"A prompt is empty (number {number})"
            raise InputError(f"{which}; give at least one symbol for the model to go on from.")
    return rows, single


def encode_sources(model: Any, texts: Texts) -> tuple[list[np.ndarray], bool]:
    """Turns source texts into rows of ids, each with the end token if there is one.

    Args:
        model: The encoder-decoder.
        texts: A text or a list of texts; without a vocabulary a list of ids or a list of such.

    Returns:
        The list of id arrays, and whether there was a single text.

    Raises:
        InputError: If a text is empty or has symbols that the vocabulary lacks.
    """
    vocabulary = model.source_vocabulary
    if vocabulary is None:
        return rows_of_ids(texts, 1, model.source_vocabulary_size)  # 0 is padding
    texts, single = list_of_texts(texts)
    end = vocabulary.end_id is not None
    rows = vocabulary.encode_documents(texts, start=False, end=end)
    for number, (text, row) in enumerate(zip(texts, rows, strict=True), 1):
        if not text.strip() or row.size == 0:
            which = "A text to translate is empty"
            which += "" if single else f" (number {number})"
            raise InputError(f"{which}; give at least one symbol.")
    return rows, single


def read_stop(stop: str | Sequence[str] | None, vocabulary: Vocabulary | None) -> list[str]:
    """Reads the texts that end a text.

    Raises:
        InputError: If one is empty or no text, or the model writes ids.
    """
    if stop is None:
        return []
    listed = [stop] if isinstance(stop, str) else list(stop) if is_iterable(stop) else [0]
    if not all(isinstance(text, str) and text for text in listed):
        raise InputError(f"`stop` must be a text or a list of texts, none of them empty: {stop!r}.")
    if listed and vocabulary is None:
        raise InputError("The model has no vocabulary and writes ids; leave out `stop`.")
    return listed


def cut_at(text: str, stop: Sequence[str]) -> str:
    """Cuts a text before the first of the texts that end it.

    Example:
        >>> cut_at("one. two. three", [". t", "three"])
        'one'
    """
    found = [text.find(end) for end in stop if end in text]
    return text[: min(found)] if found else text


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
    wrong = [
        number
        for number, row in enumerate(rows, 1)
        if row.ndim != 1 or row.dtype.kind not in "iu" or not row.size
    ]
    if not rows or wrong:
        which = f" (number {wrong[0]} is none)" if wrong and not single else ""
        raise InputError(
            "The model has no vocabulary and reads ids: give a list of whole numbers or a list of "
            f"such lists, none of them empty, not {reprlib.repr(ids)}{which}."
        )
    for number, row in enumerate(rows, 1):
        foreign = row[(row < smallest) | (row >= vocabulary_size)]
        if foreign.size:
            which = "" if single else f" (in row {number})"
            raise InputError(
                f"The id {foreign[0]}{which} is none that the model reads, which are {smallest} to "
                f"{vocabulary_size - 1}."
            )
    return [row.astype("int32") for row in rows], single


def read_seed(seed: int | None) -> int:
    """Reads a seed: a whole number of at least 0, or `None` for one that is drawn.

    It is drawn from Python's generator, as Keras does, so that `keras.utils.set_random_seed` makes
    what follows repeatable.

    Raises:
        InputError: If it is neither.

    Example:
        >>> read_seed(7)
        7
    """
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if seed is not None and (not whole or seed < 0):
        raise InputError(f"`seed` must be a whole number of at least 0, not {seed!r}.")
    return random.getrandbits(32) if seed is None else int(seed)


def read_seeds(seed: int | Sequence[int] | None, prompts: int) -> int | list[int]:
    """Reads a seed, or a list of seeds, one a prompt.

    Raises:
        InputError: If there are not as many as prompts, or one is not valid.

    Example:
        >>> read_seeds([7, 8], 2)
        [7, 8]
    """
    if not isinstance(seed, list | tuple | np.ndarray):
        return read_seed(seed)
    if len(seed) != prompts or any(each is None for each in seed):
        raise InputError(
            f"`seed` must be a whole number, or a list of one for each of the {prompts} prompts, "
            f"not {seed!r}."
        )
    return [read_seed(each) for each in seed]


def draw_uniforms(
    seed: int | Sequence[int], capacity: int, rows: int, samples: int = 1
) -> np.ndarray:
    """Draws the chances of every draw of each row.

    A row's depend on the seed and its own index alone, not on how many rows there are; and a
    longer text begins like a shorter one.

    Args:
        seed: A whole number of at least 0. Or one for each prompt: its rows then are drawn as if
            no other prompts were there.
        capacity: The maximum number of tokens of a row.
        rows: The number of rows.
        samples: How many rows each prompt has.

    Returns:
        Numbers in [0, 1), float32 `(capacity, rows)`.

    Example:
        >>> two, one = draw_uniforms(7, 4, 2), draw_uniforms(7, 3, 1)
        >>> (two[:3, 0] == one[:, 0]).all(), (two[:, 0] == two[:, 1]).any()
        (np.True_, np.False_)
    """
    uniforms = np.empty((capacity, rows), "float32")
    for row in range(rows):
        own = (seed, row) if isinstance(seed, int) else (seed[row // samples], row % samples)
        uniforms[:, row] = chances(*own).random(capacity, "float32")
    return uniforms


def chances(seed: int, row: int = 0) -> np.random.Generator:
    """Returns the generator of the chances of one row, which `draw_uniforms` draws at once.

    Example:
        >>> one = chances(7)
        >>> [one.random(dtype="float32") for _ in range(4)] == draw_uniforms(7, 4, 1)[:, 0].tolist()
        True
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(row,) if row else ()))
