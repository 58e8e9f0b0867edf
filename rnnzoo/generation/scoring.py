"""Scores: the log-probability of whole texts."""

from typing import Any

import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.batching import LENGTH_STEP, batches_by_length
from rnnzoo.generation.inputs import encode_sources, list_of_texts, rows_of_ids
from rnnzoo.generation.loop import pad_rows
from rnnzoo.generation.protocol import Decodable
from rnnzoo.typing import Tensor, Texts

Scores = dict[str, Any]


def summed_nats(model: Decodable, inputs: Any, *, labels: Tensor, counts: Tensor) -> Tensor:
    """Sums the negative log-probabilities of each row.

    Args:
        model: What is scored.
        inputs: What its `nats` reads.
        labels: The tokens, int32 `(batch, time)`, right-padded.
        counts: Real length of each row, `(batch,)`.

    Returns:
        Nats, float32 `(batch,)`.
    """
    nats = model.nats(inputs, labels)  # (B, T)
    real = ops.arange(ops.shape(labels)[1], dtype="int32") < ops.expand_dims(
        ops.cast(counts, "int32"), -1
    )
    return ops.sum(ops.where(real, nats, 0.0), axis=1)


def score_texts(model: Any, texts: Texts, *, batch_size: int = 256) -> Scores:
    """Scores texts; `LanguageModel.score` describes it."""
    check_positive(batch_size=batch_size)
    examples, single = _examples_of_texts(model, texts)
    return _scores(model, examples, single, batch_size=batch_size)


def _examples_of_texts(model, texts):
    """What is read and what is to be predicted, for each text; and whether it was one text."""
    vocabulary = model.vocabulary
    if vocabulary is None:
        rows, single = rows_of_ids(texts, 0, model.vocabulary_size)
    else:
        listed, single = list_of_texts(texts)
        start, end = vocabulary.start_id is not None, vocabulary.end_id is not None
        rows = vocabulary.encode_documents(listed, start=start, end=end)
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            which = "The text" if single else f"Text {number} of {len(rows)}"
            raise InputError(
                f"{which} is too short to score: without a start token in the vocabulary its first "
                "symbol is given, not predicted; give at least two symbols."
            )
    return [(row[:-1], row[1:]) for row in rows], single


def score_pairs(model: Any, sources: Texts, targets: Texts, *, batch_size: int = 256) -> Scores:
    """Scores translations; `Seq2Seq.score` describes it."""
    check_positive(batch_size=batch_size)
    examples, single = examples_of_pairs(model, sources, targets)
    return _scores(model, examples, single, batch_size=batch_size)


def examples_of_pairs(
    model: Any, sources: Texts, targets: Texts
) -> tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray]], bool]:
    """Turns sources and their translations into ids.

    Args:
        model: The encoder-decoder.
        sources: A text or a list of texts, or ids where it has no vocabulary.
        targets: As many translations.

    Returns:
        For each pair the source, what the decoder reads and what it is to predict, int32; and
        whether there was a single pair.

    Raises:
        InputError: If they are not as many, or one cannot be read.
    """
    read, single = encode_sources(model, sources)
    vocabulary = model.target_vocabulary
    if vocabulary is None:
        rows, single_target = rows_of_ids(targets, 1, model.target_vocabulary_size)
        ends = [model.start_id], [model.end_id]
        rows = [np.concatenate([ends[0], row, ends[1]]).astype("int32") for row in rows]
    else:
        listed, single_target = list_of_texts(targets)
        rows = vocabulary.encode_documents(listed)
    if len(rows) != len(read) or single != single_target:
        raise InputError(
            f"There must be one target for each source, not {len(rows)} for {len(read)}."
        )
    pairs = [(source, row[:-1], row[1:]) for source, row in zip(read, rows, strict=True)]
    return pairs, single


def token_nats(
    model: Any, text: str, *, source: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes how improbable each token of one text is.

    Args:
        model: A `LanguageModel`, or a `Seq2Seq` with `source`, whose translation `text` is.
        text: The text.
        source: What it is a translation of.

    Returns:
        The ids that are given before the first predicted one, int32 `(1,)`; the predicted ids,
        int32 `(time,)`; and their negative log-probabilities in nats, float32 `(time,)`.

    Raises:
        InputError: As `LanguageModel.score` or `Seq2Seq.score`.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> given, predicted, nats = token_nats(model, "to be")
        >>> len(given), len(predicted), nats.shape
        (1, 4, (4,))
    """
    if source is None:
        ((*read, labels),), _ = _examples_of_texts(model, text)
    else:
        ((*read, labels),), _ = examples_of_pairs(model, source, text)
    decodable = model.decodable()

    def run(*arrays):
        *inputs, labels = arrays
        return decodable.nats(tuple(inputs), labels)

    arrays = [pad_rows([row], LENGTH_STEP)[0] for row in (*read, labels)]
    nats = ops.convert_to_numpy(decodable.compiled("token_nats", run)(*arrays))
    return read[-1][:1], labels, nats[0, : len(labels)]


def _scores(model, examples, single, batch_size):
    """Scores rows of (what is read ..., labels), a batch at a time."""
    decodable = model.decodable()

    def run(*arrays):
        *inputs, labels, counts = arrays
        return summed_nats(decodable, tuple(inputs), labels=labels, counts=counts)

    function = decodable.compiled("score", run)
    nats = np.zeros(len(examples), "float32")
    counts = np.array([len(example[-1]) for example in examples], "int32")
    for batch in batches_by_length([max(map(len, one)) for one in examples], batch_size):
        columns = zip(*(examples[index] for index in batch), strict=True)
        arrays = [pad_rows(column, LENGTH_STEP)[0] for column in columns]
        nats[batch] = ops.convert_to_numpy(function(*arrays, counts[batch]))
    if single:
        return {"nats": nats[0], "tokens": counts[0]}
    return {"nats": nats, "tokens": counts}
