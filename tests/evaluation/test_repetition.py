"""Repeated n-grams, loops and copies, against brute force."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.errors import InputError
from rnnzoo.evaluation.repetition import Loop, find_loop, longest_copy, repeated_ngrams

FEW = st.text("ab", max_size=24)


@given(FEW, st.integers(1, 5))
def test_repeated_ngrams(text, n):
    count = len(text) - n + 1
    again = sum(text[i : i + n] in [text[j : j + n] for j in range(i)] for i in range(count))
    assert repeated_ngrams(text, n) == pytest.approx(again / count if count > 0 else 0)
    assert repeated_ngrams(list(text), n) == repeated_ngrams(text, n)


@settings(deadline=None)
@given(FEW, st.integers(2, 4), st.integers(1, 12))
def test_the_longest_loop(text, times, length):
    loops = [
        Loop(start, period, size)
        for period in range(1, len(text) + 1)
        for start in range(len(text))
        for size in range(max(times * period, length), len(text) - start + 1)
        if all(text[i] == text[i - period] for i in range(start + period, start + size))
    ]
    found = find_loop(text, times, length)
    if not loops:
        assert found is None
        return
    assert found in loops
    longest = max(loop.length for loop in loops)
    assert found.length == longest
    assert found.period == min(loop.period for loop in loops if loop.length == longest)


def test_the_loop_of_a_model_that_is_stuck():
    text = "said alice, " + "and the queen said to the king " * 4 + "and the"
    loop = find_loop(text)
    assert text[loop.start :].startswith(" and the queen said to the king")
    assert loop.period == len("and the queen said to the king ")
    assert loop.times == pytest.approx(4, abs=0.5)
    assert find_loop("well..... no, said the cat; not quite right, i am afraid!!!!") is None
    assert find_loop(["and", "so", "on"] * 3, length=9) == (0, 3, 9)
    assert find_loop("") is None


@given(FEW, FEW)
def test_the_longest_copy(sample, text):
    copies = [
        sample[i:j]
        for i in range(len(sample))
        for j in range(i, len(sample) + 1)
        if sample[i:j] in text
    ]
    found = longest_copy(sample, text)
    assert found in sample and found in text
    assert len(found) == max(map(len, copies), default=0)


def test_a_size_must_be_positive():
    with pytest.raises(InputError, match="`n` must be a whole number of at least 1"):
        repeated_ngrams("ab", 0)
    with pytest.raises(InputError, match="`times` must be at least 2, not 1"):
        find_loop("ab", 1)
