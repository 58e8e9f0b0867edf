"""Text generation with a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.batching import LENGTH_STEP, batches_by_length
from rnnzoo.generation.beam import beam_search, check_search
from rnnzoo.generation.inputs import (
    MOST,
    cut_at,
    draw_uniforms,
    encode_prompts,
    read_seeds,
    read_stop,
)
from rnnzoo.generation.loop import decoding_loop, pad_rows
from rnnzoo.generation.peer_words import read_positional, refuse_unknown
from rnnzoo.generation.protocol import NEVER, Decodable
from rnnzoo.generation.samplers import get_sampler, with_penalties
from rnnzoo.layers.kernels.many_rows import matrices_laid_out, pays
from rnnzoo.typing import Texts, Written
from rnnzoo.vocabulary import Vocabulary


class Hypothesis(NamedTuple):
    """One of the best texts of a beam.

    Args:
        text: The text; an array of ids without a vocabulary.
        score: Its log-probability in nats over its length penalty.
    """

    text: str | np.ndarray
    score: float


def generate(
    model: Any,
    prompts: Texts | None = None,
    max_new_tokens: int = 100,
    *positional: Any,
    sampler: str | Callable | None = None,
    temperature: float | None = None,
    k: int | None = None,
    p: float | None = None,
    repetition_penalty: float | None = None,
    no_repeat_ngram: int | None = None,
    seed: int | Sequence[int] | None = None,
    stop: str | Sequence[str] | None = None,
    num_samples: int | None = None,
    beam_width: int | None = None,
    length_penalty: float = 0.6,
    n_best: int | None = None,
    beam_groups: int = 1,
    diversity_penalty: float = 0.5,
    batch_size: int = 256,
    **unknown: Any,
) -> Written | list:
    """Continues prompts; `LanguageModel.generate` describes it."""
    if unknown:
        refuse_unknown("generate", unknown, generate.__kwdefaults__)
    sampler, temperature, seed = read_positional(
        generate, positional, {"sampler": sampler, "temperature": temperature, "seed": seed}
    )
    check_positive(MOST, max_new_tokens=max_new_tokens, num_samples=num_samples)
    check_positive(batch_size=batch_size)
    drawing = {
        "sampler": sampler, "temperature": temperature, "k": k, "p": p,
        "repetition_penalty": repetition_penalty, "no_repeat_ngram": no_repeat_ngram,
        "num_samples": num_samples,
    }  # fmt: skip
    stop = read_stop(stop, model.vocabulary)
    searches = beam_width is not None or n_best is not None
    if searches:
        check_search(
            1 if beam_width is None else beam_width, length_penalty, n_best,
            beam_groups=beam_groups, diversity_penalty=diversity_penalty,
        )  # fmt: skip
        for name, value in drawing.items():
            if value is not None:
                raise InputError(
                    f"`{name}` ({value!r}) is of no use to beam search, which draws nothing; leave "
                    "out that or `beam_width`."
                )
    else:
        of_beams = {
            "length_penalty": length_penalty, "beam_groups": beam_groups,
            "diversity_penalty": diversity_penalty,
        }  # fmt: skip
        for name, value in of_beams.items():
            if value != generate.__kwdefaults__[name]:
                raise InputError(
                    f"`{name}` ({value!r}) is of no use without beam search; give a `beam_width` "
                    "too, or leave it out."
                )
        sampler = with_penalties(
            get_sampler(sampler, temperature, k=k, p=p),
            repetition_penalty=repetition_penalty,
            no_repeat_ngram=no_repeat_ngram,
        )
    rows, single = encode_prompts(model, prompts)
    seed = read_seeds(seed, len(rows))
    texts = [prompts] if single else list(prompts)
    samples = 1 if num_samples is None else int(num_samples)
    rows, texts = ([each for each in side for _ in range(samples)] for side in (rows, texts))
    capacity = -(-int(max_new_tokens) // LENGTH_STEP) * LENGTH_STEP
    decodable, limit = model.decodable(), np.int32(max_new_tokens)
    at_once = min(len(rows), int(batch_size))
    if searches:
        groups = int(beam_groups)
        width = int(beam_width or 1)
        search = compiled_beam(
            decodable, width, int(n_best or 1), groups=groups, rows=width * at_once
        )
        penalties = [length_penalty, *[diversity_penalty] * (groups > 1)]
        penalties = [np.asarray(penalty, "float32") for penalty in penalties]
        buffer = np.zeros(capacity, "int32")
    else:
        run, numbers = compiled_loop(decodable, sampler, at_once)
        uniforms = draw_uniforms(seed, capacity, len(rows), samples=samples)
    results = [None] * len(rows)
    for batch in batches_by_length([len(row) for row in rows], int(batch_size)):
        inputs = pad_rows([rows[index] for index in batch], LENGTH_STEP)
        limits = np.full(len(batch), limit)
        if searches:
            written, scores = map(ops.convert_to_numpy, search(*inputs, limits, buffer, *penalties))
        else:
            written = ops.convert_to_numpy(run(*inputs, uniforms[:, batch], limits, *numbers))
        for place, index in enumerate(batch):

            def text_of(ids, before=rows[index], prompt=texts[index]):
                ids = until_end(ids[:limit], decodable.rules.end_id)
                return cut_at(continuation(model.vocabulary, ids, before, prompt=prompt), stop)

            if not searches:
                results[index] = text_of(written[place])
            else:
                found = hypotheses(written[place], scores[place], text_of)
                results[index] = found[0].text if n_best is None else found
    if num_samples is not None:
        results = [results[at : at + samples] for at in range(0, len(results), samples)]
    return results[0] if single else results


def compiled_loop(
    decodable: Decodable, sampler: Any, rows: int = 1
) -> tuple[Callable, list[np.ndarray]]:
    """Returns the compiled loop of a `Sampler`, and the sampler's numbers as arrays.

    The function takes the arrays that the model starts from, then the uniforms, the limits and the
    numbers. It is fast for about as many `rows` as are given, and right for any number.
    """
    names = list(sampler.numbers())

    def run(*arrays):
        at = len(arrays) - len(names)
        *inputs, uniforms, limits = arrays[:at]
        with matrices_laid_out(decodable.model, rows):
            return decoding_loop(
                decodable, tuple(inputs), sampler, uniforms=uniforms, limits=limits,
                numbers=dict(zip(names, arrays[at:], strict=True)),
            )  # fmt: skip

    numbers = [np.asarray(number, "float32") for number in sampler.numbers().values()]
    return decodable.compiled(("generate", sampler.key(), pays(rows)), run), numbers


def compiled_beam(
    decodable: Decodable,
    width: int,
    n_best: int,
    *,
    covers: bool = False,
    groups: int = 1,
    rows: int = 1,
) -> Callable:
    """Returns the compiled beam search.

    The function takes the arrays that the model starts from, then the limits, the buffer and the
    exponent of the length penalty; where it `covers`, also the factor of the coverage penalty; and
    where there are groups, what sets them apart. Of `rows`, see `compiled_loop`; each text has
    `width` of them.
    """
    names = ["alpha", *["beta"] * covers, *["diversity"] * (groups > 1)]

    def run(*arrays):
        at = len(arrays) - len(names)
        *inputs, limits, buffer = arrays[:at]
        with matrices_laid_out(decodable.model, rows):
            return beam_search(
                decodable, tuple(inputs), limits=limits, buffer=buffer, width=width, n_best=n_best,
                groups=groups, **dict(zip(names, arrays[at:], strict=True)),
            )  # fmt: skip

    return decodable.compiled(("beam_search", width, n_best, covers, groups, pays(rows)), run)


def hypotheses(
    rows: np.ndarray, scores: np.ndarray, text_of: Callable[[np.ndarray], str | np.ndarray]
) -> list[Hypothesis]:
    """Lists the texts that a beam found for one input, the best first."""
    found = [
        Hypothesis(text_of(row), float(score))
        for row, score in zip(rows, scores, strict=True)
        if score > NEVER / 2
    ]
    return sorted(found, key=lambda one: -one.score)


def until_end(ids: np.ndarray, end_id: int | None) -> np.ndarray:
    """Returns the ids before the first end token."""
    ends = np.flatnonzero(ids == end_id) if end_id is not None else ()
    return ids[: ends[0]] if len(ends) else ids


def continuation(
    vocabulary: Vocabulary | None, ids: np.ndarray, before: np.ndarray, prompt: str
) -> str | np.ndarray:
    """Turns generated ids into a text that can be appended to the prompt.

    Args:
        vocabulary: The vocabulary; without one the ids stay ids.
        ids: The generated ids.
        before: The ids of the prompt.
        prompt: The prompt as it was given.

    Returns:
        The text. It begins with a space where one belongs and the prompt ends in none.
    """
    if vocabulary is None:
        return ids
    text = vocabulary.decode(ids, after=before)
    spaced = vocabulary.level != "character" and prompt[-1:].isspace()
    return text.removeprefix(" ") if spaced else text
