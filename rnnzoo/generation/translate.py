"""Translation with an encoder-decoder: greedy search, and beam search from its own file."""

from __future__ import annotations

import math
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.beam import attention_of, beam_search
from rnnzoo.generation.compiled import compile_function
from rnnzoo.generation.generate import LENGTH_STEP, decode_until_end, never_written
from rnnzoo.generation.inputs import list_of_texts, rows_of_ids
from rnnzoo.generation.loop import pad_rows
from rnnzoo.typing import Tensor, Texts, Written

if TYPE_CHECKING:
    from rnnzoo.models.seq2seq import Seq2Seq


def translate(
    model: Seq2Seq,
    texts: Texts,
    max_new_tokens: int | None = None,
    return_attention: bool = False,
    beam_width: int = 1,
    length_penalty: float = 0.6,
) -> Written | tuple[Written, np.ndarray | list[np.ndarray]]:
    """Translates texts; `Seq2Seq.translate` describes it.

    Args:
        model: The encoder-decoder.
        texts: A text or a list of texts; ids for a model without vocabularies.
        max_new_tokens: The most tokens to write per text; twice the longest source and ten when
            left out.
        return_attention: Whether to return where the decoder looked, too.
        beam_width: How many hypotheses beam search follows; 1 is greedy search.
        length_penalty: The exponent of the length penalty of beam search, at least 0; the more,
            the longer the translations.

    Returns:
        The translations; with `return_attention` also the attention weights.

    Raises:
        InputError: If an argument is not valid.
    """
    if return_attention and model.decoder.attention is None:
        raise InputError("The model was built without attention; leave out `return_attention`.")
    check_search(beam_width, length_penalty)
    rows, single = encode_sources(model, texts)
    if max_new_tokens is None:
        max_new_tokens = 2 * max(len(row) for row in rows) + 10
    check_positive(max_new_tokens=max_new_tokens)
    source, lengths = pad_rows(rows, LENGTH_STEP)
    capacity = -(-max_new_tokens // LENGTH_STEP) * LENGTH_STEP
    room = np.zeros(capacity, "int32")  # its length is the most that can be written
    most = np.asarray(max_new_tokens, "int32")
    if beam_width == 1:
        written, weights = _compiled(model, "greedy_search", greedy_search)(source, room, most)
    else:
        search = partial(beam_search, width=int(beam_width))
        search = _compiled(model, ("beam_search", int(beam_width)), search)
        written, _ = search(source, room, most, np.asarray(length_penalty, "float32"))
        if return_attention:
            written = ops.convert_to_numpy(written)
            weights = _compiled(model, "attention", attention_of)(source, written)
    written = ops.convert_to_numpy(written)
    ends = [_length(row[:max_new_tokens], model.end_id) for row in written]
    translations = [
        decode_until_end(model.target_vocabulary, row[:end])
        for row, end in zip(written, ends, strict=True)
    ]
    if single:
        translations = translations[0]
    if not return_attention:
        return translations
    weights = ops.convert_to_numpy(weights)
    attention = [
        weights[index, :end, : lengths[index]].astype("float32") for index, end in enumerate(ends)
    ]
    return translations, attention[0] if single else attention


def check_search(beam_width: int, length_penalty: float) -> None:
    """Checks the options of beam search.

    Raises:
        InputError: If the width is not a whole number of at least 1, or the penalty not a finite
            number of at least 0.
    """
    check_positive(beam_width=beam_width)
    number = isinstance(length_penalty, Real) and not isinstance(length_penalty, bool)
    if not number or not 0 <= length_penalty < math.inf:
        raise InputError(
            "`length_penalty` must be a finite number of at least 0 (0 for none, 0.6 is usual), "
            f"not {length_penalty!r}."
        )


def encode_sources(model: Seq2Seq, texts: Texts) -> tuple[list[np.ndarray], bool]:
    """Turns source texts into rows of ids, each with the end token if there is one.

    Args:
        model: The encoder-decoder.
        texts: A text or a list of texts; without a vocabulary a list of ids or a list of such.

    Returns:
        The list of id arrays, and whether there was a single text.

    Raises:
        InputError: If a text is empty or has symbols that the vocabulary lacks.
    """
    vocabulary = model.source_vocabulary
    if vocabulary is None:
        return rows_of_ids(texts, 1, model.source_vocabulary_size)  # 0 is padding
    texts, single = list_of_texts(texts)
    end = vocabulary.end_id is not None
    rows = vocabulary.encode_documents(texts, start=False, end=end)
    if not all(text.strip() for text in texts) or any(row.size == 0 for row in rows):
        raise InputError("A text to translate is empty; give at least one symbol.")
    return rows, single


def _length(ids, end_id):
    """Number of tokens up to and including the first end token."""
    ends = np.flatnonzero(ids == end_id)
    return int(ends[0]) + 1 if len(ends) else len(ids)


def greedy_search(
    model: Seq2Seq, source: Tensor, room: Tensor, num_tokens: Tensor
) -> tuple[Tensor, Tensor]:
    """Writes the likeliest token at every step until every row has ended.

    Args:
        model: The encoder-decoder.
        source: Token ids, int32 `(batch, source_length)`, right-padded with 0.
        room: Any int32 vector; its length is the capacity of the output.
        num_tokens: The most tokens to write, an integer tensor of at most the capacity.

    Returns:
        Tokens `(batch, capacity)`, int32, and the attention weights, float32
        `(batch, capacity, source_length)`.
    """
    banned = never_written(model.target_vocabulary, model.target_vocabulary_size)
    banned[[0, model.start_id]] = -1e9  # padding and start, also without a vocabulary
    banned = ops.convert_to_tensor(banned)
    memory, state = model.encode(source)
    batch_size, source_length = ops.shape(source)[0], ops.shape(source)[1]
    capacity = ops.shape(room)[0]
    positions = ops.expand_dims(ops.arange(capacity, dtype="int32"), -1)  # (N, 1)
    written = ops.zeros((capacity, batch_size), "int32")
    looked = ops.zeros((capacity, batch_size, source_length), "float32")
    ended = ops.zeros((batch_size,), "bool")
    token = ops.full((batch_size,), model.start_id, "int32")

    def more(position, written, looked, ended, token, *state):
        unfinished = ops.logical_not(ops.all(ended))
        return ops.logical_and(position < num_tokens, unfinished)

    def write_one(position, written, looked, ended, token, *state):
        logits, new_state, weights = model.step(token, list(state), memory)
        likeliest = ops.cast(ops.argmax(logits + banned, axis=-1), "int32")
        token = ops.where(ended, model.end_id, likeliest)  # (B,)
        ended = ops.logical_or(ended, ops.equal(token, model.end_id))
        here = ops.equal(positions, position)  # (N, 1)
        written = ops.where(here, token, written)
        looked = ops.where(ops.expand_dims(here, -1), weights, looked)  # (N, B, S)
        new_state = [ops.cast(new, old.dtype) for new, old in zip(new_state, state, strict=True)]
        return (position + 1, written, looked, ended, token, *new_state)

    first = ops.convert_to_tensor(0, "int32")
    result = ops.while_loop(more, write_one, (first, written, looked, ended, token, *state))
    return ops.transpose(result[1]), ops.transpose(result[2], (1, 0, 2))


def _compiled(model, key, search):
    """The compiled search of this model, made once and kept on the model."""
    return model._compiled(key, lambda: compile_function(model, partial(search, model)))
