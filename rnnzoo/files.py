"""Output files: checked before the work, written whole or not at all."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rnnzoo.errors import InputError


def check_output(folder: str | os.PathLike, megabytes: float = 100, option: str = "--out") -> None:
    """Checks that a folder can be written, before an hour of work; makes nothing.

    Args:
        folder: The folder, which need not exist.
        megabytes: The room that is needed.
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
            f"free; make room, or give another {option}, on another disk."
        )


@contextlib.contextmanager
def unfinished(path: str | os.PathLike) -> Iterator[Path]:
    """Gives the name of a file to write, which takes the place of `path` only when it is whole.

    Args:
        path: The file; one that exists is replaced.
    """
    path = Path(path)
    unique = secrets.token_hex(4)  # for other threads, and for other machines on one disk
    temporary = path.with_name(f".unfinished.{unique}.{path.name}")  # keeps the suffix
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
    with unfinished(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def copy_atomically(source: str | os.PathLike, path: str | os.PathLike) -> None:
    """Copies a file whole or not at all, if it exists."""
    if Path(source).is_file():
        write_atomically(path, Path(source).read_text(encoding="utf-8"))
