"""A translation with all that its reader may ask about: tokens, how likely they were, attention."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.generation.attention import compiled_attention_weights
from rnnzoo.generation.batching import LENGTH_STEP
from rnnzoo.generation.generate import compiled_beam, until_end
from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.inputs import encode_sources
from rnnzoo.generation.loop import pad_rows
from rnnzoo.generation.rows import Request, Rows
from rnnzoo.generation.samplers import GreedySampler
from rnnzoo.generation.scoring import examples_of_pairs, token_nats
from rnnzoo.serve.bodies import MAX_ALTERNATIVES, MAX_NEW_TOKENS
from rnnzoo.serve.jobs import Token, describe
from rnnzoo.serve.refusals import ClientLeft

STEPS = 8  # tokens in one compiled call
LONGEST = 700  # tokens of what attention, beams or a score read: the cost grows with their square
LENGTH_PENALTY = 0.6  # of beams, as `Seq2Seq.translate` has it


class Translation(NamedTuple):
    """A translation and its tokens.

    Args:
        text: The text.
        reason: Why it ended: `"end"`, or `"length"` or `"time"` where it was cut.
        attention: The attention weights, float32 `(tokens, source)`; None where none are wanted.
        source: What each token of the source reads; None for its end token.
        tokens: The tokens of the translation, its end token too; none where beams found it.
    """

    text: str
    reason: str
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
    left: Callable[[], bool] = lambda: False,
) -> Translation:
    """Translates a text as `model.translate(text)` does, by greedy search, and keeps its tokens.

    Args:
        model: A `Seq2Seq` with vocabularies.
        text: The text.
        alternatives: How many alternatives each token lists.
        attention: Whether to compute the attention weights.
        deadline: The `time.monotonic()` after which the translation ends where it is.
        left: Whether nobody waits for it any more.

    Raises:
        InputError: If the text cannot be read, or is too long for what is wanted.
        ClientLeft: If nobody waits for it any more.
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
            if left():
                raise ClientLeft
            if time.monotonic() > deadline:
                break
            rows.step(STEPS)
    growing, tokens, parts = GrowingText(model.target_vocabulary), [], []
    for choice in chosen:
        tokens.append(describe(choice, growing, end_id=end_id, alternatives=alternatives))
        if choice.token != end_id:
            parts.append(growing.add(choice.token))
    written = np.array([choice.token for choice in chosen])
    return Translation(
        text="".join(parts) + growing.end(),
        reason=_reason(written, limit, end_id=end_id),
        attention=_weights(decodable, ids, written) if attention else None,
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
    ids, limit = _read(model, text, needs="beam_width")
    decodable = model.decodable()
    search = compiled_beam(decodable, beam_width, 1, rows=beam_width)
    source, _ = pad_rows([ids], LENGTH_STEP)
    buffer = np.zeros(-(-limit // LENGTH_STEP) * LENGTH_STEP, "int32")
    found, _ = search(source, np.array([limit], "int32"), buffer, np.float32(LENGTH_PENALTY))
    found, end_id = ops.convert_to_numpy(found)[0, 0, :limit], decodable.rules.end_id
    before_end = until_end(found, end_id)
    written = found[: len(before_end) + 1]  # with the end token, if there is one
    return Translation(
        text=model.target_vocabulary.decode(before_end),
        reason=_reason(written, limit, end_id=end_id),
        attention=_weights(decodable, ids, written) if attention else None,
        source=[],
        tokens=[],
    )


def translation_nats(
    model: Any, text: str, *, source: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes how improbable each token of a translation is, as `token_nats` does.

    Args:
        model: A `Seq2Seq` with vocabularies.
        text: The translation.
        source: What it is a translation of.

    Raises:
        InputError: If a text cannot be read, or is too long for work that no clock ends.
    """
    ((read, _, written),), _ = examples_of_pairs(model, source, text)
    for name, ids in {"source": read, "text": written}.items():
        if len(ids) > LONGEST:
            raise InputError(
                f"A score takes at most {LONGEST} tokens of each text, and `{name}` has "
                f"{len(ids):,}; send a shorter one."
            )
    return token_nats(model, text, source=source)


def _reason(written, limit, *, end_id):
    """Why a translation ended."""
    if written[-1] == end_id:
        return "end"
    return "length" if len(written) == limit else "time"


def _weights(decodable, ids, written):
    """The attention weights of a translation, `(tokens, source)`."""
    source, _ = pad_rows([ids], LENGTH_STEP)
    tokens, _ = pad_rows([written], LENGTH_STEP)
    return compiled_attention_weights(decodable, source, tokens)[0, : len(written), : len(ids)]


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
