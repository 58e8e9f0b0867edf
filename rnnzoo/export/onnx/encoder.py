"""The encoder of a translator as an ONNX graph."""

from typing import Any

import onnx
from onnx import TensorProto

from rnnzoo.export.onnx.cells import STATES, run
from rnnzoo.export.onnx.graph import Graph

SOURCE = ["batch", "source_length"]
MERGES = {"sum": "Add", "mul": "Mul"}


def encoder(network: dict[str, Any], weights: str) -> onnx.ModelProto:
    """Makes the encoder: `source` to the first state and, with attention, to the memory.

    Args:
        network: A translator, as `parts.describe_network` has it.
        weights: `"float32"` or `"int8"`.

    Returns:
        The model; its outputs have the names of the inputs of the step.
    """
    graph, described = Graph(weights), network["encoder"]
    source = graph.input("source", SOURCE, TensorProto.INT32)
    mask = graph.node("Not", graph.node("Equal", source, graph.constant(0, "int32")))  # (B, S)
    steps = graph.node("Transpose", mask, perm=[1, 0])
    steps = graph.node("Unsqueeze", steps, graph.axes(-1))  # (S, B, 1)
    hidden = graph.rows(described["embedding"], source)  # (B, S, E)
    hidden = graph.node("Transpose", hidden, perm=[1, 0, 2])  # (S, B, E)
    rows = graph.node("Shape", source, start=0, end=1)
    states, bridges = [], iter(described["bridges"])
    for layer in described["layers"]:
        outputs, finals = [], []
        start = [_repeated(graph, vector, rows) for vector in layer["start_state"]]
        for backwards, cell in enumerate(layer["directions"]):
            own = STATES[cell["cell"]]
            output, final = run(
                graph, cell, hidden, state=start[:own], mask=steps, backwards=bool(backwards)
            )
            start = start[own:]
            outputs.append(output)
            finals.append(final)
        hidden = _merged(graph, outputs, described["merge"])  # (S, B, values)
        states += _bridged(graph, finals, bridges)
    if network["attention"] is not None:
        key = network["attention"]["key"]
        units, size = key["matrix"].shape
        values = graph.node("Transpose", hidden, perm=[1, 0, 2])  # (B, S, values)
        graph.output("values", values, [*SOURCE, size])
        graph.output("keys", graph.dense(values, key), [*SOURCE, units])
        graph.output("mask", mask, SOURCE, dtype=TensorProto.BOOL)
    for i, state in enumerate(states):
        graph.output(f"state_{i}", state, ["batch", None])
    return graph.model("encoder")


def _repeated(graph, vector, rows):
    """A vector once for each row, `(batch, units)`."""
    shape = graph.node("Concat", rows, graph.axes(len(vector)), axis=0)
    return graph.node("Expand", graph.constant(vector), shape)


def _merged(graph, outputs, merge):
    """The outputs of one direction, or of two as one."""
    if merge is None:
        return outputs[0]
    if merge == "concat":
        return graph.node("Concat", *outputs, axis=-1)
    return graph.node(MERGES[merge], *outputs)


def _bridged(graph, finals, bridges):
    """The states of one layer for the decoder, out of those of one or two directions."""
    if len(finals) == 1:
        return finals[0]
    return [
        graph.node("Tanh", graph.dense(graph.node("Concat", *pair, axis=-1), next(bridges)))
        for pair in zip(*finals, strict=True)
    ]
