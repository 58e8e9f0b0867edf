"""Exported folders: written whole or not at all, and in place of nothing else."""

import contextlib
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from rnnzoo.errors import InputError

SAVED_MODEL = ("saved_model.pb", "fingerprint.pb", "variables", "assets")  # all its parts


def check_replaceable(path: Path, parts: Collection[str], *, what: str) -> None:
    """Refuses a path where something stands that is no export of this kind.

    Args:
        path: Where a folder is to be written, a `Path`.
        parts: The names of all that such a folder may hold; the first is always there.
        what: What it is called, with its article.

    Raises:
        InputError: If there is a file, or a folder with other files in it, or the path has no name.
    """
    remedy = "give a folder that does not exist yet."
    if not path.name:
        raise InputError(f"{str(path)!r} is a folder in use, which {what} cannot replace; {remedy}")
    if path.exists() and not path.is_dir():
        raise InputError(f"{str(path)!r} is a file, but {what} is a folder; {remedy}")
    present = set(os.listdir(path)) if path.is_dir() else set()
    main, *_ = parts
    others = sorted(present.difference(parts) if main in present else present)
    if others:
        raise InputError(
            f"The folder {str(path)!r} holds {others[0]!r}, which is no part of {what}, and "
            f"would be lost; {remedy}"
        )


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives the name of a folder to make, which takes the place of `path` only when it is whole.

    Args:
        path: The folder; one that exists is replaced.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    replaced = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
    finally:
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
