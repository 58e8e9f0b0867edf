"""Text generation with a language model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.compiled import compile_function
from rnnzoo.generation.inputs import check_seed, list_of_texts, rows_of_ids
from rnnzoo.generation.loop import generation_loop, pad_rows
from rnnzoo.generation.samplers import Sampler, get_sampler
from rnnzoo.typing import Texts, Written
from rnnzoo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rnnzoo.models.language_model import LanguageModel

# JAX compiles for every shape: there prompts and outputs are padded to multiples of this.
LENGTH_STEP = 32 if keras.config.backend() == "jax" else 1


def generate(
    model: LanguageModel,
    prompts: Texts,
    max_new_tokens: int = 100,
    sampler: str | Callable | None = None,
    temperature: float | None = None,
    seed: int | None = None,
) -> Written:
    """Continues prompts; `LanguageModel.generate` describes it."""
    check_positive(max_new_tokens=max_new_tokens)
    check_seed(seed)
    sampler = get_sampler(sampler, temperature)
    rows, single = encode_prompts(model, prompts)
    tokens, lengths = pad_rows(rows, LENGTH_STEP)
    capacity = -(-max_new_tokens // LENGTH_STEP) * LENGTH_STEP
    # Step-major, so that a longer text begins like a shorter one with the same seed.
    uniforms = np.random.default_rng(seed).random((capacity, len(rows)), "float32")
    function = _compiled_generation(model, sampler)
    written = ops.convert_to_numpy(
        function(tokens, lengths, uniforms, np.asarray(max_new_tokens, "int32"))
    )
    texts = [decode_until_end(model.vocabulary, row[:max_new_tokens]) for row in written]
    return texts[0] if single else texts


def encode_prompts(model: LanguageModel, prompts: Texts) -> tuple[list[np.ndarray], bool]:
    """Turns prompts into rows of ids.

    Args:
        model: The language model.
        prompts: A text or a list of texts; for a model without a vocabulary, a list of ids or a
            list of such lists.

    Returns:
        The list of id arrays, and whether the prompt was a single one.

    Raises:
        InputError: If a prompt is empty, where no start token goes before it, or has symbols that
            the vocabulary lacks.
    """
    vocabulary = model.vocabulary
    if vocabulary is None:
        return rows_of_ids(prompts, 0, model.vocabulary_size)
    texts, single = list_of_texts(prompts)
    start = vocabulary.start_id is not None
    rows = vocabulary.encode_documents(texts, start=start, end=False)
    if any(row.size == 0 for row in rows):
        raise InputError("A prompt is empty; give at least one symbol for the model to go on from.")
    return rows, single


def decode_until_end(vocabulary: Vocabulary | None, ids: np.ndarray) -> str | np.ndarray:
    """Turns what was written before the end token into text; without a vocabulary it stays ids."""
    if vocabulary is None:
        return ids
    ends = np.flatnonzero(ids == vocabulary.end_id)  # none, too, where there is no end token
    return vocabulary.decode(ids[: ends[0]] if ends.size else ids)


def never_written(vocabulary: Vocabulary | None, vocabulary_size: int) -> np.ndarray:
    """A row to add to logits that forbids padding, the start mark and the unknown token."""
    row = np.zeros(vocabulary_size, "float32")
    if vocabulary is not None:
        banned = (vocabulary.pad_id, vocabulary.start_id, vocabulary.unknown_id)
        row[[index for index in banned if index is not None]] = -1e9
    return row


def _compiled_generation(model, sampler):
    """The compiled function of this model for this sampler, made once and kept on the model."""
    # Equal samplers share a function, which a sampler of one's own kind can only do with itself.
    own = not isinstance(sampler, Sampler)
    key = ("generate", sampler if own else (type(sampler), repr(sampler)))

    def make():
        vocabulary = model.vocabulary
        banned = never_written(vocabulary, model.vocabulary_size)
        end_id = None if vocabulary is None else vocabulary.end_id

        def step(token, state):
            logits, state = model.step(token, state)
            return logits + banned, state

        def run(tokens, lengths, uniforms, num_tokens):
            logits, state = model.prefill(tokens, lengths)
            return generation_loop(
                step, sampler, logits + banned, state, uniforms, num_tokens, end_id
            )

        return compile_function(model, run)

    return model._compiled(key, make)
