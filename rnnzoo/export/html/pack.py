"""The arrays of a page: what each is made of, and all of them as one text."""

import base64
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, unknown_name

WEIGHTS = ("float16", "int8")
ALIGNMENT = 4  # bytes: a browser reads float32 only where an address is a multiple of it


class Arrays:
    """Collects the arrays of a page and gives each a number.

    Matrices are stored as `weights` says, vectors as float32. The rows of a stored matrix are its
    outputs, so that a product reads memory in order, and int8 has a scale for each: that is, for
    each column of Keras's kernels and for each token of an embedding.

    Args:
        weights: `"float16"` or `"int8"`.

    Raises:
        InputError: If `weights` is neither.

    Example:
        >>> arrays = Arrays("float16")
        >>> arrays.add(np.ones((2, 3)), transpose=True)
        0
        >>> arrays.index
        [{'shape': [3, 2], 'dtype': 'float16', 'at': 0}]
    """

    def __init__(self, weights: str):
        if weights not in WEIGHTS:
            raise unknown_name("kind of weights", weights, WEIGHTS)
        self.weights = weights
        self.index: list[dict[str, Any]] = []
        self._bytes = bytearray()
        self._numbers: dict[Any, int] = {}

    def add(self, array: Any, *, transpose: bool = False, key: Any = None) -> int:
        """Stores an array.

        Args:
            array: A vector, or a matrix whose rows are outputs.
            transpose: Whether the outputs of a matrix are its columns, as in Keras's kernels.
            key: What is stored once alone, however often it is added.

        Returns:
            The number of the array in `index`.

        Raises:
            InputError: If a number is not finite, or too large for float16.
        """
        if key is not None and key in self._numbers:
            return self._numbers[key]
        if keras.ops.is_tensor(array) or isinstance(array, keras.Variable):
            array = ops.convert_to_numpy(ops.cast(array, "float32"))
        array = np.asarray(array, "float32")
        array = np.ascontiguousarray(array.T if transpose else array)
        dtype = "float32" if array.ndim == 1 else self.weights
        entry = {"shape": list(array.shape), "dtype": dtype}
        if dtype == "int8":
            scales = np.maximum(np.abs(array).max(axis=1), 1e-12) / np.float32(127)  # (outputs,)
            stored = np.round(array / scales[:, None]).astype("int8")
            entry |= {"at": self._append(stored), "scales_at": self._append(scales)}
        else:
            with np.errstate(over="ignore"):  # an error follows below
                stored = array.astype(dtype)
            entry["at"] = self._append(stored)
        if not np.isfinite(array if dtype == "int8" else stored).all():
            raise InputError(
                f"A weight of the model is not a finite {dtype} number (the largest is "
                f"{np.abs(array).max():g}), which a page cannot hold; train the model with "
                "gradients clipped, or export a SavedModel."
            )
        self.index.append(entry)
        number = len(self.index) - 1
        if key is not None:
            self._numbers[key] = number
        return number

    def base64(self) -> str:
        """Returns the bytes of all arrays, little-endian, as text."""
        return base64.b64encode(self._bytes).decode("ascii")

    def _append(self, array):
        self._bytes += bytes(-len(self._bytes) % ALIGNMENT)
        at = len(self._bytes)
        self._bytes += array.astype(array.dtype.newbyteorder("<")).tobytes()
        return at
