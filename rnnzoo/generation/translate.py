"""Translation with an encoder-decoder: greedy search, and beam search."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.attention import attention_weights
from rnnzoo.generation.batching import LENGTH_STEP, batches_by_length
from rnnzoo.generation.beam import check_search
from rnnzoo.generation.generate import compiled_beam, compiled_loop, hypotheses, until_end
from rnnzoo.generation.inputs import encode_sources
from rnnzoo.generation.loop import pad_rows
from rnnzoo.generation.peer_words import read_positional, refuse_unknown
from rnnzoo.generation.samplers import GreedySampler
from rnnzoo.typing import Texts, Written


def translate(
    model: Any,
    texts: Texts | None = None,
    max_new_tokens: int | None = None,
    *positional: Any,
    return_attention: bool = False,
    beam_width: int = 1,
    length_penalty: float = 0.6,
    n_best: int | None = None,
    batch_size: int = 256,
    **unknown: Any,
) -> Written | list | tuple[Written, np.ndarray | list[np.ndarray]]:
    """Translates texts; `Seq2Seq.translate` describes it."""
    if unknown:
        refuse_unknown("translate", unknown, translate.__kwdefaults__)
    return_attention, beam_width, length_penalty = read_positional(
        translate, positional,
        {
            "return_attention": return_attention, "beam_width": beam_width,
            "length_penalty": length_penalty,
        },
    )  # fmt: skip
    if return_attention and model.decoder.attention is None:
        raise InputError("The model was built without attention; leave out `return_attention`.")
    check_search(beam_width, length_penalty, n_best)
    check_positive(max_new_tokens=max_new_tokens, batch_size=batch_size)
    if return_attention and n_best is not None:
        raise InputError("`return_attention` goes with one translation; leave out `n_best`.")
    rows, single = encode_sources(model, texts)
    decodable = model.decodable()
    end_id, vocabulary = decodable.rules.end_id, model.target_vocabulary
    results, attention = [None] * len(rows), [None] * len(rows)

    def text_of(ids):
        written = until_end(ids, end_id)
        if vocabulary is None:
            return ids[: len(written) + 1]  # ids keep the end token
        return vocabulary.decode(written)

    for batch in batches_by_length([len(row) for row in rows], int(batch_size)):
        source, lengths = pad_rows([rows[index] for index in batch], LENGTH_STEP)
        limits = 2 * lengths + 10
        if max_new_tokens is not None:
            limits = np.full(len(batch), max_new_tokens, "int32")
        capacity = -(-int(limits.max()) // LENGTH_STEP) * LENGTH_STEP
        if beam_width == 1 and n_best is None:
            run, _ = compiled_loop(decodable, GreedySampler())
            nothing_is_drawn = np.zeros((capacity, len(batch)), "float32")
            written = ops.convert_to_numpy(run(source, nothing_is_drawn, limits))[:, None]
            scores = np.zeros((len(batch), 1))
        else:
            search = compiled_beam(decodable, int(beam_width), int(n_best or 1))
            buffer, penalty = np.zeros(capacity, "int32"), np.asarray(length_penalty, "float32")
            written, scores = map(ops.convert_to_numpy, search(source, limits, buffer, penalty))
        found = [[row[:limit] for row in its] for its, limit in zip(written, limits, strict=True)]
        for place, index in enumerate(batch):
            its = hypotheses(found[place], scores[place], text_of)
            results[index] = its[0].text if n_best is None else its
        if return_attention:
            weights = _attention(decodable, source, written[:, 0])
            for place, index in enumerate(batch):
                steps = min(len(until_end(found[place][0], end_id)) + 1, len(found[place][0]))
                attention[index] = weights[place, :steps, : lengths[place]].astype("float32")
    if return_attention:
        return (results[0], attention[0]) if single else (results, attention)
    return results[0] if single else results


def _attention(decodable, source, tokens):
    def run(source, tokens):
        return attention_weights(decodable, (source,), tokens=tokens)

    return ops.convert_to_numpy(decodable.compiled("attention", run)(source, tokens))
