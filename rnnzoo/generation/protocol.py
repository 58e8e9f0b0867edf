"""What can be decoded: the one protocol between models and everything that writes with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.generation.compiled import compile_function
from rnnzoo.typing import Tensor

NEVER = -1e9  # far below the log-probability of anything that can be written


@dataclasses.dataclass(frozen=True)
class TokenRules:
    """Which tokens there are and what they mean for decoding.

    Args:
        size: The number of token ids.
        start_id: The id that every row starts from, if there is one.
        end_id: The id that ends a row, if there is one.
        suppressed_ids: The ids that are never written, such as padding.

    Example:
        >>> logits = ops.convert_to_tensor([[5.0, 1.0, 2.0]])
        >>> int(ops.argmax(TokenRules(3, suppressed_ids=(0,)).suppress(logits)))
        2
    """

    size: int
    start_id: int | None = None
    end_id: int | None = None
    suppressed_ids: tuple[int, ...] = ()

    def suppress(self, logits: Tensor) -> Tensor:
        """Makes the suppressed ids impossible in logits `(..., size)`."""
        if not self.suppressed_ids:
            return logits
        row = np.zeros(self.size, "float32")
        row[list(self.suppressed_ids)] = NEVER
        return logits + ops.convert_to_tensor(row, logits.dtype)


class Decodable:
    """What decoding needs of a model: how to start, how to go on, and its token rules.

    A model hands out a subclass. The state is any structure of tensors whose first axis is the
    batch. What stays as it is from step to step, such as the memory of a translator, is a part of
    the state too.

    Args:
        model: The `keras.Model` whose weights are read.
        rules: Its `TokenRules`.

    Attributes:
        has_attention: Whether `start` and `step` can return attention weights.
    """

    has_attention = False

    def __init__(self, model: keras.Model, rules: TokenRules):
        self.model, self.rules = model, rules

    def start(self, inputs: Any, attention: bool = False) -> tuple:
        """Reads the inputs.

        Args:
            inputs: A structure of tensors, whatever the model reads.
            attention: Whether the attention weights are requested.

        Returns:
            The logits of the first token, float32 `(batch, size)`, and the state; with `attention`
            also the weights, float32 `(batch, source_length)`.
        """
        raise NotImplementedError

    def step(self, tokens: Tensor, state: Any, attention: bool = False) -> tuple:
        """Reads one token per row, int32 `(batch,)`; returns what `start` returns."""
        raise NotImplementedError

    def pack(self, rows: Sequence[np.ndarray], multiple: int = 1) -> tuple[np.ndarray, ...]:
        """Packs rows of ids into the arrays that `start` reads.

        Args:
            rows: Arrays of ids, none of them empty.
            multiple: As in `pad_rows`.
        """
        raise NotImplementedError

    def source_mask(self, inputs: Any) -> Tensor:
        """Returns which source tokens are no padding, boolean `(batch, source_length)`."""
        raise NotImplementedError

    def reorder(self, state: Any, rows: Tensor) -> Any:
        """Takes rows of a state; each takes the place of a row that had the same inputs.

        Beam search calls it at every step. A model whose state holds what depends on the inputs
        alone leaves that where it is.
        """
        return take_rows(state, rows)

    def nats(self, inputs: Any, labels: Tensor) -> Tensor:
        """Computes the negative log-probability of each label, float32 `(batch, time)`."""
        raise NotImplementedError

    def compiled(self, key: Hashable, function: Callable) -> Callable:
        """Returns `function` of arrays compiled for this model; the key says which it is."""
        return self.model._compiled(
            (key, self.rules), lambda: compile_function(self.model, function)
        )


def take_rows(state: Any, rows: Tensor) -> Any:
    """Takes rows of every tensor of a structure."""
    return keras.tree.map_structure(lambda part: ops.take(part, rows, axis=0), state)


def cast_like(new: Any, old: Any) -> Any:
    """Gives a new state the dtypes of the old one, which a loop must keep."""
    return keras.tree.map_structure(lambda n, o: ops.cast(n, o.dtype), new, old)
