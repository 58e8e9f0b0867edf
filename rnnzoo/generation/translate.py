"""Translation with an encoder-decoder: greedy search, and beam search."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.attention import compiled_attention_weights
from rnnzoo.generation.batching import LENGTH_STEP, batches_by_length
from rnnzoo.generation.beam import check_search
from rnnzoo.generation.generate import compiled_beam, compiled_loop, hypotheses, until_end
from rnnzoo.generation.inputs import MOST, encode_sources
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
    coverage_penalty: float = 0.0,
    n_best: int | None = None,
    beam_groups: int = 1,
    diversity_penalty: float = 0.5,
    unknown: str | None = None,
    batch_size: int = 256,
    **others: Any,
) -> Written | list | tuple[Written, np.ndarray | list[np.ndarray]]:
    """Translates texts; `Seq2Seq.translate` describes it."""
    if others:
        refuse_unknown("translate", others, translate.__kwdefaults__)
    return_attention, beam_width, length_penalty = read_positional(
        translate, positional,
        {
            "return_attention": return_attention, "beam_width": beam_width,
            "length_penalty": length_penalty,
        },
    )  # fmt: skip
    check_search(
        beam_width, length_penalty, n_best, coverage_penalty=coverage_penalty,
        beam_groups=beam_groups, diversity_penalty=diversity_penalty,
    )  # fmt: skip
    attends = {"return_attention": return_attention, "coverage_penalty": coverage_penalty > 0}
    for name, value in {**attends, "unknown": unknown is not None}.items():
        if value and model.decoder.attention is None:
            raise InputError(f"The model was built without attention; leave out `{name}`.")
    of_beams = {"coverage_penalty": coverage_penalty, "length_penalty": length_penalty}
    for name, value in of_beams.items():
        if value != translate.__kwdefaults__[name] and beam_width == 1 and n_best is None:
            raise InputError(
                f"`{name}` ({value!r}) is of no use to greedy search; give a `beam_width` too."
            )
    copies = _reads_copy(model, unknown)
    check_positive(MOST, max_new_tokens=max_new_tokens)
    check_positive(batch_size=batch_size)
    if return_attention and n_best is not None:
        raise InputError("`return_attention` goes with one translation; leave out `n_best`.")
    rows, single = encode_sources(model, texts)
    decodable = model.decodable(writes_unknown=True) if copies else model.decodable()
    listed = [texts] if single else list(texts)
    end_id, vocabulary = decodable.rules.end_id, model.target_vocabulary
    results, attention = [None] * len(rows), [None] * len(rows)

    def text_of(ids, copied=()):
        written = until_end(ids, end_id)
        if vocabulary is None:
            return ids[: len(written) + 1]  # ids keep the end token
        return vocabulary.decode(written, unknown=copied)

    at_once = min(len(rows), int(batch_size))  # of all batches alike: the last is not compiled anew
    for batch in batches_by_length([len(row) for row in rows], int(batch_size)):
        source, lengths = pad_rows([rows[index] for index in batch], LENGTH_STEP)
        limits = 2 * lengths + 10
        if max_new_tokens is not None:
            limits = np.full(len(batch), max_new_tokens, "int32")
        capacity = -(-int(limits.max()) // LENGTH_STEP) * LENGTH_STEP
        if beam_width == 1 and n_best is None:
            run, _ = compiled_loop(decodable, GreedySampler(), at_once)
            nothing_is_drawn = np.zeros((capacity, len(batch)), "float32")
            written = ops.convert_to_numpy(run(source, nothing_is_drawn, limits))[:, None]
            scores = np.zeros((len(batch), 1))
        else:
            covers, groups = coverage_penalty > 0, int(beam_groups)
            search = compiled_beam(
                decodable, int(beam_width), int(n_best or 1), covers=covers, groups=groups,
                rows=at_once * int(beam_width),
            )  # fmt: skip
            penalties = [length_penalty, *[coverage_penalty] * covers]
            penalties += [diversity_penalty] * (groups > 1)
            penalties = [np.asarray(penalty, "float32") for penalty in penalties]
            buffer = np.zeros(capacity, "int32")
            written, scores = map(ops.convert_to_numpy, search(source, limits, buffer, *penalties))
        found = [[row[:limit] for row in its] for its, limit in zip(written, limits, strict=True)]
        weights = None
        if copies or return_attention:
            count = written.shape[1]  # (B, n, N)
            flat = written.reshape(-1, written.shape[2])
            weights = compiled_attention_weights(decodable, np.repeat(source, count, axis=0), flat)
            weights = weights.reshape(len(batch), count, *weights.shape[1:])  # (B, n, N, S)
        for place, index in enumerate(batch):
            read = text_of
            if copies:
                words = model.source_vocabulary.split(listed[index])
                pairs = zip(found[place], weights[place], strict=True)
                copied = {
                    ids.tobytes(): _copied(ids, its, words, model=model) for ids, its in pairs
                }

                def read(ids, copied=copied):
                    return text_of(ids, copied[ids.tobytes()])

            its = hypotheses(found[place], scores[place], read)
            results[index] = its[0].text if n_best is None else its
        if return_attention:
            for place, index in enumerate(batch):
                steps = min(len(until_end(found[place][0], end_id)) + 1, len(found[place][0]))
                attention[index] = weights[place, 0, :steps, : lengths[place]].astype("float32")
    if return_attention:
        return (results[0], attention[0]) if single else (results, attention)
    return results[0] if single else results


def _reads_copy(model, unknown):
    """Whether unknown words are copied from the source."""
    if unknown is None:
        return False
    if unknown != "copy":
        raise InputError(
            f'`unknown` must be "copy", which takes the source word with the most attention, or '
            f"None, not {unknown!r}."
        )
    source, target = model.source_vocabulary, model.target_vocabulary
    by_words = source is not None and target is not None and source.level == target.level == "word"
    if not by_words or target.unknown_id is None:
        raise InputError(
            '`unknown="copy"` is for translators by words whose target vocabulary has the unknown '
            "token <unk>; this one has another. Leave it out."
        )
    return True


def _copied(ids, weights, words, model):
    """The source words with the most attention at the unknown tokens, in order."""
    places = np.flatnonzero(ids == model.target_vocabulary.unknown_id)
    return [words[weights[place, : len(words)].argmax()] for place in places]
