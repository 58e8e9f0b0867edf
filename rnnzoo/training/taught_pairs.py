"""What a teacher makes of the training sources: translated once, and kept as a file."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rnnzoo.errors import InputError
from rnnzoo.files import atomic_path, check_output
from rnnzoo.generation.translate import translate
from rnnzoo.models import Seq2Seq
from rnnzoo.tasks.translation import translate_all
from rnnzoo.training.distillation import digest, teachers_folder

BEAM_WIDTH = 5
LENGTH_PENALTY = 0.6


def teacher_translations(
    teacher: Seq2Seq, sources: Sequence[str], *, folder: str | os.PathLike | None = None
) -> list[str]:
    """Translates the sources of training pairs, for a student that learns these texts too.

    Sequence-level distillation (Kim and Rush 2016, https://arxiv.org/abs/1606.07947): what a
    teacher finds with a beam is easier to learn than what people wrote. The student keeps the
    pairs as they are beside it, as in data diversification (Nguyen et al. 2020,
    https://arxiv.org/abs/1911.01986).

    It is computed once and kept as a file, which is named by a digest of the teacher's weights, the
    sources and the search. The folder may be deleted.

    Args:
        teacher: A translator in the direction of the student; its vocabularies may be others.
        sources: Texts.
        folder: Where the file is kept; `rnnzoo/teachers` in Keras's folder when left out.

    Returns:
        Their translations by a beam of 5 with a length penalty of 0.6, in the order of the sources.

    Raises:
        InputError: If the teacher is no translator, there are no sources, or the file cannot be
            written.

    Example:
        >>> from rnnzoo import Vocabulary, gru_seq2seq
        >>> letters = Vocabulary.from_text("abc", special_tokens=("<pad>", "<start>", "<end>"))
        >>> teacher = gru_seq2seq(letters, letters, units=4, embedding_dim=4)
        >>> len(teacher_translations(teacher, ["abc", "cab"], folder="t"))  # doctest: +ELLIPSIS
        gru_seq2seq translates 2 sources, with a beam of 5.
        It took ... minutes.
        2
    """
    if not isinstance(teacher, Seq2Seq):
        raise InputError(f"The teacher must be a translator, not a {type(teacher).__name__}.")
    if not sources:
        raise InputError("There are no sources for the teacher to translate; give at least one.")
    search = [BEAM_WIDTH, LENGTH_PENALTY]
    told = json.dumps([digest(teacher), list(sources), search])
    option = "KERAS_HOME" if folder is None else "`folder`"
    folder = teachers_folder() if folder is None else Path(folder)
    path = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.json"
    kept = _read(path, len(sources))
    if kept is not None:
        return kept
    check_output(folder, megabytes=1 + 1e-6 * 4 * len(told), option=option)
    started = time.monotonic()
    print(f"{teacher.name} translates {len(sources):,} sources, with a beam of {BEAM_WIDTH}.")
    write = partial(translate, teacher, beam_width=BEAM_WIDTH, length_penalty=LENGTH_PENALTY)
    found = translate_all(write, [(source, "") for source in sources])
    print(f"It took {(time.monotonic() - started) / 60:.1f} minutes.")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps(found), encoding="utf-8")
    return found


def _read(path, count):
    """The file's texts, if it is there and whole."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, list) and len(found) == count and all(map(_is_text, found)):
            return found
    return None


def _is_text(value):
    return isinstance(value, str)
