"""Output files: checked before the work, written whole or not at all."""

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rnnzoo.errors import InputError

# What trainings, exports and the founding systems leave in their folders.
RESULTS = (
    "model.keras", "saved_model", "saved_model.pb", "summary.json", "metrics.json", "card.md",
    "samples.txt", "log.csv", "curve.png", "step.onnx", "step.tflite",
)  # fmt: skip


def check_output(folder: str | os.PathLike, megabytes: float = 100, option: str = "--out") -> None:
    """Checks that a folder can be written, before an hour of work; makes nothing.

    Args:
        folder: The folder, which need not exist.
        megabytes: The free space that is needed.
        option: What the error says to change.

    Raises:
        InputError: If a file is in the way, the permission is lacking or the disk is full.
    """
    folder = Path(folder)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(
            f"The output {folder} cannot be a folder, since {existing} is a file; give another "
            f"{option}."
        )
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(
            f"The output {folder} cannot be written ({error.strerror or error}); give another "
            f"{option}, where you may write."
        ) from None
    free = shutil.disk_usage(existing).free / 1e6
    if free < megabytes:
        raise InputError(
            f"The output {folder} needs about {megabytes:,.0f} MB and its disk has {free:,.0f} MB "
            f"free; free some space, or give another {option}, on another disk."
        )


def check_replaces_nothing(
    folder: str | os.PathLike, *, overwrite: bool = False, option: str = "--out"
) -> None:
    """Checks that results written to a folder take the place of no others.

    What lies in the folder and beside it decides, wherever the package is installed.

    Args:
        folder: The folder, which need not exist.
        overwrite: Whether finished results may be replaced; published ones never are.
        option: What the error says to change.

    Raises:
        InputError: If the folder holds a published model or lies in that of one, holds results
            that may not be replaced, or is a link to nothing.
    """
    folder = Path(folder)
    if folder.is_symlink() and not folder.exists():
        raise InputError(
            f"The output {folder} is a link to {os.readlink(folder)}, which does not exist; give "
            f"another {option}."
        )
    if is_published(folder) or _published_names(folder):
        raise InputError(
            f"The output {folder} holds a published model, which would be overwritten; give "
            f"another {option}."
        )
    present = [name for name in RESULTS if os.path.lexists(folder / name)]
    if present and not overwrite:
        raise InputError(
            f"The output {folder} holds {present[0]} already, which would be replaced; give "
            f"another {option}, or --overwrite (in Python `overwrite=True`) to replace it."
        )


def is_published(folder: str | os.PathLike) -> bool:
    """Returns whether a folder is that of a published model, or lies in one.

    It is if an `index.json` beside it lists it, or its metrics.json has the name it was published
    by. Links are followed.

    Args:
        folder: The folder, which need not exist.
    """
    for start in (Path(os.path.abspath(folder)), Path(folder).resolve()):
        for path in (start, *start.parents):
            if path.name in _published_names(path.parent):
                return True
            if {"name", "recipe", "figures"} <= _json(path, "metrics.json").keys():
                return True
    return False


def _published_names(folder):
    """The names of the models that the index in a folder lists."""
    index = _json(folder, "index.json")
    models = index.get("models")
    return models if isinstance(models, dict) and "format" in index else {}


def _json(folder, name):
    """The content of a JSON file; empty where there is none that can be read."""
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Gives the name of a file to write, which takes the place of `path` only when it is whole.

    Args:
        path: The file; one that exists is replaced.
    """
    path = Path(path)
    unique = secrets.token_hex(4)  # for other threads, and for other machines on one disk
    temporary = path.with_name(f".partial.{unique}.{path.name}")  # keeps the suffix
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # gone already, or never begun
            temporary.unlink()


def write_atomically(path: str | os.PathLike, text: str) -> None:
    """Writes a text file whole or not at all.

    Args:
        path: The file; one that exists is replaced.
        text: Its content.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def copy_atomically(source: str | os.PathLike, path: str | os.PathLike) -> None:
    """Copies a file whole or not at all, if it exists."""
    if Path(source).is_file():
        write_atomically(path, Path(source).read_text(encoding="utf-8"))
