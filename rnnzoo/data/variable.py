"""Streams whose batches are not all of one length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rnnzoo.data import indexing, sequences
from rnnzoo.data.batches import each_epoch, in_background
from rnnzoo.data.tensor_indexing import gather, padded

if TYPE_CHECKING:
    import tensorflow as tf


def variable_stream_batches(
    ids, batch_size: int, sequence_length: int, *, seed: int = 0, initial_epoch: int = 0
) -> tf.data.Dataset:
    """Batches a text as `stream_batches` does, but cuts it at other places in each epoch.

    Where a stream is always cut at the same places, the ids just before a cut never give a gradient
    to what lies after it, and those just after it have no context to learn from. Here every cut but
    the last is moved by a quarter of `sequence_length` to the left, to the right, or not at all, so
    that a batch has a half to one and a half of `sequence_length` steps, one on average. The
    number of batches is that of `stream_batches`, and each id is a target once in an epoch.

    Args:
        ids: One flat text of ids, as for `stream_batches`.
        batch_size: The rows, B.
        sequence_length: The ids of a row in one batch on average; at least 4.
        seed: A whole number >= 0. The cuts of the e-th iteration depend on it and on e alone.
        initial_epoch: The epoch that the first iteration is, as for `fit`.

    Returns:
        A data set as that of `stream_batches`, whose time axis has no fixed length.

    Raises:
        InputError: If a size or the seed is not valid, or the text is too short.

    Example:
        >>> batches = variable_stream_batches(range(97), 2, sequence_length=8)
        >>> [[inputs["tokens"].shape[1] for inputs, _, _ in batches] for epoch in (0, 1)]
        [[8, 8, 6, 8, 10, 8], [10, 8, 6, 6, 10, 8]]

    Reference:
        Merity, Keskar and Socher, "Regularizing and Optimizing LSTM Language Models", ICLR 2018
        (arXiv:1708.02182), section 4.1, with five lengths instead of a normal distribution.
    """
    ids = sequences.flat_ids(ids)
    sequences.check_whole(seed=seed, initial_epoch=initial_epoch)
    length = indexing.row_length(len(ids), batch_size=batch_size, sequence_length=sequence_length)
    count = -(-length // sequence_length)
    import tensorflow as tf

    take = gather(ids)
    rows = tf.range(batch_size, dtype=tf.int64) * length

    def epoch_batches(cuts):
        def batch(number):
            first, last = cuts[number], cuts[number + 1]
            counts = tf.fill([batch_size], tf.minimum(last, length) - first)
            tokens, weights = padded(take, rows + first, counts, width=last - first)
            targets, _ = padded(take, rows + first + 1, counts, width=last - first)
            reset = tf.fill([batch_size], tf.cast(number == 0, tf.int32))
            return {"tokens": tokens, "reset": reset}, targets, weights

        return tf.data.Dataset.range(count).map(batch)

    epochs = each_epoch(
        lambda epoch: cuts_of(count, sequence_length=sequence_length, seed=seed, epoch=epoch),
        tf.TensorSpec((count + 1,), tf.int64),
        initial_epoch,
    )
    known = tf.data.experimental.assert_cardinality(count)
    return in_background(epochs.flat_map(epoch_batches).apply(known))


def cuts_of(count: int, *, sequence_length: int, seed: int, epoch: int) -> np.ndarray:
    """Computes where the rows of a variable stream are cut in an epoch.

    Args:
        count: The number of batches.
        sequence_length: Their length on average.
        seed: That of the stream.
        epoch: The epoch.

    Returns:
        int64 `(count + 1,)`: batch n goes from element n to element n + 1.
    """
    moves = np.random.default_rng((seed, epoch)).integers(-1, 2, size=count + 1)
    moves[[0, count - 1, count]] = 0  # the last batch is short enough as it is
    return np.arange(count + 1) * sequence_length + moves * (sequence_length // 4)
