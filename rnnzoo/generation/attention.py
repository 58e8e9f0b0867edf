"""The attention weights of texts that have been decoded."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.generation.protocol import Decodable, cast_like
from rnnzoo.typing import Tensor


def attention_weights(model: Decodable, inputs: Any, *, tokens: Tensor) -> Tensor:
    """Computes the attention weights at every step of given texts.

    Args:
        model: What is decoded; it has attention.
        inputs: What its `start` reads.
        tokens: Token ids, int32 `(batch, steps)`.

    Returns:
        Float32 `(batch, steps, source_length)`.
    """
    _, state, weights = model.start(inputs, attention=True)
    tokens = ops.transpose(tokens)  # (N, B)
    steps = ops.shape(tokens)[0]
    positions = ops.reshape(ops.arange(steps, dtype="int32"), (-1, 1, 1))  # (N, 1, 1)
    # zeros but for the first step, whose weights `start` gave
    kept = ops.where(ops.equal(positions, 0), weights, ops.zeros_like(weights))  # (N, B, S)

    def step(position, kept, *carried):
        old = keras.tree.pack_sequence_as(state, list(carried))
        token = ops.take(tokens, position - 1, axis=0)  # (B,)
        _, new, weights = model.step(token, old, attention=True)
        kept = ops.where(ops.equal(positions, position), weights, kept)
        return (position + 1, kept, *keras.tree.flatten(cast_like(new, old)))

    first = (ops.convert_to_tensor(1, "int32"), kept, *keras.tree.flatten(state))
    result = ops.while_loop(lambda position, *_: position < steps, step, first)
    return ops.transpose(result[1], (1, 0, 2))


def compiled_attention_weights(
    model: Decodable, source: np.ndarray, tokens: np.ndarray
) -> np.ndarray:
    """Computes `attention_weights` in a compiled function.

    Args:
        model: What is decoded; it has attention.
        source: Source ids, int32 `(batch, source_length)`.
        tokens: Token ids, int32 `(batch, steps)`.

    Returns:
        Float32 `(batch, steps, source_length)`.
    """

    def run(source, tokens):
        return attention_weights(model, (source,), tokens=tokens)

    return ops.convert_to_numpy(model.compiled("attention", run)(source, tokens))
