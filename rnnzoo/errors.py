"""What a person can get wrong, said in one clear sentence."""

import difflib
import numbers
from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in what the user typed or passed: a path, a name, a size, a text.

    The message is one sentence that names the value, what was expected and what to do. The
    scripts print it without a traceback and exit with code 2; in Python it is a `ValueError`.

    Example:
        >>> raise InputError("`units` must be a positive whole number, not -3.")
        Traceback (most recent call last):
        ...
        rnnzoo.errors.InputError: `units` must be a positive whole number, not -3.
    """


def check_positive(**sizes: int | None) -> None:
    """Checks that every named size is a whole number of at least 1.

    Args:
        **sizes: The sizes by their argument names; `None` is passed over.

    Raises:
        InputError: If one is not.

    Example:
        >>> check_positive(units=128, num_layers=2)
    """
    for name, value in sizes.items():
        if value is None:
            continue
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not whole or value < 1:
            raise InputError(f"`{name}` must be a whole number of at least 1, not {value!r}.")


def check_fraction(**fractions: float) -> None:
    """Checks that every named fraction is at least 0 and below 1.

    Args:
        **fractions: The fractions, such as a dropout rate, by their argument names.

    Raises:
        InputError: If one is not.

    Example:
        >>> check_fraction(dropout=0.5)
    """
    for name, value in fractions.items():
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not real or not 0 <= value < 1:
            raise InputError(f"`{name}` must be at least 0 and below 1, not {value!r}.")


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Makes the error for a name that nothing has, with the nearest names that exist.

    Args:
        kind: What was asked for, such as `"corpus"`.
        name: The name that was given.
        known: The names that exist.

    Returns:
        The error, for the caller to raise.

    Example:
        >>> str(unknown_name("sampler", "gredy", ["greedy", "temperature"]))
        "No sampler is called 'gredy'; did you mean 'greedy'? There are: greedy, temperature."
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    return InputError(f"No {kind} is called {name!r}{hint} There are: {', '.join(known)}.")
