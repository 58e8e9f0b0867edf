"""Zip files from anywhere: their parts are checked before one is read, a digest ends them.

The SHA-256 of all the rest stands in the comment of the zip, which is at the end of the file. So a
byte that was altered later is found before anything in the file is used.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import struct
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

from rnnzoo.errors import InputError

MAX_DIRECTORY = 1 << 17  # bytes of a zip's list of its parts
SMALL = 20 << 20  # bytes of a part, which may shrink to nothing in a zip
MAX_JSON = SMALL  # parsed, it takes up to 30 times as much memory
MAX_DEPTH = 32  # of lists and objects within each other
MAX_RATIO = 20  # of the size of a larger one to its size in the zip; weights hardly shrink
IN_MEMORY = 1 << 26  # bytes of a part; larger ones are unpacked to the disk
_DIGEST = 64  # hexadecimal digits
_LENGTH = struct.pack("<H", _DIGEST)  # the comment's length, which stands before it
_NO_COMMENT = 22  # bytes of the end of a zip without one


def sign(path: str | os.PathLike, *, sync: bool = False) -> None:
    """Writes the digest of a zip file, which has no comment yet, into its comment.

    Args:
        path: The file.
        sync: Whether to wait until all of it is on the disk.
    """
    with open(path, "r+b") as file:
        size = file.seek(-len(_LENGTH), os.SEEK_END)
        digest = _digest(file, size)
        file.seek(size)
        file.write(_LENGTH + digest)
        if sync:
            file.flush()
            os.fsync(file.fileno())


def has_digest(path: str | os.PathLike) -> bool:
    """Returns whether a zip file has something in its comment; older code wrote none."""
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _NO_COMMENT))
        return not file.read().startswith(b"PK\x05\x06")


def digest_fits(path: str | os.PathLike) -> bool:
    """Returns whether a zip file has a digest and is as it was when it was signed."""
    tail = len(_LENGTH) + _DIGEST
    with open(path, "rb") as file:
        size = max(0, file.seek(0, os.SEEK_END) - tail)
        file.seek(size)
        found = file.read()
        return found == _LENGTH + _digest(file, size)


def _digest(file, size):
    """The SHA-256 of the first bytes of a file, in hexadecimal digits."""
    file.seek(0)
    digest = hashlib.sha256()
    while size and (chunk := file.read(min(size, 1 << 20))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest().encode("ascii")


class _Directory(io.FileIO):
    """A zip file whose list of parts is read only where it is short."""

    def read(self, size=-1):
        if size > MAX_DIRECTORY:
            raise zipfile.BadZipFile("its list of parts is too long")
        return super().read(size)


def open_zip(path: str | os.PathLike, known: Collection[str]) -> zipfile.ZipFile:
    """Opens a zip file, once its list of parts was checked.

    Args:
        path: The file.
        known: The names that a part may have, each once.

    Raises:
        InputError: If a part has another name, is there twice, is a link or unpacks to far more
            than it takes in the file.
        zipfile.BadZipFile: If it is no zip file.

    Example:
        >>> with zipfile.ZipFile("a.zip", "w") as file:
        ...     file.writestr("../b", "")
        >>> open_zip("a.zip", {"config.json"})
        Traceback (most recent call last):
        ...
        rnnzoo.errors.InputError: it has a part '../b', where only config.json may be
    """
    with _Directory(path) as file, zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    size, seen = Path(path).stat().st_size, set()
    for part in parts:
        name = part.filename
        if name not in known:
            raise InputError(f"it has a part {name[:80]!r}, where only {', '.join(known)} may be")
        if name in seen:
            raise InputError(f"its part {name!r} is there twice")
        seen.add(name)
        if (part.external_attr >> 16) & 0o170000 not in (0, 0o100000):
            raise InputError(f"its part {name!r} is a link or a folder")
        if part.compress_size > size or part.file_size > max(SMALL, MAX_RATIO * part.compress_size):
            raise InputError(
                f"its part {name!r} would unpack from {part.compress_size:,} to "
                f"{part.file_size:,} bytes"
            )
    return zipfile.ZipFile(path)


@contextlib.contextmanager
def unpacked(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """Unpacks a part to a temporary file, and checks it against its CRC on the way."""
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        with archive.open(name) as part:
            while chunk := part.read(1 << 20):
                file.write(chunk)
        file.seek(0)
        yield file


def parse_json(content: bytes, *, finite: bool = True) -> Any:
    """Reads JSON that anybody may have written.

    Args:
        content: The JSON.
        finite: Whether numbers must be finite.

    Raises:
        InputError: If it is long, nested deeply, no JSON, or has a number that is not finite.

    Example:
        >>> parse_json(b'{"units": 1e999}')
        Traceback (most recent call last):
        ...
        rnnzoo.errors.InputError: it has the number inf, which is not finite
    """
    if len(content) > MAX_JSON:
        raise InputError(f"its JSON has {len(content):,} bytes, more than {MAX_JSON:,}")
    try:
        whole = json.loads(content)
    except RecursionError:
        raise InputError(f"its JSON is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise InputError("it has no JSON that can be read") from error
    values = [whole]
    for _ in range(MAX_DEPTH):
        for value in values:
            if finite and isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"it has the number {value}, which is not finite")
        values = [inner for value in values for inner in _inner(value)]
        if not values:
            return whole
    raise InputError(f"its JSON is nested more than {MAX_DEPTH} deep")


def _inner(value):
    """What a JSON value consists of."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
