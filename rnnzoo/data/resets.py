"""Streams whose rows forget what they have read, now and then."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

from rnnzoo.data import sequences
from rnnzoo.data.batches import each_epoch, in_background
from rnnzoo.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf


def random_resets(
    stream: tf.data.Dataset, probability: float, *, seed: int = 0, initial_epoch: int = 0
) -> tf.data.Dataset:
    """Starts rows of a stream anew at random, beside those that start anew anyway.

    A model that only ever goes on where it stopped is poor at the beginning of a text, where its
    state is zero; one that is to write on from short prompts, or to be measured on blocks from a
    zero state, should see such beginnings while it trains. It costs a little of what the model
    reaches with a carried state.

    Args:
        stream: Batches of `stream_batches`.
        probability: How likely a row is to start anew in a batch, above 0 and at most 1.
        seed: A whole number >= 0. Each epoch draws anew; the e-th iteration over a data set of one
            seed has always the same resets.
        initial_epoch: The epoch that the first iteration is, as for `fit`.

    Returns:
        The same batches with more flags in `reset`.

    Raises:
        InputError: If the probability, the seed or the epoch is not valid.

    Example:
        >>> from rnnzoo.data import stream_batches
        >>> stream = stream_batches(range(13), batch_size=2, sequence_length=3)
        >>> [inputs["reset"].numpy().tolist() for inputs, _, _ in random_resets(stream, 1.0)]
        [[1, 1], [1, 1]]
    """
    if not (isinstance(probability, Real) and 0 < probability <= 1):
        raise InputError(f"`probability` must be above 0 and at most 1, not {probability!r}.")
    sequences.check_whole(seed=seed, initial_epoch=initial_epoch)
    import tensorflow as tf

    def epoch_batches(epoch):
        def batch(number, parts):
            inputs, *rest = parts
            reset = inputs["reset"]
            # no two (epoch, batch) share a draw before 2**32 batches
            drawn = tf.random.stateless_uniform(tf.shape(reset), [seed, epoch * 2**32 + number])
            reset = tf.maximum(reset, tf.cast(drawn < probability, reset.dtype))  # (B,)
            return {**inputs, "reset": reset}, *rest

        return tf.data.Dataset.zip(tf.data.Dataset.range(tf.int64.max), stream).map(batch)

    epochs = each_epoch(lambda epoch: epoch, tf.TensorSpec((), tf.int64), initial_epoch)
    known = tf.data.experimental.assert_cardinality(stream.cardinality())
    return in_background(epochs.flat_map(epoch_batches).apply(known))
