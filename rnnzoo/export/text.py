"""Parts of the endpoints: texts to ids, generated ids to texts, and scores."""

from typing import Any

import tensorflow as tf

from rnnzoo.generation.protocol import Decodable
from rnnzoo.generation.scoring import summed_nats
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary


def require(condition: tf.Tensor, message: str, *values: tf.Tensor) -> tf.Operation:
    """Makes an operation that fails with this sentence (`InvalidArgumentError`) unless it holds."""
    return tf.debugging.Assert(condition, [message, *values])


def all_rows(conditions: tf.Tensor) -> tf.Tensor:
    """Whether there are rows and the condition `(batch,)` holds for all."""
    return (tf.size(conditions) > 0) & tf.reduce_all(conditions)


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


def prompt_ids(
    vocabulary: GraphVocabulary, prompts: tf.Tensor, *, start_id: int | None
) -> tf.RaggedTensor:
    """Reads prompts, which must have a token each.

    Args:
        vocabulary: The vocabulary.
        prompts: Texts, `(batch,)`.
        start_id: The id of the start, or `None` to put none.

    Returns:
        int32, ragged `(batch, None)`.
    """
    ids = with_special_tokens(vocabulary.encode(prompts), start_id)
    not_empty = require(
        all_rows(ids.row_lengths() > 0),
        "A prompt is empty; give at least one symbol for the model to go on from.",
    )
    with tf.control_dependencies([not_empty]):
        return ids.with_flat_values(tf.identity(ids.flat_values))


def source_ids(vocabulary: GraphVocabulary, texts: tf.Tensor) -> tf.RaggedTensor:
    """Reads texts to translate, which must not be blank.

    Args:
        vocabulary: The vocabulary.
        texts: Texts, `(batch,)`.

    Returns:
        int32, ragged `(batch, None)`, with the end token.
    """
    end_id = vocabulary.vocabulary.end_id
    return not_blank_ids(vocabulary, texts, end_id=end_id, what="to translate")


def not_blank_ids(
    vocabulary: GraphVocabulary,
    texts: tf.Tensor,
    *,
    start_id: int | None = None,
    end_id: int | None = None,
    what: str,
) -> tf.RaggedTensor:
    """Reads texts that must not be blank.

    Args:
        vocabulary: The vocabulary.
        texts: Texts, `(batch,)`.
        start_id: The id of the start, or `None` to put none.
        end_id: The id of the end, or `None`.
        what: What they are for, in the error: `"to translate"`.

    Returns:
        int32, ragged `(batch, None)`.
    """
    ids = with_special_tokens(vocabulary.encode(texts), start_id, end_id)
    not_blank = tf.logical_not(tf.strings.regex_full_match(texts, r"[\s\p{Z}]*"))
    not_empty = require(
        all_rows(not_blank & (ids.row_lengths() > 0)),
        f"A text {what} is empty; give at least one symbol.",
    )
    with tf.control_dependencies([not_empty]):
        return ids.with_flat_values(tf.identity(ids.flat_values))


def summed(
    decodable: Decodable, inputs: Any, labels: tf.Tensor, *, counts: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Sums the nats of texts; see `rnnzoo.generation.scoring.summed_nats`.

    Returns:
        `{"nats": float32 (batch,), "tokens": int32 (batch,)}`.
    """
    nats = summed_nats(decodable, inputs, labels=labels, counts=counts)
    return {"nats": nats, "tokens": tf.cast(counts, tf.int32)}


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
