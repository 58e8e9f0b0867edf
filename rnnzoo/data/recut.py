"""Pairs of texts whose subwords are cut anew in every epoch."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnzoo import subwords, text_rules
from rnnzoo.data.batches import in_background
from rnnzoo.data.pydatasets import PairDataset
from rnnzoo.errors import InputError, check_fraction, check_positive
from rnnzoo.vocabulary import Vocabulary

if TYPE_CHECKING:
    import tensorflow as tf


def recut(
    texts: Iterable[str], vocabulary: Vocabulary, dropout: float, seed: int = 0
) -> list[np.ndarray]:
    """Turns texts into ids of subwords that are cut at random (BPE-dropout).

    Args:
        texts: The texts.
        vocabulary: Of level `"subword"`.
        dropout: How likely each join of two pieces is to be passed over, such as 0.1.
        seed: Of the draws, a whole number.

    Returns:
        One int32 array a text, without start or end.

    Raises:
        InputError: If the vocabulary is not of subwords, or the rate no fraction.

    Example:
        >>> vocabulary = Vocabulary(["a", "b", "\u2581", "ab"], "subword")
        >>> recut(["ab"], vocabulary, dropout=0.0)[0].tolist()
        [2, 3]

    Reference:
        Provilkov, Emelianenko and Voita, "BPE-Dropout: Simple and Effective Subword
        Regularization", ACL 2020.
    """
    check_fraction(dropout=dropout)
    if vocabulary.level != "subword":
        raise InputError(
            f"Only subwords can be cut at random, not the {vocabulary.level}s of this vocabulary; "
            'make one with level="subword".'
        )
    ids = {token: i for i, token in enumerate(vocabulary.tokens)}
    unknown = -1 if vocabulary.unknown_id is None else vocabulary.unknown_id
    draw, found = random.Random(seed), []
    for text in texts:
        text_rules.check_text(text)
        units = subwords.units(text_rules.lower(text) if vocabulary.lowercase else text)
        pieces = (piece for unit in units for piece in subwords.cut(unit, ids, dropout, draw))
        found.append(np.array([ids.get(piece, unknown) for piece in pieces], np.int32))
    return found


def recut_pair_batches(
    pairs: Sequence[tuple[str, str]],
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    batch_size: int,
    *,
    dropout: float,
    max_length: int | None = None,
    seed: int = 0,
    initial_epoch: int = 0,
) -> tf.data.Dataset:
    """`pair_batches` of subwords that are cut at random, in another way in each epoch.

    A model that has seen a word whole and in pieces can write what it has hardly seen. The e-th
    epoch of one seed is always the same.

    Args:
        pairs: The texts, each source with its target.
        source_vocabulary: Of level `"subword"`; its `"<end>"` ends each source, if it has one.
        target_vocabulary: Of level `"subword"`, with `"<start>"` and `"<end>"`.
        batch_size: The pairs of a batch; the last batch may have fewer.
        dropout: How likely each join of two pieces is to be passed over; see `recut`.
        max_length: As for `pair_batches`.
        seed: A whole number >= 0, of the cuts and of the order.
        initial_epoch: The epoch that the first iteration is, as for `fit`.

    Returns:
        A data set with the elements of `pair_batches`.

    Raises:
        InputError: If a vocabulary is not of subwords or lacks a character, or a number cannot be.

    Reference:
        Provilkov, Emelianenko and Voita, "BPE-Dropout: Simple and Effective Subword
        Regularization", ACL 2020.
    """
    import tensorflow as tf

    check_positive(batch_size=batch_size)
    check_fraction(dropout=dropout)
    end = np.array([] if source_vocabulary.end_id is None else [source_vocabulary.end_id], np.int32)
    sources, targets = zip(*pairs, strict=True)
    epochs = itertools.count(initial_epoch)

    def batches():
        epoch = next(epochs)
        # Two draws an epoch, none of them another epoch's or seed's.
        of_sources, of_targets = np.random.SeedSequence([seed, epoch]).generate_state(2).tolist()
        read = recut(sources, source_vocabulary, dropout, of_sources)
        written = recut(targets, target_vocabulary, dropout, of_targets)
        dataset = PairDataset(
            [np.concatenate([ids, end]) for ids in read],
            written,
            batch_size,
            start_id=target_vocabulary.start_id,
            end_id=target_vocabulary.end_id,
            max_length=max_length,
            seed=seed,
            initial_epoch=epoch,
        )
        return map(dataset.__getitem__, range(dataset.num_batches))

    ids = tf.TensorSpec((None, None), tf.int32)
    spec = {"source": ids, "target": ids}, ids, tf.TensorSpec((None, None), tf.float32)
    known = tf.data.experimental.assert_cardinality(-(-len(sources) // batch_size))
    made = tf.data.Dataset.from_generator(batches, output_signature=spec)
    return in_background(made.apply(known))
