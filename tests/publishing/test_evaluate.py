"""What is measured again: figures that is_close, and data that are those of the card."""

from dataclasses import asdict, replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnzoo import recipes
from rnnzoo.data.corpus import split_sha256
from rnnzoo.errors import InputError
from rnnzoo.publishing.evaluate import is_close, make_task
from rnnzoo.tasks.splits import load_corpus
from rnnzoo.tasks.translation import TranslationTask


def test_another_test_split_is_refused(small_data):
    recipe = replace(recipes.get("multi30k_en_de_tiny"), builder_options={"units": 2})
    corpus = load_corpus(recipe, data_dir=small_data)
    model = TranslationTask(recipe, corpus).build("float32")
    noted = {"name": corpus.name, "sha256": corpus.sha256}
    record = {"recipe": "captions", "recipe_arguments": asdict(recipe), "corpus": noted}

    def measured(**test):
        task = make_task(record | {"test": test}, model, "test", data_dir=small_data)
        return task.held_out == corpus.test

    assert measured()  # an older card, which does not tell
    assert measured(sha256=split_sha256("test", corpus.test))
    with pytest.raises(InputError, match=r"of captions are of another test split: .* 0{12}"):
        measured(sha256="0" * 64)
    assert make_task(record | {"test": {"sha256": "0" * 64}}, model, data_dir=small_data)


def test_three_digits():
    same = partial(is_close, "perplexity")
    assert same(1.4100, 1.4149) and not same(1.4100, 1.4151)
    assert same(123.4, 123.8) and not same(123.4, 124.0)
    assert same(0, 0) and not same(0.0, 0.1) and not same(float("nan"), 1.0)


@pytest.mark.parametrize("name", ["symbols_right", "symbols_right_by_length", "unknown_rate"])
def test_shares_near_all_are_equal_to_a_tenth_of_a_per_cent(name):
    same = partial(is_close, name)
    assert same(0.9996, 1.0) and not same(0.9994, 1.0) and not same(0.999, 1.0)
    assert same(0.06100, 0.06104) and not same(0.06100, 0.06106)
    assert same([0.5, 1.0], [0.5, 1.0]) and not same([0.5], [0.5, 1.0])
    assert not same([0.5, 0.999], [0.5, 1.0])
    assert same({"1": 0.5, "2": 1}, {"1": 0.5, "2": 1})
    assert not same({"1": 0.5}, {"1": 0.6}) and not same({"1": 0.5}, {"2": 0.5})


@given(st.floats(1e-6, 1e6), st.floats(-0.1, 0.1))
def test_agreement_is_relative_and_symmetric(value, change):
    other = value * (1 + change)
    same = partial(is_close, "perplexity")
    assert same(value, other) == same(other, value)
    if abs(change) < 0.0004:
        assert same(value, other)
    if abs(change) > 0.006:
        assert not same(value, other)
