"""A model's layers by what they do, for the formats that compute them with other means."""

from typing import Any, Protocol

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.layers.heads import TiedHead, embedding_matrix

CELLS = {
    keras.layers.LSTMCell: "lstm",
    keras.layers.GRUCell: "gru",
    keras.layers.SimpleRNNCell: "simple_rnn",
}


class Weights(Protocol):
    """Takes the weights of a model, in the way that a format stores them."""

    def add(self, array: Any, *, transpose: bool = False, key: Any = None) -> Any:
        """Stores an array and returns what the description names it by.

        Args:
            array: A vector, or a matrix whose rows are outputs.
            transpose: Whether the outputs of a matrix are its columns, as in Keras's kernels.
            key: What is stored once alone, however often it is added.
        """


def describe_network(model: keras.Model, arrays: Weights) -> dict[str, Any]:
    """Describes the layers of a model and stores their weights.

    Args:
        model: A language model or a translator of rnnzoo.
        arrays: Takes the weights; the description has what its `add` returns.

    Returns:
        The description, in dictionaries and lists.

    Raises:
        InputError: If a layer is quantized, of one's own, or has arguments of its own.

    Example:
        >>> from rnnzoo import char_lstm
        >>> from rnnzoo.export.html.pack import Arrays
        >>> network = describe_network(char_lstm(20, units=8), Arrays("float16"))
        >>> [layer["cell"] for layer in network["layers"]]
        ['lstm', 'lstm']
    """
    describe = _translator if hasattr(model, "encoder") else _language_model
    return describe(model, arrays)


def _check_blocks(parts):
    for part in parts:
        if part.block != "plain":
            raise InputError(
                f"A page and an ONNX file hold plain stacks, and the layer {part.name!r} has "
                f"{part.block} blocks; export a SavedModel."
            )


def _language_model(model, arrays):
    _check_blocks([model.recurrent])
    return {
        "embedding": _embedding(model.embedding, model.vocabulary_size, arrays),
        "layers": _stack(model.recurrent, arrays),
        "start_state": _vectors(model.get_initial_state(1), arrays),
        "head": _head(model, model.embedding, arrays),
    }


def _translator(model, arrays):
    encoder, decoder = model.encoder, model.decoder
    _check_blocks([encoder, decoder])
    described = {
        "encoder": {
            "embedding": _embedding(encoder.embedding, model.source_vocabulary_size, arrays),
            "merge": encoder.merge_mode,
            "layers": [
                _encoder_layer(encoder, index, arrays) for index in range(len(encoder.layers))
            ],
            "bridges": [_dense(bridge, "tanh", arrays) for bridge in encoder.bridges],
        },
        "embedding": _embedding(decoder.embedding, model.target_vocabulary_size, arrays),
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
            "A page and an ONNX file hold float LSTM, GRU and SimpleRNN cells as Keras has them by "
            f"default, and the cell {cell.name!r} is another (a {type(cell).__name__}, quantized, "
            "or with arguments of its own); export a SavedModel, or the model before it was "
            "quantized."
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
            f"A page and an ONNX file hold float dense layers, and the layer {layer.name!r} is a "
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
