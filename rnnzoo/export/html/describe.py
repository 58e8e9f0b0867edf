"""What a page has to know of a model: its layers by what they do, and its vocabularies' rules."""

from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.export.html.pack import Arrays
from rnnzoo.layers.heads import TiedHead, embedding_matrix
from rnnzoo.vocabulary import Vocabulary, spacing, subwords, text_rules
from rnnzoo.vocabulary.lookalikes import lookalikes

CELLS = {
    keras.layers.LSTMCell: "lstm",
    keras.layers.GRUCell: "gru",
    keras.layers.SimpleRNNCell: "simple_rnn",
}


TYPED = "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\xa0"  # by phones, in place of ASCII


def describe(model: keras.Model, arrays: Arrays) -> dict[str, Any]:
    """Describes a model and stores its weights.

    Args:
        model: A language model or a translator of rnnzoo, with vocabularies.
        arrays: Takes the weights; the description names each by its number there.

    Returns:
        The description, fit for JSON.

    Raises:
        InputError: If the model has a part that a page cannot compute.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> description = describe(model, Arrays("float16"))
        >>> description["task"], [layer["cell"] for layer in description["layers"]]
        ('write', ['lstm', 'lstm'])
    """
    endpoints = model.export_endpoints() if hasattr(model, "export_endpoints") else {}
    if "generate" in endpoints:
        described = _language_model(model, arrays)
    elif "translate" in endpoints:
        described = _translator(model, arrays)
    else:
        raise InputError(
            f"A page reads and writes text, and the model {model.name!r} has no vocabulary; make "
            "it with a Vocabulary, or export a SavedModel."
        )
    rules = model.decodable().rules
    described["rules"] = {
        "start": rules.start_id,
        "end": rules.end_id,
        "suppressed": list(rules.suppressed_ids),
    }
    return described


def _check_blocks(parts):
    for part in parts:
        if part.block != "plain":
            raise InputError(
                f"A page computes plain stacks, and the layer {part.name!r} has {part.block} "
                "blocks; export a SavedModel."
            )


def describe_vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    """Describes how a vocabulary turns text into ids and back.

    The patterns are those of `text_rules` and `subwords`, which JavaScript reads as Python does.

    Args:
        vocabulary: The vocabulary.

    Returns:
        The description, fit for JSON.

    Example:
        >>> describe_vocabulary(Vocabulary(["a", "b"]))["level"]
        'character'
    """
    punctuation, lines = vocabulary.punctuation, vocabulary.keep_line_breaks
    described = vocabulary.get_config() | {
        "pad": vocabulary.pad_id,
        "start": vocabulary.start_id,
        "unknown": vocabulary.unknown_id,
        "end": vocabulary.end_id,
        "deleted": text_rules.DELETED if punctuation == "delete" else None,
    }
    if vocabulary.level == "word":
        described["token"] = text_rules.token(punctuation, lines)
        described["line_break"] = text_rules.LINE_BREAK
        if punctuation == "split":
            described["classes"] = "".join(map(spacing.token_class, vocabulary.tokens))
            described["passes"] = [_for_javascript(each) for each in spacing.PASSES]
            described["spacing"] = {
                "none_after": spacing.NONE_AFTER,
                "none_before": spacing.NONE_BEFORE,
                "alone": spacing.ALONE,
                "dots": spacing.DOTS,
            }
        if punctuation == "split_1":
            described["attachments"] = [_for_javascript(each) for each in text_rules.ATTACHMENTS]
    if vocabulary.level == "subword":
        steps, unit = subwords.patterns(punctuation, lines)
        described |= {
            "steps": [_for_javascript(each) for each in steps],
            "token": unit,
            "line_break": subwords.LINE_START,
            "space": subwords.SPACE,
            "longest": subwords.LONGEST_UNIT,
        }
    return described


def _lookalikes(vocabulary):
    """What the page reads in place of a character that it would have to refuse."""
    return lookalikes(TYPED, vocabulary) if vocabulary.unknown_id is None else {}


def _for_javascript(rule):
    pattern, rewrite = rule
    return [pattern, rewrite.replace("\\1", "$1")]


def _language_model(model, arrays):
    _check_blocks([model.recurrent])
    return {
        "task": "write",
        "vocabulary": describe_vocabulary(model.vocabulary),
        "lookalikes": _lookalikes(model.vocabulary),
        "embedding": _embedding(model.embedding, model.vocabulary_size, arrays),
        "layers": _stack(model.recurrent, arrays),
        "start_state": _vectors(model.get_initial_state(1), arrays),
        "head": _head(model, model.embedding, arrays),
    }


def _translator(model, arrays):
    encoder, decoder = model.encoder, model.decoder
    _check_blocks([encoder, decoder])
    source, target = model.source_vocabulary, model.target_vocabulary
    described = {
        "task": "translate",
        "source_vocabulary": describe_vocabulary(source),
        "lookalikes": _lookalikes(source),
        "target_vocabulary": None if target == source else describe_vocabulary(target),
        "encoder": {
            "embedding": _embedding(encoder.embedding, len(source), arrays),
            "merge": encoder.merge_mode,
            "layers": [
                _encoder_layer(encoder, index, arrays) for index in range(len(encoder.layers))
            ],
            "bridges": [_dense(bridge, "tanh", arrays) for bridge in encoder.bridges],
        },
        "embedding": _embedding(decoder.embedding, len(target), arrays),
        "attention": None,
        "attention_position": decoder.attention_position,
        "layers": [] if decoder.recurrent is None else _stack(decoder.recurrent, arrays),
        "readout": _dense(decoder.readout, "tanh", arrays),
        "head": _head(decoder, decoder.embedding, arrays),
    }
    if decoder.attending_cell is not None:
        described["layers"].insert(0, _cell(decoder.attending_cell, arrays))
    if decoder.attention is not None:
        attention = decoder.attention
        described["attention"] = {
            "query": _dense(attention.query_projection, "linear", arrays),
            "key": _dense(attention.key_projection, "linear", arrays),
            "score": arrays.add(attention.score_vector),
        }
    return described


def _encoder_layer(encoder, index, arrays):
    """One or two directions, each with the state that it starts from."""
    layer = encoder.layers[index]
    parts = [layer] if encoder.merge_mode is None else [layer.forward_layer, layer.backward_layer]
    directions = [_cell(part.cell, arrays) for part in parts]
    state = [tensor for part in parts for tensor in part.get_initial_state(batch_size=1)]
    if encoder.starts:
        state = encoder.starts[index].get_initial_state(1)
    return {"directions": directions, "start_state": _vectors(state, arrays)}


def _stack(stack, arrays):
    return [_cell(layer.cell, arrays) for layer in stack.recurrent_layers]


def _cell(cell, arrays):
    """A cell by its name, after a check that it computes what the name says."""
    name = CELLS.get(type(cell))
    standard = (
        name is not None
        and cell.activation is keras.activations.tanh
        and getattr(cell, "recurrent_activation", None) in (None, keras.activations.sigmoid)
        and cell.use_bias
        and getattr(cell, "reset_after", True)
    )
    if not standard:
        raise InputError(
            f"A page computes float LSTM, GRU and SimpleRNN cells as Keras has them by default, "
            f"and the cell {cell.name!r} is another (a {type(cell).__name__}, quantized, or with "
            "arguments of its own); export a SavedModel, or the model before it was quantized."
        )
    bias = ops.convert_to_numpy(ops.cast(cell.bias, "float32"))
    biases = list(bias) if bias.ndim == 2 else [bias]  # a GRU has one for each of its matrices
    return {
        "cell": name,
        "units": cell.units,
        "kernel": arrays.add(cell.kernel, transpose=True),
        "recurrent": arrays.add(cell.recurrent_kernel, transpose=True),
        "biases": [arrays.add(each) for each in biases],
    }


def _dense(layer, activation, arrays):
    """The matrix of a dense layer (with LoRA, where there is any) and its bias."""
    plain = (
        isinstance(layer, keras.layers.Dense)
        and type(layer).call is keras.layers.Dense.call
        and layer.quantization_mode is None
        and layer.activation is keras.activations.get(activation)
    )
    if not plain:
        raise InputError(
            f"A page computes float dense layers, and the layer {layer.name!r} is a "
            f"{type(layer).__name__} that is quantized or of another kind; export a SavedModel, or "
            "the model before it was changed."
        )
    bias = None if layer.bias is None else arrays.add(layer.bias)
    return {"matrix": arrays.add(layer.kernel, transpose=True), "bias": bias}


def _embedding(layer, size, arrays):
    return arrays.add(embedding_matrix(layer, size), key=id(layer))


def _head(owner, embedding, arrays):
    """From a vector to logits: a projection where there is one, a matrix, a bias."""
    head = owner.head
    if not isinstance(head, TiedHead):
        return {"projection": None, **_dense(head, "linear", arrays)}
    projection = head.projection
    return {
        "projection": None if projection is None else _dense(projection, "linear", arrays),
        "matrix": _embedding(embedding, head.vocabulary_size, arrays),
        "bias": arrays.add(head.bias),
    }


def _vectors(state, arrays):
    """The state of one row, `(1, units)` each."""
    return [arrays.add(ops.reshape(tensor, (-1,))) for tensor in state]
