"""Checks of the numbers that samplers take."""

import reprlib
from numbers import Real
from typing import Any

import numpy as np

from rnnzoo.errors import InputError

# What logits may be divided or multiplied by: beyond it ids that are never written come within
# reach of a draw, and float32 overflows at last.
SMALLEST, LARGEST = 1e-6, 1e6
SMALLEST_SHARE = float(np.finfo("float32").tiny)  # float32 may take less for 0


def is_number(value: Any) -> bool:
    """Whether it is a real number, NumPy's included, and no truth value.

    Example:
        >>> is_number(0.5), is_number(True), is_number("1")
        (True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def is_factor(value: Any) -> bool:
    """Whether it is a number from 1e-6 to 1e6, as temperatures and penalties are.

    Example:
        >>> is_factor(1.2), is_factor(0), is_factor(10**400)
        (True, False, False)
    """
    return is_number(value) and SMALLEST <= value <= LARGEST


def read_share(p: float) -> float:
    """Reads the `p` of a sampler, a number above 0 and at most 1.

    Returns:
        It, or the least number that float32 tells from 0.

    Raises:
        InputError: If it is not.

    Example:
        >>> read_share(0.9), read_share(1e-300) > 1e-300
        (0.9, True)
    """
    if not is_number(p) or not 0 < p <= 1:
        raise InputError(f"`p` must be a number above 0 and at most 1, not {reprlib.repr(p)}.")
    return max(float(p), SMALLEST_SHARE)
