"""How much a text repeats itself, whether it runs in a loop, and what it copies.

A model that always takes the likeliest token is easily caught in a loop: the same state leads to
the same words. All functions take any sequence of symbols: a string for characters, a list for
words.
"""

from typing import NamedTuple

import numpy as np

from rnnzoo.errors import InputError, check_positive


class Loop(NamedTuple):
    """A passage that repeats the same few symbols.

    Attributes:
        start: Where it starts.
        period: The symbols that repeat.
        length: The symbols of the whole passage.
    """

    start: int
    period: int
    length: int

    @property
    def times(self):
        """How often the symbols stand there; the last time may be cut off."""
        return self.length / self.period


def repeated_ngrams(symbols, n=10):
    """The share of n-grams that stood in the same sequence before.

    Args:
        symbols: A string, or a list of tokens.
        n: Symbols of an n-gram.

    Returns:
        A number from 0 (nothing comes twice) towards 1; 0 for fewer than n symbols.

    Raises:
        InputError: If `n` is not a whole number of at least 1.

    Example:
        >>> repeated_ngrams("abcabc", n=2)  # ab bc ca ab bc
        0.4
    """
    check_positive(n=n)
    ngrams = [tuple(symbols[i : i + n]) for i in range(len(symbols) - n + 1)]
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def find_loop(symbols, times=3, length=30):
    """Finds the longest passage that only repeats itself.

    Args:
        symbols: A string, or a list of tokens.
        times: How often its symbols must stand there to count, at least 2.
        length: How many symbols the whole passage must have to count, so that "..." and rows of
            blanks do not.

    Returns:
        The `Loop` with its shortest period, or `None`.

    Raises:
        InputError: If `length` is not a whole number of at least 1, or `times` of at least 2.

    Example:
        >>> find_loop("she said the cat and the cat and the cat and the", length=20)
        Loop(start=7, period=12, length=41)
    """
    check_positive(times=times, length=length)
    if times < 2:
        raise InputError(f"`times` must be at least 2, not {times!r}: once is no repetition.")
    codes = np.unique(list(symbols), return_inverse=True)[1] if len(symbols) else np.zeros(0)
    found = None
    for period in range(1, len(codes) // times + 1):
        same = (codes[period:] == codes[:-period]).astype(np.int8)
        edges = np.flatnonzero(np.diff(same, prepend=0, append=0))
        if not edges.size:
            continue
        starts, runs = edges[::2], edges[1::2] - edges[::2]
        longest = int(runs.argmax())
        covered = int(runs[longest]) + period
        if covered >= max(times * period, length) and (found is None or covered > found.length):
            found = Loop(int(starts[longest]), period, covered)
    return found


def longest_copy(sample, text):
    """The longest passage of a sample that stands word for word in a text.

    Args:
        sample: A string.
        text: A string, such as what a model was trained on.

    Returns:
        The passage; the first of several.

    Example:
        >>> longest_copy("a mad cat sat down", "the cat sat on the mat")
        ' cat sat '
    """
    best = ""
    for start in range(len(sample)):
        while start + len(best) < len(sample):
            longer = sample[start : start + len(best) + 1]
            if longer not in text:
                break
            best = longer
    return best
