"""Spelled-out numbers, generated: "one two five" is 125."""

import numpy as np

from rnnzoo.data.corpus import About, Corpus
from rnnzoo.errors import InputError, check_fraction, check_positive

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PERIODS = 3  # digits repeat those of up to so many places before
_SPELL = str.maketrans({str(digit): f"{word} " for digit, word in enumerate(_WORDS)})
ABOUT = About(
    terms="Generated; free of any terms.", redistributable=True, reason="the data are generated"
)


def load(
    *,
    seed: int = 0,
    min_digits: int = 20,
    max_digits: int = 20,
    samples: int = 150_000,
    validation_samples: int = 5_000,
    repeats: float = 0.0,
) -> Corpus:
    """Generates pairs such as `("one two five", "125")`; leading zeros occur.

    Among random numbers there are hardly any such as 11111111 or 909090. A network that attends to
    what it reads by content loses its place in them, unless `repeats` has it see enough.

    Args:
        seed: Training and validation pairs are two streams of random numbers from it.
        min_digits: The fewest digits in a number; lengths are drawn uniformly.
        max_digits: The most digits.
        samples: The number of training pairs.
        validation_samples: The number of validation pairs.
        repeats: The share of numbers in which digits repeat: each digit is, with a probability
            drawn for the number, the one that stands 1, 2 or 3 places before, drawn for it, too.

    Returns:
        A corpus of pairs with `train` and `validation`.

    Raises:
        InputError: If a size is not positive, `min_digits` exceeds `max_digits`, or `repeats` is
            not at least 0 and below 1.

    Example:
        >>> corpus = load(min_digits=1, max_digits=3, samples=10)
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
    check_fraction(repeats=repeats)
    train, validation = (
        _pairs(
            count,
            min_digits=min_digits,
            max_digits=max_digits,
            repeats=repeats,
            random=np.random.default_rng([seed, stream]),
        )
        for stream, count in enumerate((samples, validation_samples))
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
        f"validation numbers of {min_digits} to {max_digits} digits"
        + (f", digits repeat in {repeats:.0%} of them." if repeats else "."),
        terms=ABOUT.terms,
        redistributable=ABOUT.redistributable,
        splits={"train": train, "validation": validation},
        notes=notes,
    )


def _pairs(count, *, min_digits, max_digits, repeats, random):
    lengths = random.integers(min_digits, max_digits, size=count, endpoint=True)
    digits = random.integers(0, 10, size=lengths.sum(), dtype=np.uint8) + ord("0")
    ends = lengths.cumsum()
    if repeats:
        _repeat(digits, lengths, ends, repeats=repeats, random=random)
    digits = digits.tobytes().decode("ascii")
    targets = [digits[start:end] for start, end in zip(ends - lengths, ends, strict=True)]
    return [(target.translate(_SPELL).rstrip(), target) for target in targets]


def _repeat(digits, lengths, ends, *, repeats, random):
    """Makes digits of a share of the numbers those of some places before, in place."""
    chosen = np.flatnonzero(random.random(len(lengths)) < repeats)
    periods = random.integers(1, PERIODS, size=len(chosen), endpoint=True)
    chances = random.random(len(chosen))
    for number, period, chance in zip(chosen, periods, chances, strict=True):
        place = digits[ends[number] - lengths[number] : ends[number]]  # a view
        for at in range(period, len(place)):
            if random.random() < chance:
                place[at] = place[at - period]
