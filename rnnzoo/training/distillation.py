"""What teachers predict at every place of a text: computed once, and kept as a file."""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import ops

from rnnzoo.data.sequences import flat_ids
from rnnzoo.data.sources import keras_home
from rnnzoo.errors import InputError, check_positive
from rnnzoo.files import atomic_path, check_output
from rnnzoo.models import LanguageModel
from rnnzoo.models.base import ZooModel
from rnnzoo.models.distillation import check_distillation

TOP_K = 16
MOST_ROWS, LENGTH = 64, 128  # of what teachers read at once; the state is carried
MOST_VALUES = 30_000_000  # probabilities at once; a large vocabulary gets shorter segments
ROW = 4096  # the least ids of a row: each starts from the zero state
MAX_BYTES = 4e9


def teacher_predictions(
    teachers: LanguageModel | Sequence[LanguageModel],
    ids: Sequence[int] | np.ndarray,
    *,
    temperature: float = 1.0,
    top_k: int = TOP_K,
    folder: str | os.PathLike | None = None,
) -> np.ndarray:
    """Computes what teachers predict after each id of a text: the mean of their probabilities.

    It is computed once and kept as a file, of 4 bytes for each id and each of the `top_k` tokens.
    The file is named by a digest of the teachers' weights, the text and the other arguments: what
    is computed again is read from it, and a teacher or a text that has changed gets another file.
    The folder may be deleted.

    Args:
        teachers: One or more language models of the same vocabulary as the model to train.
        ids: The text, 1-D whole numbers. The teachers read it in at most 64 rows, of at least 4,096
            ids, with carried state.
        temperature: By which their logits are divided.
        top_k: How many of the likeliest tokens to keep; of the rest the mass alone is kept.
        folder: Where the file is kept; `rnnzoo/teachers` in Keras's folder when left out.

    Returns:
        An array of the fields `"ids"` `(top_k,)` and `"probabilities"` `(top_k + 1,)` float16, the
        last being the mass of all other tokens; element n is of what follows id n. It is a
        `np.memmap`, whose content stays on the disk.

    Raises:
        InputError: If there is no teacher, their vocabularies differ, an argument is not valid,
            or the file cannot be written.

    Example:
        >>> from rnnzoo import char_lstm
        >>> teacher, ids = char_lstm(9, units=4), np.arange(50) % 9
        >>> found = teacher_predictions(teacher, ids, top_k=3, folder="teachers")
        >>> found["ids"].shape, found["probabilities"].shape
        ((49, 3), (49, 4))
    """
    teachers = [teachers] if isinstance(teachers, keras.Model) else list(teachers)
    ids = flat_ids(ids)
    _check(teachers, ids)
    check_positive(top_k=top_k)
    check_distillation(alpha=1.0, temperature=temperature)
    size = teachers[0].vocabulary_size
    top_k = min(top_k, size)
    kind = np.dtype([
        ("ids", np.uint16 if size <= 2**16 else np.int32, top_k),
        ("probabilities", np.float16, top_k + 1),
    ])  # fmt: skip
    shape = (len(ids) - 1,)
    if shape[0] * kind.itemsize > MAX_BYTES:
        raise InputError(
            f"The teachers' predictions for {len(ids):,} tokens would take "
            f"{shape[0] * kind.itemsize / 1e9:.1f} GB, and {MAX_BYTES / 1e9:.0f} GB is the most; "
            "give a shorter text, or a smaller `top_k`."
        )
    digests = sorted(map(digest, teachers))
    rows = max(1, min(MOST_ROWS, len(ids) // ROW))
    told = json.dumps([digests, _sha256(ids), float(temperature), top_k, rows])
    name = hashlib.sha256(told.encode()).hexdigest()[:32]
    option = "KERAS_HOME" if folder is None else "`folder`"
    folder = teachers_folder() if folder is None else Path(folder)
    path = folder / f"{name}.npy"
    kept = _read(path, kind, shape)
    if kept is not None:
        return kept
    check_output(folder, megabytes=1 + shape[0] * kind.itemsize / 1e6, option=option)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        found = np.lib.format.open_memmap(temporary, mode="w+", dtype=kind, shape=shape)
        _predict(teachers, ids, found, temperature=temperature, rows=rows)
        found.flush()
        del found  # closes it, so that it can be renamed on every system
    return _read(path, kind, shape)


def teachers_folder() -> Path:
    """The folder in which teachers' predictions and translations are kept."""
    return keras_home() / "rnnzoo" / "teachers"


def digest(model: ZooModel) -> str:
    """Computes a SHA-256 of a model's configuration and weights."""
    told = json.dumps(model.get_config(), sort_keys=True, default=str)
    found = hashlib.sha256(told.encode())
    for weight in model.weights:
        found.update(np.ascontiguousarray(ops.convert_to_numpy(weight)))
    return found.hexdigest()


def _check(teachers, ids):
    if not teachers or not all(isinstance(one, LanguageModel) for one in teachers):
        kinds = ", ".join(type(one).__name__ for one in teachers) or "none"
        raise InputError(f"Teachers must be one or more language models, not {kinds}.")
    first = teachers[0]
    for other in teachers[1:]:
        if (other.vocabulary, other.vocabulary_size) != (first.vocabulary, first.vocabulary_size):
            raise InputError(
                f"The teachers {first.name!r} and {other.name!r} have different vocabularies, so "
                "their probabilities have no mean; give teachers of one vocabulary."
            )
    largest = first.vocabulary_size - 1
    if len(ids) < 2 or ids.max() > largest:
        raise InputError(
            f"The text for the teachers must have at least 2 ids from 0 to {largest}, not "
            f"{len(ids)} up to {ids.max()}; encode it with the teachers' vocabulary."
        )


def _sha256(ids):
    return hashlib.sha256(np.ascontiguousarray(ids, np.int32)).hexdigest()


def _read(path, kind, shape):
    """The file, if it is there and whole."""
    with contextlib.suppress(OSError, ValueError):
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if (found.dtype, found.shape) == (kind, shape):
            return found
    return None


def _predict(teachers, ids, found, *, temperature, rows):
    """Fills `found`: rows of the text side by side, a segment at a time."""
    count, k = len(found), found["ids"].shape[-1]
    length = -(-count // rows)
    starts = np.arange(rows)[:, None] * length
    functions = [_function(teacher) for teacher in teachers]
    states = [teacher.get_initial_state(rows) for teacher in teachers]
    segment = max(1, min(LENGTH, MOST_VALUES // (rows * teachers[0].vocabulary_size)))
    for first in range(0, length, segment):
        steps = np.arange(first, min(first + segment, length))
        at = starts + steps  # (rows, steps)
        tokens = ids[np.minimum(at, count - 1)].astype("int32")
        mean = 0.0
        for index, function in enumerate(functions):
            probabilities, *states[index] = function(
                tokens, np.float32(temperature), *states[index]
            )
            mean = mean + ops.convert_to_numpy(probabilities) / len(functions)
        inside = at < count
        found[at[inside]] = _largest(mean[inside], k, found.dtype)


def _function(teacher):
    """Compiles: tokens and a state to probabilities `(rows, steps, vocabulary)`, and the state."""

    def run(tokens, temperature, *state):
        logits, state = teacher(tokens, initial_state=list(state), return_state=True)
        return ops.softmax(logits / temperature), *state

    return teacher.decodable().compiled("teacher", run)


def _largest(probabilities, k, kind):
    """The k largest of each row `(n, vocabulary)` and what is left; of equal ones the first."""
    ids = np.sort(np.argpartition(probabilities, -k, axis=-1)[:, -k:], axis=-1)
    largest = np.take_along_axis(probabilities, ids, axis=-1)
    least = largest.min(-1, keepdims=True)
    more = np.flatnonzero((probabilities >= least).sum(-1) > k)  # than fit are as large
    ids[more] = np.argsort(-probabilities[more], axis=-1, kind="stable")[:, :k]
    largest[more] = np.take_along_axis(probabilities[more], ids[more], axis=-1)
    order = np.argsort(-largest, axis=-1, kind="stable")
    ids, largest = (np.take_along_axis(each, order, axis=-1) for each in (ids, largest))
    rest = np.maximum(1.0 - largest.sum(-1, keepdims=True), 0.0)
    found = np.empty(len(ids), kind)
    found["ids"], found["probabilities"] = ids, np.concatenate([largest, rest], axis=-1)
    return found
