"""Subwords that are cut anew in every epoch."""

import itertools

import numpy as np
import pytest

from rnnzoo import Vocabulary, subwords
from rnnzoo.data import pair_batches
from rnnzoo.data.recut import recut, recut_pair_batches
from rnnzoo.errors import InputError

JOINS = ["ab", "abc", "\u2581abc", "cd", "de", "cde"]
VOCABULARY = Vocabulary(
    ["<pad>", "<start>", "<unk>", "<end>", *"abcde", subwords.SPACE, *JOINS], "subword"
)
PAIRS = [("abc de" * n, "cde abc " * n) for n in range(1, 12)]


def batches(dropout, **options):
    options = {"seed": 1, "dropout": dropout} | options
    return recut_pair_batches(PAIRS, VOCABULARY, VOCABULARY, 4, **options)


def elements(dataset):
    return [
        (inputs["source"], inputs["target"], labels, weights)
        for inputs, labels, weights in dataset.as_numpy_iterator()
    ]


def same(some, others):
    return len(some) == len(others) and all(
        x.dtype == y.dtype and x.shape == y.shape and (x == y).all()
        for one, other in zip(some, others, strict=True)
        for x, y in zip(one, other, strict=True)
    )


def test_without_dropout_it_is_the_cut_of_the_vocabulary():
    texts = [text for pair in PAIRS for text in pair]
    for ids, text in zip(recut(texts, VOCABULARY, 0.0), texts, strict=True):
        assert ids.tolist() == VOCABULARY.encode(text).tolist()
    sources, targets = zip(*PAIRS, strict=True)
    plain = pair_batches(
        VOCABULARY.encode_documents(sources, start=False),
        VOCABULARY.encode_documents(targets, start=False, end=False),
        4, start_id=1, end_id=3, seed=1,
    )  # fmt: skip
    recutting = batches(0.0)
    assert len(recutting) == len(plain) == 3 and recutting.element_spec == plain.element_spec
    for _ in range(2):
        assert same(elements(recutting), elements(plain))


def test_joins_are_passed_over_as_often_as_wanted():
    """Two characters are one token but for `dropout` of the draws."""
    vocabulary = Vocabulary(["a", "b", "ab", subwords.SPACE], "subword")
    cuts = [ids.tolist() for ids in recut(["ab"] * 4000, vocabulary, 0.25, seed=3)]
    assert sorted(map(tuple, {tuple(ids) for ids in cuts})) == [(3, 0, 1), (3, 2)]
    assert np.mean([len(ids) == 3 for ids in cuts]) == pytest.approx(0.25, abs=0.03)


def test_each_epoch_has_cuts_of_its_own_and_the_same_texts():
    whole = batches(0.5)
    epochs = [elements(whole) for _ in range(3)]
    for one, other in itertools.combinations(epochs, 2):
        assert not same(one, other)
    for epoch in epochs:
        read = [row for source, *_ in epoch for row in source]
        assert sorted(map(VOCABULARY.decode, read)) == sorted(source for source, _ in PAIRS)
        written = [row for *_, labels, _ in epoch for row in labels]
        assert sorted(map(VOCABULARY.decode, written)) == sorted(
            target.strip() for _, target in PAIRS
        )
    resumed = batches(0.5, initial_epoch=1)
    assert same(elements(resumed), epochs[1]) and same(elements(resumed), epochs[2])
    assert not same(elements(batches(0.5, seed=2)), epochs[0])


def test_unknown_characters_stay_unknown():
    (ids,) = recut(["xab"], VOCABULARY, 0.0)
    assert ids.tolist() == VOCABULARY.encode("xab").tolist() and VOCABULARY.unknown_id in ids


def test_refusals():
    with pytest.raises(InputError, match=r"Only subwords .* not the words"):
        recut(["a"], Vocabulary(["a", "b"], "word"), 0.1)
    with pytest.raises(InputError, match=r"`dropout` must be at least 0 and below 1, not 1\.0"):
        batches(1.0)
    with pytest.raises(InputError, match="`batch_size`"):
        recut_pair_batches(PAIRS, VOCABULARY, VOCABULARY, 0, dropout=0.1)
