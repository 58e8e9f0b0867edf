"""Pieces of the endpoints: texts to ids, and generated ids to texts."""

import tensorflow as tf

from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary


def require(condition: tf.Tensor, message: str, *values: tf.Tensor) -> tf.Operation:
    """Makes an operation that fails with this sentence (`InvalidArgumentError`) unless it holds."""
    return tf.debugging.Assert(condition, [message, *values])


def with_special_tokens(
    ids: tf.RaggedTensor, start_id: int | None = None, end_id: int | None = None
) -> tf.RaggedTensor:
    """Puts the start before and the end after every row, where there is such a token.

    Args:
        ids: int32, ragged `(batch, None)`.
        start_id: The id of the start, or `None` to put none.
        end_id: The id of the end, or `None`.

    Returns:
        int32, ragged `(batch, None)`.

    Example:
        >>> with_special_tokens(tf.ragged.constant([[5], [6, 7]]), start_id=1).to_list()
        [[1, 5], [1, 6, 7]]
    """
    rows = ids.nrows()
    before = [] if start_id is None else [tf.fill([rows, 1], start_id)]
    after = [] if end_id is None else [tf.fill([rows, 1], end_id)]
    return tf.concat([*before, ids, *after], axis=1) if before or after else ids


def generated_text(
    graph_vocabulary: GraphVocabulary,
    tokens: tf.Tensor,
    *,
    prompt: tf.Tensor | None = None,
    before: tf.RaggedTensor | None = None,
) -> tf.Tensor:
    """Turns generated ids into texts, up to the first end of each row.

    Args:
        graph_vocabulary: The `GraphVocabulary` of the ids.
        tokens: int32 `(batch, steps)`.
        prompt: The texts that were continued `(batch,)`, if any.
        before: Their ids, ragged `(batch, None)`.

    Returns:
        Texts, `(batch,)`, which can be appended to the prompts.
    """
    vocabulary = graph_vocabulary.vocabulary
    if vocabulary.end_id is not None:
        ends_so_far = tf.cumsum(tf.cast(tf.equal(tokens, vocabulary.end_id), tf.int32), axis=1)
        tokens = tf.ragged.boolean_mask(tokens, ends_so_far == 0)
    if prompt is None or vocabulary.level == "character":
        return graph_vocabulary.decode(tokens)
    text = graph_vocabulary.decode(tokens, after=before)
    spaced = tf.strings.regex_full_match(prompt, r"(?s).*[\s\p{Z}]")
    return tf.where(spaced, tf.strings.regex_replace(text, "^ ", ""), text)
