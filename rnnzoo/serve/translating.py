"""A translation with all that its reader may ask about: tokens, how likely they were, attention."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.generation.attention import compiled_attention_weights
from rnnzoo.generation.batching import LENGTH_STEP
from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.inputs import encode_sources
from rnnzoo.generation.loop import pad_rows
from rnnzoo.generation.rows import Request, Rows
from rnnzoo.generation.samplers import GreedySampler
from rnnzoo.serve.bodies import MAX_ALTERNATIVES, MAX_NEW_TOKENS
from rnnzoo.serve.jobs import Token, describe

STEPS = 8  # tokens in one compiled call
LONGEST = 700  # tokens of a source with attention or beams, whose cost grows with their square


class Translation(NamedTuple):
    """A translation and its tokens.

    Args:
        text: The text.
        attention: The attention weights, float32 `(tokens, source)`; None where none are wanted.
        source: What each token of the source reads; None for its end token.
        tokens: The tokens of the translation, its end token too; none where beams found it.
    """

    text: str
    attention: np.ndarray | None
    source: list[str | None]
    tokens: list[Token]


def translate_with_tokens(
    model: Any,
    text: str,
    *,
    alternatives: int,
    attention: bool = False,
    deadline: float = math.inf,
) -> Translation:
    """Translates a text as `model.translate(text)` does, by greedy search, and keeps its tokens.

    Args:
        model: A `Seq2Seq` with vocabularies.
        text: The text.
        alternatives: How many alternatives each token lists.
        attention: Whether to compute the attention weights.
        deadline: The `time.monotonic()` after which the translation ends where it is.

    Raises:
        InputError: If the text cannot be read, or is too long for what is wanted.
    """
    ids, limit = _read(model, text, needs="attention" if attention else None)
    decodable, chosen = model.decodable(), []
    end_id = decodable.rules.end_id
    rows = Rows(decodable, capacity=1, alternatives=MAX_ALTERNATIVES, sampler=GreedySampler())
    (row,) = rows.join(Request(ids, rows.sampler, seed=0))
    while len(chosen) < limit and (not chosen or chosen[-1].token != end_id):
        for choice in row.choices:
            chosen.append(choice)
            if choice.token == end_id or len(chosen) == limit:
                break
        else:
            if time.monotonic() > deadline:
                break
            rows.step(STEPS)
    growing, tokens, parts = GrowingText(model.target_vocabulary), [], []
    for choice in chosen:
        tokens.append(describe(choice, growing, end_id=end_id, alternatives=alternatives))
        if choice.token != end_id:
            parts.append(growing.add(choice.token))
    weights = None
    if attention:
        read, _ = pad_rows([ids], LENGTH_STEP)
        written, _ = pad_rows([np.array([choice.token for choice in chosen])], LENGTH_STEP)
        weights = compiled_attention_weights(decodable, read, written)
        weights = weights[0, : len(chosen), : len(ids)]
    return Translation(
        text="".join(parts) + growing.end(),
        attention=weights,
        source=_source_tokens(model.source_vocabulary, ids),
        tokens=tokens,
    )


def translate_with_beams(
    model: Any, text: str, *, beam_width: int, attention: bool = False
) -> Translation:
    """Translates a text by beam search.

    Args:
        model: A `Seq2Seq` with vocabularies.
        text: The text.
        beam_width: How many hypotheses are followed.
        attention: Whether to compute the attention weights.

    Raises:
        InputError: If the text cannot be read, or is too long for a search that no clock ends.
    """
    _, limit = _read(model, text, needs="beam_width")
    found = model.translate(text, limit, beam_width=beam_width, return_attention=attention)
    written, weights = found if attention else (found, None)
    return Translation(written, weights, source=[], tokens=[])


def _read(model, text, *, needs):
    """The ids of a source, and the most tokens of its translation."""
    (ids,), _ = encode_sources(model, text)
    if needs and len(ids) > LONGEST:
        raise InputError(
            f"`{needs}` goes with texts of at most {LONGEST} tokens, and this one has "
            f"{len(ids):,}; leave it out, or send a shorter text."
        )
    return ids, min(2 * len(ids) + 10, MAX_NEW_TOKENS)


def _source_tokens(vocabulary, ids):
    """What each id of a source reads; the text has all of them."""
    growing, tokens = GrowingText(vocabulary), []
    for token in ids.tolist():
        tokens.append(None if token == vocabulary.end_id else growing.preview(token))
        growing.add(token)
    return tokens
