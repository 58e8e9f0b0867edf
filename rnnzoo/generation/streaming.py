"""Text that is handed out as it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.batching import LENGTH_STEP
from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.inputs import MOST, encode_prompts, encode_sources, read_seed, read_stop
from rnnzoo.generation.peer_words import refuse_unknown
from rnnzoo.generation.rows import Request, Rows
from rnnzoo.generation.samplers import GreedySampler, get_sampler, with_penalties

MOST_STEPS = 8  # that are computed in one call: fewer calls are faster, more let a reader wait


def stream(
    model: Any,
    prompt: str | Sequence[int] | None = None,
    max_new_tokens: int = 100,
    *,
    sampler: str | Callable | None = None,
    temperature: float | None = None,
    k: int | None = None,
    p: float | None = None,
    repetition_penalty: float | None = None,
    no_repeat_ngram: int | None = None,
    seed: int | None = None,
    stop: str | Sequence[str] | None = None,
    **unknown: Any,
) -> Iterator[str | int]:
    """Continues a prompt; `LanguageModel.stream` describes it."""
    if unknown:
        refuse_unknown("stream", unknown, stream.__kwdefaults__)
    check_positive(MOST, max_new_tokens=max_new_tokens)
    vocabulary = model.vocabulary
    stop, seed = read_stop(stop, vocabulary), read_seed(seed)
    chosen = with_penalties(
        get_sampler(sampler, temperature, k=k, p=p),
        repetition_penalty=repetition_penalty,
        no_repeat_ngram=no_repeat_ngram,
    )
    rows, single = encode_prompts(model, prompt)
    if not single:
        raise InputError(
            f"`stream` continues one prompt, not a list of {len(rows)}; call it for each, or "
            "`generate` for all."
        )
    text = None
    if vocabulary is not None:
        text = GrowingText(vocabulary, before=rows[0], prompt=prompt, stop=stop)
    return _parts(model.decodable(), Request(rows[0], chosen, seed), text, limit=max_new_tokens)


def stream_translation(
    model: Any, source: str | Sequence[int], max_new_tokens: int | None = None
) -> Iterator[str | int]:
    """Translates a text; `Seq2Seq.stream` describes it."""
    check_positive(MOST, max_new_tokens=max_new_tokens)
    rows, single = encode_sources(model, source)
    if not single:
        raise InputError(
            f"`stream` translates one text, not a list of {len(rows)}; call it for each, or "
            "`translate` for all."
        )
    vocabulary = model.target_vocabulary
    text = None if vocabulary is None else GrowingText(vocabulary)
    limit = 2 * len(rows[0]) + 10 if max_new_tokens is None else max_new_tokens
    return _parts(model.decodable(), Request(rows[0], GreedySampler(), 0), text, limit=limit)


def _parts(decodable, request, text, limit):
    """Yields the parts of one text; ids where there is no text."""
    capacity = -(-int(limit) // LENGTH_STEP) * LENGTH_STEP
    rows = Rows(decodable, capacity=1, max_new_tokens=capacity, sampler=request.sampler)
    (row,) = rows.join(request)
    left, steps = limit, 1  # how many tokens there may still be, and how many come next
    while True:
        for token in [choice.token for choice in row.choices[:left]]:
            left -= 1
            ended = token == decodable.rules.end_id
            if text is None:
                yield token
            elif not ended and (part := text.add(token)):
                yield part
            if ended or (text is not None and text.stopped):
                left = 0
                break
        if not left:
            break
        rows.step(steps)
        steps = min(2 * steps, MOST_STEPS)
    rest = "" if text is None else text.end()
    if rest:
        yield rest
