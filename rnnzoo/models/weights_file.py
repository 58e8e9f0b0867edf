"""What the headers of an HDF5 file of weights announce, read without the weights."""

import math
from dataclasses import dataclass
from typing import IO

import h5py

from rnnzoo.errors import InputError

MAX_ARRAYS = 1000
MAX_OBJECTS = 5000  # arrays, and the groups that they are in
MAX_DEPTH = 32
OPTIMIZER = "optimizer"  # the group of its variables


@dataclass(frozen=True)
class Header:
    """What an HDF5 file announces of an array.

    Attributes:
        path: Its name, with those of the groups that it is in.
        shape: Its shape.
        kind: `"float"` or `"int"`.
        bytes: Its size.
    """

    path: str
    shape: tuple[int, ...]
    kind: str
    bytes: int


def read_headers(file: IO[bytes]) -> list[Header]:
    """Reads the headers of all arrays in an HDF5 file, as Keras writes it.

    Args:
        file: The file, open for reading.

    Returns:
        A header for each array.

    Raises:
        InputError: If it holds a link, an array outside the file, one that is compressed or not
            stored in full, one without numbers, or more of anything than a model has.
    """
    try:
        with h5py.File(file, "r") as root:
            return list(_walk(root))
    except InputError:
        raise
    except Exception as error:  # h5py raises whatever it meets
        raise InputError("its weights are no HDF5 that can be read") from error


def _walk(root):
    groups, arrays, objects = [(root, "", 0)], 0, 0
    while groups:
        group, path, depth = groups.pop()
        objects += len(group)
        if objects > MAX_OBJECTS or depth > MAX_DEPTH:
            raise InputError(f"its weights have more parts than a model has ({path[:80]!r})")
        for name in group:
            here = f"{path}/{name}" if path else name
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise InputError(f"its weights have a link ({here[:80]!r})")
            item = group[name]
            if isinstance(item, h5py.Group):
                groups.append((item, here, depth + 1))
                continue
            arrays += 1
            if arrays > MAX_ARRAYS:
                raise InputError(f"its weights are more than {MAX_ARRAYS:,} arrays")
            yield _header(item, here)


def _header(item, path):
    if not isinstance(item, h5py.Dataset):
        raise InputError(f"its weights have something that is no array ({path[:80]!r})")
    if item.external or item.is_virtual:
        raise InputError(f"its weights lie in another file ({path[:80]!r})")
    if item.shape is None:
        raise InputError(f"its weights have an array without a shape ({path[:80]!r})")
    bfloat16 = item.dtype.itemsize == 2 and item.attrs.get("dtype") == "bfloat16"
    if not bfloat16 and item.dtype.kind not in "fiu":
        raise InputError(f"its weights have an array of type {item.dtype} ({path[:80]!r})")
    size = math.prod(item.shape) * item.dtype.itemsize
    if item.compression or item.id.get_storage_size() != size:
        raise InputError(f"its weights are not stored in full ({path[:80]!r}, {size:,} bytes)")
    kind = "float" if bfloat16 or item.dtype.kind == "f" else "int"
    return Header(path, item.shape, kind=kind, bytes=size)
