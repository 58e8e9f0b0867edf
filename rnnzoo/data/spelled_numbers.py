"""Spelled-out numbers, generated: "one two five" is 125."""

import numpy as np

from rnnzoo.data.corpus import Corpus
from rnnzoo.errors import InputError, check_positive

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPELL = str.maketrans({str(digit): f"{word} " for digit, word in enumerate(_WORDS)})


def spelled_numbers(
    *,
    seed: int = 0,
    min_digits: int = 20,
    max_digits: int = 20,
    samples: int = 150_000,
    validation_samples: int = 5_000,
) -> Corpus:
    """Generates pairs such as `("one two five", "125")`; leading zeros occur.

    Args:
        seed: Training and validation pairs are two streams of random numbers from it.
        min_digits: The fewest digits in a number; lengths are drawn uniformly.
        max_digits: The most digits.
        samples: The number of training pairs.
        validation_samples: The number of validation pairs.

    Returns:
        A corpus of pairs with `train` and `validation`.

    Raises:
        InputError: If a size is not positive or `min_digits` exceeds `max_digits`.

    Example:
        >>> corpus = spelled_numbers(min_digits=1, max_digits=3, samples=10)
        >>> len(corpus.pairs), len(corpus.validation)
        (10, 5000)
    """
    check_positive(
        min_digits=min_digits,
        max_digits=max_digits,
        samples=samples,
        validation_samples=validation_samples,
    )
    if min_digits > max_digits:
        raise InputError(
            f"`min_digits` ({min_digits}) must not exceed `max_digits` ({max_digits})."
        )
    train = _pairs(samples, min_digits, max_digits, np.random.default_rng([seed, 0]))
    validation = _pairs(
        validation_samples, min_digits, max_digits, np.random.default_rng([seed, 1])
    )
    known = set(train)
    shared = sum(pair in known for pair in validation)
    notes = []
    if shared:
        notes.append(f"{shared:,} of the {validation_samples:,} validation pairs are in train too.")
    return Corpus(
        name="spelled_numbers",
        kind="pairs",
        source=f"Generated with seed {seed}: {samples:,} training and {validation_samples:,} "
        f"validation numbers of {min_digits} to {max_digits} digits.",
        terms="Generated; free of any terms.",
        splits={"train": train, "validation": validation},
        notes=notes,
    )


def _pairs(count, min_digits, max_digits, random):
    lengths = random.integers(min_digits, max_digits, size=count, endpoint=True)
    digits = random.integers(0, 10, size=lengths.sum(), dtype=np.uint8) + ord("0")
    digits, ends = digits.tobytes().decode("ascii"), lengths.cumsum()
    targets = [digits[start:end] for start, end in zip(ends - lengths, ends, strict=True)]
    return [(target.translate(_SPELL).rstrip(), target) for target in targets]
