"""Reads tokens one by one, and keeps what was predicted and what each cell did."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.generation.protocol import cast_like
from rnnzoo.inspection.record import CANDIDATES, LayerRecord
from rnnzoo.inspection.watching import Steps, watched_cells
from rnnzoo.layers.cells.registry import class_of, state_shapes
from rnnzoo.typing import Tensor

ALTERNATIVES = 5


def read_tokens(
    step: Callable[[Tensor, Any], tuple],
    cells: Sequence[keras.layers.Layer],
    *,
    state: Any,
    tokens: Tensor,
    labels: Tensor,
) -> tuple[dict[str, Tensor], Tensor, list[Steps]]:
    """Reads tokens step by step; for every backend and inside a compiled function.

    Args:
        step: Takes a token `(1,)` and a state; returns logits `(1, size)`, the new state and
            attention weights `(1, source_length)` or anything else to keep.
        cells: The cells that a step runs, once each.
        state: The state before the first token.
        tokens: Ids, int32 `(time,)`.
        labels: The token after each, int32 `(time,)`.

    Returns:
        What `predictions` gives, a row for each token read; the third result of the steps
        `(time, ...)`; and the `Steps` of each cell.
    """

    def read(state, token, label):
        with watched_cells(cells) as seen:
            logits, new, kept = step(token, state)
        runs = [seen[place] for place in range(len(cells))]
        return cast_like(new, state), (predictions(logits, label), kept, runs)

    def read_and_keep(carried, now):
        carried = read(carried[0], now[:1], now[1:])
        return carried, carried  # Keras on TensorFlow wants what is stacked to be like the carry

    _, kept = read(state, tokens[:1], labels[:1])  # for its shapes alone
    start = state, keras.tree.map_structure(ops.zeros_like, kept)
    # One tensor: Keras on TensorFlow scans no two where the length is unknown.
    _, (_, kept) = ops.scan(read_and_keep, start, ops.stack([tokens, labels], axis=1))
    return keras.tree.map_structure(lambda tensor: tensor[:, 0], kept)


def predictions(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Computes what a prediction says of the token that came, and of others.

    Args:
        logits: `(batch, size)`.
        labels: The tokens that came, int32 `(batch,)`.

    Returns:
        `log_probabilities`, `ranks` and `entropies`, `(batch,)`; `alternative_ids` and
        `alternative_log_probabilities`, `(batch, 5)`, fewer of a smaller vocabulary.

    Example:
        >>> found = predictions(ops.convert_to_tensor([[0.0, 3.0, 1.0]]), np.array([2], "int32"))
        >>> int(found["ranks"][0]), ops.convert_to_numpy(found["alternative_ids"]).tolist()
        (2, [[1, 2, 0]])
    """
    logs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    own = ops.take_along_axis(logs, ops.expand_dims(labels, -1), axis=-1)  # (B, 1)
    likeliest, ids = ops.top_k(logs, min(ALTERNATIVES, logs.shape[-1]))
    return {
        "log_probabilities": ops.squeeze(own, -1),
        "ranks": 1 + ops.sum(ops.cast(logs > own, "int32"), -1),
        "entropies": -ops.sum(ops.exp(logs) * logs, -1),
        "alternative_ids": ops.cast(ids, "int32"),
        "alternative_log_probabilities": likeliest,
    }


def layer_record(name: str, cell: keras.layers.Layer, steps: Steps) -> LayerRecord:
    """Makes the record of a layer out of what its cell did.

    Args:
        name: The name of the layer.
        cell: Its cell.
        steps: All its steps, as arrays.
    """
    inputs, before, after = keras.tree.map_structure(
        lambda array: ops.convert_to_tensor(array, "float32"), tuple(steps)
    )
    cell_name, cls = class_of(cell) or ("", None)
    gates = cls.gates(cell, inputs, before) if hasattr(cls, "gates") else {}
    return LayerRecord(
        name,
        cell_name,
        states=dict(zip(state_names(cell), map(to_float, after), strict=True)),
        gates={key: to_float(value) for key, value in gates.items()},
        candidates=getattr(cls, "candidates", CANDIDATES),
    )


def state_names(cell: keras.layers.Layer) -> Sequence[str]:
    """Returns a name for each tensor of a cell's state: its own names where it has any."""
    _, cls = class_of(cell) or ("", None)
    count = len(state_shapes(cell))
    default = ["h"] if count == 1 else [f"state_{place}" for place in range(count)]
    return getattr(cls, "state_names", default)


def to_float(tensor: Tensor) -> np.ndarray:
    """Returns a float32 array."""
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))
