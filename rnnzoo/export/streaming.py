"""The endpoints that stream: one token in and its logits out, with the state in the open.

`start` or `start_tokens` gives the first logits and the state, `step` reads a token, and `decode`
turns tokens into text. The state is a flat dictionary of tensors `(batch, ...)`; a step returns
those that it changed. The logits are those that `generate` and `translate` choose from: tokens that
are never written, such as padding, have `NEVER`.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from rnnzoo.export.shared import Shared
from rnnzoo.export.signatures import TEXTS, endpoint
from rnnzoo.export.text import all_rows, prompt_ids, require, source_ids
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary


def start(
    shared: Shared,
    vocabulary: GraphVocabulary | None = None,
    source_vocabulary: GraphVocabulary | None = None,
) -> tuple[Callable, dict[str, Callable]]:
    """Makes `start`: prompts, or sources to translate, to the first logits and the state."""
    rules = shared.decodable.rules

    def start_prompt(prompt):
        ids = prompt_ids(vocabulary, prompt, start_id=rules.start_id)
        return _started(shared, (ids.to_tensor(), tf.cast(ids.row_lengths(), tf.int32)))

    def start_source(text):
        return _started(shared, (source_ids(source_vocabulary, text).to_tensor(),))

    method = (
        endpoint(start_prompt, prompt=TEXTS) if vocabulary else endpoint(start_source, text=TEXTS)
    )
    return method, {"start": method}


def start_tokens(shared: Shared, inputs: dict[str, Any]) -> tuple[Callable, dict[str, Callable]]:
    """Makes `start_tokens`: as `start`, of ids, right-padded with 0."""

    def started(ids, counts, *lengths):
        right = require(
            all_rows((counts >= 1) & (counts <= tf.shape(ids)[1])),
            "Each row must have from 1 token to as many as the rows are wide, not",
            counts,
        )
        with tf.control_dependencies([right]):
            return _started(shared, (tf.identity(ids), *lengths))

    def start_tokens(tokens, lengths):
        return started(tokens, lengths, lengths)

    def start_source(source):
        return started(source, tf.reduce_sum(tf.cast(source > 0, tf.int32), axis=1))

    function = start_tokens if "lengths" in inputs else start_source
    method = endpoint(function, **_specs(inputs))
    return method, {"start_tokens": method}


def step(shared: Shared, inputs: dict[str, Any]) -> tuple[Callable, dict[str, Callable]]:
    """Makes `step`: a token for each row and the state to logits and what changed of the state."""
    structure = shared.decodable.state_specs(tuple(_specs(inputs).values()))

    def step(tokens, state):
        old = keras.tree.pack_sequence_as(structure, [state[name] for name in names])
        logits, new, *weights = shared.decodable.step(
            tokens, old, attention=shared.decodable.has_attention
        )
        changed = {name: part for name, part in named_state(new).items() if part is not state[name]}
        return _answer(shared, logits, changed, weights=weights)

    specs = named_state(structure)
    names = list(specs)
    method = endpoint(step, tokens=tf.TensorSpec([None], tf.int32), state=specs)
    return method, {"step": method}


def decode(shared: Shared, vocabulary: GraphVocabulary) -> tuple[Callable, dict[str, Callable]]:
    """Makes `decode`: ids to texts."""

    def decode(tokens):
        return {"text": vocabulary.decode(tokens)}

    method = endpoint(decode, tokens=tf.TensorSpec([None, None], tf.int32))
    return method, {"decode": method}


def named_state(state: Any) -> dict[str, Any]:
    """Names the tensors of a state by where they stand in it.

    Example:
        >>> named_state([1.0, 2.0])
        {'state_0': 1.0, 'state_1': 2.0}
        >>> named_state({"decoder": [1.0], "memory": [2.0]})
        {'decoder_0': 1.0, 'memory_0': 2.0}
    """
    if not isinstance(state, dict):
        state = {"state": state}
    return {
        f"{name}_{index}": part
        for name, parts in sorted(state.items())
        for index, part in enumerate(keras.tree.flatten(parts))
    }


def _started(shared, inputs):
    decodable = shared.decodable
    logits, state, *weights = decodable.start(inputs, attention=decodable.has_attention)
    return _answer(shared, logits, named_state(state), weights=weights)


def _answer(shared, logits, state, weights):
    answer = {"logits": shared.decodable.rules.suppress(logits), **state}
    return answer | {"attention": weights[0]} if weights else answer


def _specs(inputs):
    return {name: tf.TensorSpec(spec.shape, spec.dtype) for name, spec in inputs.items()}
