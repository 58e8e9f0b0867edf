"""Checks of the numbers that samplers take."""

import math
from numbers import Real
from typing import Any

from rnnzoo.errors import InputError


def is_number(value: Any) -> bool:
    """Whether it is a real number, NumPy's included, and no truth value.

    Example:
        >>> is_number(0.5), is_number(True), is_number("1")
        (True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def check_share(**shares: float) -> None:
    """Checks that every named number is above 0 and at most 1.

    Raises:
        InputError: If one is not.

    Example:
        >>> check_share(p=0.9)
    """
    for name, value in shares.items():
        if not is_number(value) or not 0 < value <= 1:
            raise InputError(f"`{name}` must be a number above 0 and at most 1, not {value!r}.")


def check_above_zero(**values: float) -> None:
    """Checks that every named number is finite and above 0.

    Raises:
        InputError: If one is not.

    Example:
        >>> check_above_zero(repetition_penalty=1.2)
    """
    for name, value in values.items():
        if not is_number(value) or not 0 < value < math.inf:
            raise InputError(f"`{name}` must be a finite number above 0, not {value!r}.")
