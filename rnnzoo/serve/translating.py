"""A translation with all that its reader may ask about: tokens, how likely they were, attention."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rnnzoo.generation.attention import compiled_attention_weights
from rnnzoo.generation.batching import LENGTH_STEP
from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.inputs import encode_sources
from rnnzoo.generation.loop import pad_rows
from rnnzoo.generation.rows import Request, Rows
from rnnzoo.generation.samplers import GreedySampler
from rnnzoo.serve.bodies import MAX_ALTERNATIVES
from rnnzoo.serve.jobs import Token, describe

STEPS = 8  # tokens in one compiled call


class Translation(NamedTuple):
    """A translation and its tokens.

    Args:
        text: The text.
        source: What each token of the source reads; None for its end token.
        tokens: The tokens of the translation, its end token too.
        attention: The attention weights, float32 `(tokens, source)`; None without attention.
    """

    text: str
    source: list[str | None]
    tokens: list[Token]
    attention: np.ndarray | None


def translate_with_tokens(model: Any, text: str, *, alternatives: int) -> Translation:
    """Translates a text as `model.translate(text)` does, by greedy search, and keeps its tokens.

    Args:
        model: A `Seq2Seq` with vocabularies.
        text: The text.
        alternatives: How many alternatives each token lists.

    Raises:
        InputError: If the text cannot be read.
    """
    (ids,), _ = encode_sources(model, text)
    decodable, chosen = model.decodable(), []
    end_id, limit = decodable.rules.end_id, 2 * len(ids) + 10
    rows = Rows(decodable, capacity=1, alternatives=MAX_ALTERNATIVES, sampler=GreedySampler())
    (row,) = rows.join(Request(ids, rows.sampler, seed=0))
    while len(chosen) < limit and (not chosen or chosen[-1].token != end_id):
        for choice in row.choices:
            chosen.append(choice)
            if choice.token == end_id or len(chosen) == limit:
                break
        else:
            rows.step(STEPS)
    growing, tokens, parts = GrowingText(model.target_vocabulary), [], []
    for choice in chosen:
        tokens.append(describe(choice, growing, end_id=end_id, alternatives=alternatives))
        if choice.token != end_id:
            parts.append(growing.add(choice.token))
    weights = None
    if model.decoder.attention is not None:
        read, _ = pad_rows([ids], LENGTH_STEP)
        written, _ = pad_rows([np.array([choice.token for choice in chosen])], LENGTH_STEP)
        weights = compiled_attention_weights(decodable, read, written)
        weights = weights[0, : len(chosen), : len(ids)]
    return Translation(
        text="".join(parts) + growing.end(),
        source=_source_tokens(model.source_vocabulary, ids),
        tokens=tokens,
        attention=weights,
    )


def _source_tokens(vocabulary, ids):
    """What each id of a source reads; the text has all of them."""
    growing, tokens = GrowingText(vocabulary), []
    for token in ids.tolist():
        tokens.append(None if token == vocabulary.end_id else growing.preview(token))
        growing.add(token)
    return tokens
