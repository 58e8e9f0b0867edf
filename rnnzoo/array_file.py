"""NumPy's `.npz` files from anywhere: what a header announces is checked before it is read."""

import math
from typing import IO

import numpy as np

from rnnzoo.archive import MAX_RATIO, SMALL
from rnnzoo.errors import InputError


def read_arrays(file: np.lib.npyio.NpzFile | IO[bytes]) -> dict[str, np.ndarray]:
    """Reads the arrays of an `.npz` file, once each header was checked against its size.

    Args:
        file: The file, open for reading or by `np.load`. Nothing in it is unpickled.

    Raises:
        InputError: If it is no `.npz` file, or a header announces another size than there is.
    """
    try:
        if not isinstance(file, np.lib.npyio.NpzFile):
            file = np.load(file, allow_pickle=False)
        for part in file.zip.infolist():
            _check_array(file.zip, part)
        return {name: file[name] for name in file.files}
    except InputError:
        raise
    except Exception as error:  # NumPy, zipfile and zlib each raise their own
        raise InputError("it has no arrays that can be read") from error


def _check_array(archive, part):
    """Refuses an array whose header announces another size than its part of the zip has."""
    if part.file_size > max(SMALL, MAX_RATIO * part.compress_size):
        raise InputError(f"its array {part.filename!r} would unpack to {part.file_size:,} bytes")
    with archive.open(part) as content:
        if np.lib.format.read_magic(content) == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(content)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(content)
        announced = content.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject or announced != part.file_size:
        raise InputError(f"its array {part.filename!r} has another size than its header announces")
