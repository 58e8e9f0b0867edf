"""`inspect`: what happens inside a model while it reads a text."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.generation.batching import LENGTH_STEP
from rnnzoo.generation.inputs import encode_prompts
from rnnzoo.generation.loop import pad_rows
from rnnzoo.generation.scoring import examples_of_pairs
from rnnzoo.inspection.record import Inspection
from rnnzoo.inspection.steps import layer_record, read_tokens
from rnnzoo.inspection.tokens import alternative_texts, token_texts
from rnnzoo.inspection.watching import Steps, cell_over_time, watched_layers
from rnnzoo.layers.kernels.report import cells_and_layers


def inspect(model: keras.Model, text: Any, target: Any = None) -> Inspection:
    """Records what happens inside a model while it reads one text.

    The text is read from the model's initial state, a token at a time. The record holds every
    state and gate: some 20 kB a token for two LSTM layers of 512 units.

    Args:
        model: A `LanguageModel`, or a `Seq2Seq`, whose source the text is.
        text: The text; ids for a model without a vocabulary.
        target: The translation that the decoder of a `Seq2Seq` reads; its own when left out.

    Returns:
        The `Inspection`.

    Raises:
        InputError: If the model is of another kind, the text is none or cannot be read, or a
            language model is given a target.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> record = inspect(model, "to be")
        >>> record.tokens, record.log_probabilities.shape
        (['t', 'o', ' ', 'b', 'e'], (5,))
        >>> [(layer.name, sorted(layer.gates)) for layer in record.layers][0]
        ('recurrent/lstm_0', ['f', 'g', 'i', 'o'])
    """
    if hasattr(model, "translate"):
        return _translator(model, text, target)
    if not hasattr(model, "generate"):
        raise InputError(
            f"`inspect` reads rnnzoo's language models and translators, not a "
            f"{type(model).__name__}; give a model that `rnnzoo.load` or a builder returned."
        )
    if target is not None:
        raise InputError("A language model translates nothing; leave out `target`.")
    return _language_model(model, text)


def ids_of(model: keras.Model, text: Any) -> np.ndarray:
    """Turns one text into the ids that a language model reads, a start token before them.

    Raises:
        InputError: If it is not one text, or cannot be read.
    """
    (ids, *more), single = encode_prompts(model, text)
    if more or not single:
        raise InputError(f"Give one text to look into, not a list of {1 + len(more)}.")
    return ids


def _language_model(model, text):
    ids = ids_of(model, text)
    parts = [(layer.cell, "/".join(path)) for layer, path, *_ in cells_and_layers(model)]
    cells = [cell for cell, _ in parts]

    def step(token, state):
        logits, new = model.step(token, state)
        return logits, new, ops.zeros((1, 0))

    def run(tokens, labels):
        state = model.get_initial_state(1)
        return read_tokens(step, cells, state=state, tokens=tokens, labels=labels)

    arrays = _padded(ids, np.append(ids[1:], 0))
    found, _, runs = model.decodable().compiled("inspect", run)(*arrays)
    return Inspection(
        ids=ids,
        layers=_records(parts, runs, len(ids)),
        **_predicted(found, ids, model.vocabulary),
    )


def _translator(model, text, target):
    if target is None:
        target = model.translate(text)
        if model.target_vocabulary is None:
            target = target[target != model.end_id]
    ((source, read, labels), *_), single = examples_of_pairs(model, text, target)
    if not single:
        raise InputError("Give one text to look into, and one translation, not lists of them.")
    ids = np.append(read, labels[-1:]).astype("int32")
    decodable = model.decodable()
    encoder = [
        (layer, "/".join(path)) for layer, path, *_ in cells_and_layers(model.encoder, ("encoder",))
    ]
    decoder = [
        (getattr(layer, "cell", layer), "/".join(path))
        for layer, path, *_ in cells_and_layers(model.decoder, ("decoder",))
    ]

    def run(source, tokens, labels):
        with watched_layers([layer for layer, _ in encoder]) as seen:
            memory, state = model.encode(source)
        read = [cell_over_time(layer, *seen[place]) for place, (layer, _) in enumerate(encoder)]

        def step(token, state):
            now = {"decoder": state, "memory": memory}
            logits, new, weights = decodable.step(token, now, attention=True)
            return logits, new["decoder"], weights

        cells = [cell for cell, _ in decoder]
        return read, read_tokens(step, cells, state=state, tokens=tokens, labels=labels)

    arrays = _padded(ids, np.append(ids[1:], 0))
    read, (found, weights, runs) = decodable.compiled("inspect", run)(source[None], *arrays)
    attention = None
    if model.decoder.attention is not None:
        attention = _shifted(weights, len(ids), np.nan)
    return Inspection(
        ids=ids,
        layers=_records(decoder, runs, len(ids)),
        source=token_texts(model.source_vocabulary, source),
        source_layers=_records([(layer.cell, name) for layer, name in encoder], read, len(source)),
        attention=attention,
        **_predicted(found, ids, model.target_vocabulary),
    )


def _padded(*rows):
    """The rows as JAX likes them: it compiles for every length."""
    return [pad_rows([row], LENGTH_STEP)[0][0] for row in rows]


def _records(parts, runs, length):
    """The records of layers, without padding."""
    runs = keras.tree.map_structure(lambda tensor: ops.convert_to_numpy(tensor)[:length], runs)
    return [
        layer_record(name, cell, Steps(*steps))
        for (cell, name), steps in zip(parts, runs, strict=True)
    ]


def _predicted(found, ids, vocabulary):
    """What was predicted of each token, and the texts: fields of an `Inspection`."""
    found = {
        name: _shifted(values, len(ids), {"ranks": 0, "alternative_ids": -1}.get(name, np.nan))
        for name, values in found.items()
    }
    return {
        "tokens": token_texts(vocabulary, ids),
        "alternatives": alternative_texts(vocabulary, ids, found["alternative_ids"]),
        **found,
    }


def _shifted(values, length, first):
    """The rows of the predictions in the places of the tokens that they predict."""
    values = ops.convert_to_numpy(values)
    return np.concatenate([np.full_like(values[:1], first), values[: length - 1]])
