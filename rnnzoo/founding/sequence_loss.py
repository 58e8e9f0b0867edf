"""The weighted cross-entropy of sequences, after TensorFlow 1, and S2's weights for it."""

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import unknown_name

WEIGHTS = ("uniform", "by_position", "by_word", "mask")
_TINY = 1e-12  # TensorFlow 1's, so that no weight at all is no division by zero


def sequence_loss(
    predictions, targets, weights, average_across_timesteps=True, average_across_batch=True
):
    """Averages the weighted cross-entropy of sequences, as `tf.contrib.seq2seq.sequence_loss` did.

    An average is the sum of `weight * nats` over the sum of the weights, never over their number.

    Args:
        predictions: Logits `(batch, time, vocabulary_size)`, or the nats of each target
            `(batch, time)`, as `WordModel.nats` gives them.
        targets: Right ids, `(batch, time)`.
        weights: Weight of each target, float `(batch, time)`.
        average_across_timesteps: Whether to average over time.
        average_across_batch: Whether to average over the rows.

    Returns:
        Nats, float32: a scalar, or `(batch,)`, `(time,)` or `(batch, time)`, by what is averaged.

    Example:
        >>> nats = np.array([[1.0, 3.0], [5.0, 7.0]], "float32")
        >>> targets, mask = np.zeros((2, 2), "int32"), np.array([[1.0, 1.0], [1.0, 0.0]], "float32")
        >>> float(sequence_loss(nats, targets, mask))
        3.0

    Reference:
        The documentation of `tf.contrib.seq2seq.sequence_loss`, TensorFlow 1.15.
    """
    nats = ops.convert_to_tensor(predictions)
    if len(nats.shape) == 3:
        nats = keras.losses.sparse_categorical_crossentropy(targets, nats, from_logits=True)
    weights = ops.cast(weights, "float32")
    averaged = {1: average_across_timesteps, 0: average_across_batch}
    axes = tuple(axis for axis, average in averaged.items() if average)
    nats = nats * weights  # (B, T)
    return ops.sum(nats, axes) / (ops.sum(weights, axes) + _TINY) if axes else nats


def loss_weights(kind, targets, words):
    """Makes the weights of targets, all of them known.

    - `"uniform"`: 1 for all, padding too; the document's.
    - `"by_position"`: falling in a straight line from 1 at the first of T steps to 1 / T at the
      last, since padding comes after the words.
    - `"by_word"`: 1 / sqrt(how often the target occurs), since a few words, and the padding, are
      most of the targets.
    - `"mask"`: 1 for words, 0 for what only fills the row.

    Args:
        kind: One of the four.
        targets: Right ids, `(rows, time)`.
        words: Boolean `(rows, time)`, true where the target is a word.

    Returns:
        float32 `(rows, time)`.

    Raises:
        InputError: If there is no such kind.

    Example:
        >>> targets = np.array([[5, 5, 0, 0]])
        >>> loss_weights("by_position", targets, targets > 0).tolist()
        [[1.0, 0.75, 0.5, 0.25]]
    """
    if kind == "uniform":
        return np.ones(targets.shape, "float32")
    if kind == "by_position":
        steps = targets.shape[1]
        falling = 1 - np.arange(steps, dtype="float32") / steps
        return np.broadcast_to(falling, targets.shape)
    if kind == "by_word":
        counts = np.bincount(targets.ravel())
        return (1 / np.sqrt(np.maximum(counts, 1), dtype="float32"))[targets]
    if kind == "mask":
        return words.astype("float32")
    raise unknown_name("loss weight", kind, WEIGHTS)
