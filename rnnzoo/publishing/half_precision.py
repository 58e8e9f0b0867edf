"""Model files of half the size."""

import io
import os
import zipfile

import numpy as np

from rnnzoo.archive import sign
from rnnzoo.errors import InputError
from rnnzoo.files import atomic_path

WEIGHTS_FILE = "model.weights.h5"  # in a .keras file


def to_half_precision(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Copies a `.keras` file with its float32 weights as float16, which loading widens again.

    Keras casts what it reads to the dtype of each variable, so that `keras.saving.load_model` and
    every backend read the file as they read the other.

    Args:
        source: The file.
        target: The file to write; one that exists is replaced.

    Raises:
        InputError: If a weight is beyond the range of half precision, 65,504.

    Example:
        ```python
        to_half_precision("romeo.keras", "small_romeo.keras")
        ```
    """
    with zipfile.ZipFile(source) as before, atomic_path(target) as path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as after:
            for part in before.infolist():
                content = before.read(part)
                if part.filename == WEIGHTS_FILE:
                    content = _halved(content, source)
                # The time of the old part, so that the same model gives the same file.
                new = zipfile.ZipInfo(part.filename, part.date_time)
                after.writestr(new, content, zipfile.ZIP_DEFLATED)
        sign(path)


def _halved(content, source):
    """The HDF5 file of weights with every float32 array as float16."""
    import h5py

    result = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as before, h5py.File(result, "w") as after:

        def copy(path, item):
            if isinstance(item, h5py.Group):
                new = after.require_group(path)
            else:
                values = item[()]
                if values.dtype == np.float32:
                    with np.errstate(over="ignore"):
                        values = values.astype(np.float16)
                    if not np.isfinite(values).all():
                        raise InputError(
                            f"A weight of {source} ({path}) is beyond half precision, 65,504, or "
                            "not a number; train the model again."
                        )
                # All first bytes, then all second ones: the first, sign and exponent, pack well.
                packed = {"chunks": values.shape, "shuffle": True} if values.size > 1 else {}
                new = after.create_dataset(path, data=values, **packed)
            new.attrs.update(item.attrs)

        after.attrs.update(before.attrs)
        before.visititems(copy)
    return result.getvalue()
