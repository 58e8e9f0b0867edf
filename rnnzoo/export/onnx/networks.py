"""The networks of a model as ONNX graphs: its step, and of a translator the encoder too."""

from typing import Any

import keras
import numpy as np
from keras import ops
from onnx import TensorProto

from rnnzoo.errors import InputError
from rnnzoo.export.onnx.cells import STATES, step
from rnnzoo.export.onnx.encoder import SOURCE, encoder
from rnnzoo.export.onnx.graph import Graph
from rnnzoo.export.parts import describe_network

LARGEST = 2**31 - 2**20  # bytes that protobuf takes, with some for the nodes


class Float32:
    """Takes the weights of a description: as arrays, the rows of a matrix its outputs."""

    def add(self, array: Any, *, transpose: bool = False, key: Any = None) -> np.ndarray:
        """Returns the array."""
        array = ops.convert_to_numpy(ops.cast(array, "float32"))
        return array.T if transpose else array


def networks(model: keras.Model, weights: str) -> dict[str, bytes]:
    """Makes the networks of a model.

    Args:
        model: A language model or a translator of rnnzoo.
        weights: `"float32"` or `"int8"`.

    Returns:
        The content of each file, by the name of the network.

    Raises:
        InputError: If the model has a part that ONNX cannot hold, or is too large for a file.
    """
    if 4 * model.count_params() > LARGEST and weights == "float32":
        raise InputError(
            f"An ONNX file holds at most 2 GB, and {model.count_params():,} weights need more; "
            'export them as `weights="int8"` (--weights int8), or as a SavedModel.'
        )
    network = describe_network(model, Float32())
    if "encoder" in network:
        made = {"encoder": encoder(network, weights), "step": _decoder(network, weights)}
    else:
        made = {"step": _language_model(network, weights)}
    return {name: graph.SerializeToString() for name, graph in made.items()}


def _language_model(network, weights):
    graph = Graph(weights)
    token = graph.input("token", ["batch"], TensorProto.INT32)
    state = _state_inputs(graph, network["layers"])
    hidden = graph.rows(network["embedding"], token)  # (B, E)
    hidden, new = _stack(graph, network["layers"], hidden, state=state)
    return _finished(graph, network, hidden, state=new)


def _decoder(network, weights):
    """The step of a translator; where it has attention, the memory goes in each time."""
    graph = Graph(weights)
    token = graph.input("token", ["batch"], TensorProto.INT32)
    attention, layers = network["attention"], network["layers"]
    if attention is not None:
        outputs, units = attention["key"]["matrix"].shape[::-1]
        memory = {
            "values": graph.input("values", [*SOURCE, outputs]),
            "keys": graph.input("keys", [*SOURCE, units]),
            "mask": graph.input("mask", SOURCE, TensorProto.BOOL),
        }
    state = _state_inputs(graph, layers)
    embedded = hidden = graph.rows(network["embedding"], token)  # (B, E)
    contexts, new = [], []
    if network["attention_position"] == "before_cell":
        contexts, weighed = _attend(graph, attention, state[0], memory=memory)
        own = STATES[layers[0]["cell"]]
        hidden = graph.node("Concat", embedded, *contexts, axis=-1)
        hidden, new = step(graph, layers[0], hidden, state=state[:own])
        layers, state = layers[1:], state[own:]
    hidden, upper = _stack(graph, layers, hidden, state=state)
    if network["attention_position"] == "after_cell":
        contexts, weighed = _attend(graph, attention, hidden, memory=memory)
    if attention is not None:
        graph.output("attention", weighed, SOURCE)
    features = graph.node("Concat", hidden, *contexts, embedded, axis=-1)
    hidden = graph.node("Tanh", graph.dense(features, network["readout"]))
    return _finished(graph, network, hidden, state=[*new, *upper])


def _attend(graph, attention, query, *, memory):
    """The context `(batch, values)`, in a list, and the weights `(batch, source_length)`."""
    query = graph.dense(query, attention["query"])  # (B, A)
    query = graph.node("Unsqueeze", query, graph.axes(1))  # (B, 1, A)
    energies = graph.node("Tanh", graph.node("Add", query, memory["keys"]))  # (B, S, A)
    scores = graph.node("MatMul", energies, graph.constant(attention["score"]))  # (B, S)
    scores = graph.node("Where", memory["mask"], scores, graph.constant(-1e9))
    weights = graph.node("Softmax", scores, axis=-1)
    row = graph.node("Unsqueeze", weights, graph.axes(1))  # (B, 1, S)
    context = graph.node("Squeeze", graph.node("MatMul", row, memory["values"]), graph.axes(1))
    return [context], weights


def _state_inputs(graph, layers):
    sizes = [layer["units"] for layer in layers for _ in range(STATES[layer["cell"]])]
    return [graph.input(f"state_{i}", ["batch", size]) for i, size in enumerate(sizes)]


def _stack(graph, layers, hidden, *, state):
    """One step of layers above each other: the output and the new state."""
    new = []
    for layer in layers:
        own = STATES[layer["cell"]]
        hidden, after = step(graph, layer, hidden, state=state[:own])
        state, new = state[own:], [*new, *after]
    return hidden, new


def _finished(graph, network, hidden, *, state):
    """The model, with the logits of a hidden vector and the new state as outputs."""
    head = network["head"]
    if head["projection"] is not None:
        hidden = graph.dense(hidden, head["projection"])
    graph.output("logits", graph.dense(hidden, head), ["batch", len(head["matrix"])])
    sizes = [layer["units"] for layer in network["layers"] for _ in range(STATES[layer["cell"]])]
    for i, (value, size) in enumerate(zip(state, sizes, strict=True)):
        graph.output(f"new_state_{i}", value, ["batch", size])
    return graph.model("step")
