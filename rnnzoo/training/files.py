"""Output files: checked before the work, written whole or not at all."""

import os
import shutil
import tempfile
from pathlib import Path

from rnnzoo.errors import InputError


def check_output(folder, megabytes=100):
    """Checks that a folder can be written, before an hour of work; makes nothing.

    Args:
        folder: The folder, which need not exist.
        megabytes: The room that is needed.

    Raises:
        InputError: If a file is in the way, the permission is lacking or the disk is full.
    """
    folder = Path(folder)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise InputError(
            f"The output {folder} cannot be a folder, since {existing} is a file; give another "
            "--out."
        )
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(
            f"The output {folder} cannot be written ({error.strerror or error}); give an --out "
            "where you may write."
        ) from None
    free = shutil.disk_usage(existing).free / 1e6
    if free < megabytes:
        raise InputError(
            f"The output {folder} needs about {megabytes:,.0f} MB and its disk has {free:,.0f} MB "
            "free; make room, or give an --out on another disk."
        )


def write_atomically(path, text):
    """Writes a text file whole or not at all.

    Args:
        path: The file; one that exists is replaced.
        text: Its content.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def copy_atomically(source, path):
    """Copies a file whole or not at all, if it exists."""
    if Path(source).is_file():
        write_atomically(path, Path(source).read_text(encoding="utf-8"))
