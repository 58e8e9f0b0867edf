"""A training as one file: the model with its optimizer, its state, its progress, a checksum.

It is a `.keras` file with two things more, `state.npz` and `progress.json`, signed like every other
(`rnnzoo.archive`). So one that was torn or altered is found before anything of it is used.
"""

import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rnnzoo.archive import digest_fits, has_digest, parse_json, sign
from rnnzoo.array_file import read_arrays
from rnnzoo.errors import InputError
from rnnzoo.files import atomic_path

STATE, PROGRESS = "state.npz", "progress.json"


def write_snapshot(
    path: Path, model: keras.Model, *, state: Mapping[str, np.ndarray], progress: Mapping[str, Any]
) -> None:
    """Writes a snapshot, whole or not at all; the one before it becomes `previous_of(path)`.

    Args:
        path: The file, which ends in `.keras`.
        model: The model, with its optimizer.
        state: Arrays by name.
        progress: What else to note, for JSON.

    Raises:
        InputError: If it cannot be written, as on a full disk. The last two snapshots are then as
            they were.
    """
    try:
        _write(path, model, state=state, progress=progress)
    except OSError as error:
        raise InputError(
            f"The checkpoint {path} cannot be written ({error.strerror or error}), and the one "
            "before it is as it was; free some space on its disk and go on from there."
        ) from error


def _write(path, model, state, progress):
    with atomic_path(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as file:
            arrays = io.BytesIO()
            np.savez(arrays, **state)
            file.writestr(STATE, arrays.getvalue())
            file.writestr(PROGRESS, json.dumps(progress))
            file.comment = b""  # the digest of the model alone
        sign(temporary, sync=True)
        if path.exists():
            os.replace(path, previous_of(path))
    _sync(path.parent)


def previous_of(path: Path) -> Path:
    """Returns where the snapshot before the last one is."""
    return path.with_name(f"previous.{path.name}")


def newest_whole(path: Path) -> Path | None:
    """Finds the newest snapshot that is whole, and says so where that is not the last one.

    Args:
        path: The file of the last snapshot.

    Returns:
        `path`, `previous_of(path)`, or `None`.
    """
    found = [file for file in (path, previous_of(path)) if file.is_file()]
    for file in found:
        if is_whole(file):
            if file != path:
                why = "is damaged" if path.is_file() else "was not finished"
                print(f"The last checkpoint, {path}, {why}: going on from the one before it.")
            return file
    if found:
        raise InputError(
            f"The checkpoints in {path.parent} are damaged ({', '.join(f.name for f in found)}); "
            "train anew with another --out, or with --overwrite."
        )
    return None


def is_whole(path: Path) -> bool:
    """Returns whether a snapshot is as it was written. A `.keras` file of older code counts too."""
    if has_digest(path):
        return digest_fits(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return STATE not in archive.namelist() and archive.testzip() is None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def read_snapshot(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any] | None]:
    """Reads the state and the progress of a snapshot; of older code's file `{}` and `None`.

    Raises:
        InputError: If they are no arrays and no JSON.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if STATE not in archive.namelist():
                return {}, None
            state = read_arrays(io.BytesIO(archive.read(STATE)))
            return state, parse_json(archive.read(PROGRESS), finite=False)
    except (InputError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The checkpoint {path} is damaged ({error}); delete its folder and train anew."
        ) from error


def _sync(folder):
    """Brings the names in a folder to the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
