"""`indexing` on tensors: where the ids of a batch stand, and how they are read.

Functions that import TensorFlow, for the `tf.data` pipelines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from rnnzoo.data import indexing

if TYPE_CHECKING:
    import tensorflow as tf


def constant(array: np.ndarray) -> tf.Tensor:
    """Holds an array as a tensor in the machine's own memory, whatever devices there are."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.constant(array)


def gather(ids: np.ndarray) -> Callable:
    """Makes the function from positions to ids, int32, of the same shape.

    Ids in a file (a `numpy.memmap`) are read from there, a batch at a time.
    """
    import tensorflow as tf

    if not isinstance(ids, np.memmap):
        held = constant(ids)
        return lambda positions: tf.gather(held, positions)

    def take(positions):
        read = tf.numpy_function(lambda at: indexing.take(ids, at), [positions], tf.int32)
        return tf.ensure_shape(read, positions.shape)

    return take


def padded(
    take: Callable, starts: tf.Tensor, counts: tf.Tensor, *, width: int | tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads rows of ids of different lengths, as `take_padded` and `weights_of` do.

    Args:
        take: What `gather` makes.
        starts: Where each row begins, int64 `(batch,)`.
        counts: How many ids it has, int64 `(batch,)`.
        width: The length to pad to; that of the longest row when left out.

    Returns:
        Ids, int32 `(batch, width)`, and weights of the same shape, float32: 0 for padding.
    """
    import tensorflow as tf

    if not tf.is_tensor(width):
        width = tf.reduce_max(counts) if width is None else tf.constant(width, counts.dtype)
    steps = tf.range(width)  # (T,)
    inside = steps < counts[:, None]  # (B, T)
    ids = take(tf.where(inside, starts[:, None] + steps, 0))
    return tf.where(inside, ids, 0), tf.cast(inside, tf.float32)


def rows_of(take: Callable, at: tuple[tf.Tensor, tf.Tensor], rows: tf.Tensor) -> tuple:
    """Reads the chunks of the given numbers: their (start, count) and their padded ids."""
    import tensorflow as tf

    at = tuple(tf.gather(table, rows) for table in at)
    return at, padded(take, *at)
