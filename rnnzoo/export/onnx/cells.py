"""One step of each cell, and a loop over time, in operations of ONNX."""

from typing import Any

from onnx import TensorProto

from rnnzoo.export.onnx.graph import Graph


def step(
    graph: Graph, cell: dict[str, Any], inputs: str, *, state: list[str]
) -> tuple[str, list[str]]:
    """Adds one step of a cell.

    Args:
        graph: Takes the nodes.
        cell: The cell, as `parts.describe_network` has it.
        inputs: The name of the inputs, `(batch, features)`.
        state: The names of the state, `(batch, units)` each.

    Returns:
        The names of the output and of the new state.
    """
    new = CELLS[cell["cell"]](graph, cell, inputs, state=state)
    return new[0], new


def _lstm(graph, cell, inputs, state):
    hidden, carry = state
    gates = graph.node(
        "Add",
        graph.linear(inputs, cell["kernel"], cell["biases"][0]),
        graph.linear(hidden, cell["recurrent"]),
    )
    i, f, c, o = graph.node("Split", gates, outputs=4, axis=-1, num_outputs=4)  # as in Keras
    kept = graph.node("Mul", graph.node("Sigmoid", f), carry)
    added = graph.node("Mul", graph.node("Sigmoid", i), graph.node("Tanh", c))
    carry = graph.node("Add", kept, added)
    return [graph.node("Mul", graph.node("Sigmoid", o), graph.node("Tanh", carry)), carry]


def _gru(graph, cell, inputs, state):
    """With `reset_after`: the recurrent matrix has a bias of its own, which is reset too."""
    (hidden,) = state
    ours = graph.linear(inputs, cell["kernel"], cell["biases"][0])
    recurrent = graph.linear(hidden, cell["recurrent"], cell["biases"][1])
    z, r, n = graph.node("Split", ours, outputs=3, axis=-1, num_outputs=3)
    z_recurrent, r_recurrent, n_recurrent = graph.node(
        "Split", recurrent, outputs=3, axis=-1, num_outputs=3
    )
    z = graph.node("Sigmoid", graph.node("Add", z, z_recurrent))
    r = graph.node("Sigmoid", graph.node("Add", r, r_recurrent))
    n = graph.node("Tanh", graph.node("Add", n, graph.node("Mul", r, n_recurrent)))
    return [graph.node("Add", n, graph.node("Mul", z, graph.node("Sub", hidden, n)))]


def _simple_rnn(graph, cell, inputs, state):
    (hidden,) = state
    total = graph.node(
        "Add",
        graph.linear(inputs, cell["kernel"], cell["biases"][0]),
        graph.linear(hidden, cell["recurrent"]),
    )
    return [graph.node("Tanh", total)]


CELLS = {"lstm": _lstm, "gru": _gru, "simple_rnn": _simple_rnn}
STATES = {"lstm": 2, "gru": 1, "simple_rnn": 1}  # how many each has, as long as its output


def run(
    graph: Graph, cell: dict[str, Any], inputs: str, *, state: list[str], mask: str, backwards: bool
) -> tuple[str, list[str]]:
    """Adds a loop over time.

    Args:
        graph: Takes the nodes.
        cell: The cell.
        inputs: The name of the inputs, `(time, batch, features)`.
        state: The names of the state before the first step, `(batch, units)` each.
        mask: The name of a boolean `(time, batch, 1)`; a masked step leaves the state as it was.
        backwards: Whether the last step comes first.

    Returns:
        The names of the outputs, `(time, batch, units)`, in the order of the inputs, and of the
        final state.
    """
    body = Graph(graph.weights, outer=graph)
    shape = ["batch", cell["units"]]
    old = [body.input(body.name("state"), shape) for _ in state]
    now = body.input(body.name("inputs"), ["batch", cell["kernel"].shape[1]])
    counts = body.input(body.name("mask"), ["batch", 1], TensorProto.BOOL)
    _, new = step(body, cell, now, state=old)
    new = [body.node("Where", counts, *pair) for pair in zip(new, old, strict=True)]
    for value in (*new, new[0]):  # the last is stacked, the outputs
        body.output(body.name("new"), value, shape)
    directions = [int(backwards)]
    *final, outputs = graph.node(
        "Scan", *state, inputs, mask, outputs=len(state) + 1, body=body.body("time_step"),
        num_scan_inputs=2, scan_input_directions=directions * 2,
        scan_output_directions=directions,
    )  # fmt: skip
    return outputs, final
