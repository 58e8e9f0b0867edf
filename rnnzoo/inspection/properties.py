"""Properties of a text that a unit may follow: a number for each character."""

from collections.abc import Callable

import numpy as np

Property = Callable[[str], np.ndarray]


def inside_quotes(text: str) -> np.ndarray:
    """Returns 1 from each opening double quotation mark to the one that closes it, else 0.

    Straight marks open and close in turn.

    Example:
        >>> inside_quotes('a "b" c').astype(int).tolist()
        [0, 0, 1, 1, 0, 0, 0]
    """
    values, inside = np.zeros(len(text)), False
    for place, symbol in enumerate(text):
        if symbol == '"':
            inside = not inside
        elif symbol in "\u201c\u201d":
            inside = symbol == "\u201c"
        values[place] = inside
    return values


def line_position(text: str) -> np.ndarray:
    r"""Returns how many characters of its line have been read; 0 at a line break.

    Example:
        >>> line_position("ab\nc").astype(int).tolist()
        [1, 2, 0, 1]
    """
    return _count_in_line(text, lambda symbol: True)


def spaces_in_line(text: str) -> np.ndarray:
    r"""Returns how many spaces have been read since the last line break.

    Example:
        >>> spaces_in_line("a b c\nd").astype(int).tolist()
        [0, 1, 1, 2, 2, 0, 0]
    """
    return _count_in_line(text, lambda symbol: symbol == " ")


def after_capital(text: str) -> np.ndarray:
    """Returns 1 where the character just read is a capital letter, else 0.

    Example:
        >>> after_capital("To be").astype(int).tolist()
        [1, 0, 0, 0, 0]
    """
    return np.array([symbol.isupper() for symbol in text], float)


def _count_in_line(text, counts):
    values, count = np.zeros(len(text)), 0
    for place, symbol in enumerate(text):
        count = 0 if symbol == "\n" else count + counts(symbol)
        values[place] = count
    return values


PROPERTIES: dict[str, Property] = {
    function.__name__: function
    for function in (inside_quotes, line_position, spaces_in_line, after_capital)
}
