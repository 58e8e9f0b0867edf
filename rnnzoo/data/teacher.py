"""Batches whose targets carry what teachers predict there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rnnzoo.data.batches import in_background
from rnnzoo.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf


def with_teacher(
    batches: tf.data.Dataset, positions: tf.data.Dataset, predictions: np.ndarray
) -> tf.data.Dataset:
    """Adds the predictions of teachers to the targets of batches, for `DistillationLoss`.

    Args:
        batches: Batches of a text, of `stream_batches` or `window_batches`, with a target for each
            token.
        positions: The same batches of the positions in the text, `range(len(ids))`, in the place
            of its ids: by them each target finds its prediction.
        predictions: What `rnnzoo.training.distillation.teacher_predictions` returns for the text.

    Returns:
        The same batches, with weights, and with targets `(B, T, 2 * k + 2)` float32: the label, the
        k likeliest tokens of the teachers, their probabilities, and the mass of all other tokens.

    Raises:
        InputError: If the batches have one target a row, or the positions are other batches.

    Example:
        >>> from rnnzoo import char_lstm
        >>> from rnnzoo.data import stream_batches
        >>> from rnnzoo.training.distillation import teacher_predictions
        >>> ids = np.arange(50) % 9
        >>> predictions = teacher_predictions(
        ...     char_lstm(9, units=4), ids, top_k=3, folder="teachers"
        ... )
        >>> train = with_teacher(
        ...     stream_batches(ids, 2, 8), stream_batches(range(50), 2, 8), predictions
        ... )
        >>> train.element_spec[1].shape
        TensorShape([2, 8, 8])
    """
    import tensorflow as tf

    shapes = [_tokens(one.element_spec[0]).shape for one in (batches, positions)]
    if len(batches.element_spec[1].shape) != 2:
        raise InputError(
            "Teachers predict every token, and these batches have one target a row; make them "
            "without many_to_one."
        )
    if shapes[0].as_list() != shapes[1].as_list() or len(batches) != len(positions):
        raise InputError(
            f"The batches have tokens of the shape {shapes[0]}, {len(batches)} of them, and the "
            f"positions {shapes[1]}, {len(positions)} of them; make both by the same arguments."
        )
    k = predictions["ids"].shape[-1]

    def read(at):
        found = predictions[at]  # (B, T), from the file
        return np.concatenate([found["ids"], found["probabilities"]], axis=-1, dtype=np.float32)

    def batch(parts, positions):
        inputs, targets, *weights = parts
        at = _tokens(positions[0])
        found = tf.ensure_shape(tf.numpy_function(read, [at], tf.float32), (*at.shape, 2 * k + 1))
        labels = tf.cast(targets, tf.float32)[..., None]  # exact up to 2**24 ids
        weights = weights or [tf.ones_like(targets, tf.float32)]
        return inputs, tf.concat([labels, found], axis=-1), *weights

    known = tf.data.experimental.assert_cardinality(len(batches))
    return in_background(tf.data.Dataset.zip(batches, positions).map(batch).apply(known))


def _tokens(inputs):
    return inputs["tokens"] if isinstance(inputs, dict) else inputs
