"""Pieces of the endpoints: texts to padded ids, written ids to texts, summed nats."""

import tensorflow as tf

from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary


def require(condition: tf.Tensor, message: str, *values: tf.Tensor) -> tf.Operation:
    """Makes an operation that fails with this sentence (`InvalidArgumentError`) unless it holds."""
    return tf.debugging.Assert(condition, [message, *values])


def with_marks(
    ids: tf.RaggedTensor, start_id: int | None = None, end_id: int | None = None
) -> tf.RaggedTensor:
    """Puts the start before and the end after every row, where there is such a mark.

    Args:
        ids: int32, ragged `(batch, None)`.
        start_id: The id of the start, or `None` to put none.
        end_id: The id of the end, or `None`.

    Returns:
        int32, ragged `(batch, None)`.

    Example:
        >>> with_marks(tf.ragged.constant([[5], [6, 7]]), start_id=1).to_list()
        [[1, 5], [1, 6, 7]]
    """
    rows = ids.nrows()
    before = [] if start_id is None else [tf.fill([rows, 1], start_id)]
    after = [] if end_id is None else [tf.fill([rows, 1], end_id)]
    return tf.concat([*before, ids, *after], axis=1) if before or after else ids


def written_text(graph_vocabulary: GraphVocabulary, written: tf.Tensor) -> tf.Tensor:
    """Reads written ids, up to the first end of each row.

    Args:
        graph_vocabulary: The `GraphVocabulary` of what was written.
        written: int32 `(batch, steps)`.

    Returns:
        Texts, `(batch,)`.
    """
    end_id = graph_vocabulary.vocabulary.end_id
    if end_id is None:
        return graph_vocabulary.decode(written)
    ends_so_far = tf.cumsum(tf.cast(tf.equal(written, end_id), tf.int32), axis=1)
    return graph_vocabulary.decode(tf.ragged.boolean_mask(written, ends_so_far == 0))


def summed_nats(logits: tf.Tensor, labels: tf.Tensor, counts: tf.Tensor) -> dict[str, tf.Tensor]:
    """Sums the surprise of each row.

    Args:
        logits: float32 `(batch, time, vocabulary)`.
        labels: The tokens that came, int32 `(batch, time)`, right-padded.
        counts: Real length of each row, `(batch,)`.

    Returns:
        `{"nats": float32 (batch,), "tokens": int32 (batch,)}`.
    """
    nats = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)  # (B, T)
    real = tf.sequence_mask(counts, tf.shape(labels)[1])
    nats = tf.reduce_sum(tf.where(real, nats, 0.0), axis=1)
    return {"nats": nats, "tokens": tf.cast(counts, tf.int32)}
