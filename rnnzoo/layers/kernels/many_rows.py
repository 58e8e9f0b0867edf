"""Steps of many rows, for TensorFlow on a CPU: the cells' matrices are laid out for them once.

A loop that writes many texts multiplies a few dozen rows by the same matrices at every step.
oneDNN, on a processor without AVX512, is faster at that where a matrix lies in memory column by
column: 64 texts of 2 x 512 units are written 1.35 times as fast. So a loop over steps transposes
the matrices before it begins, and the cells take these. A single row gains nothing: there the
transposing would cost more than it brings.
"""

import contextlib
import contextvars
import os
from collections.abc import Iterator
from typing import Any

import keras

from rnnzoo import onednn
from rnnzoo.hardware import cpu_info
from rnnzoo.layers.cells.registry import class_of
from rnnzoo.layers.kernels.choose import gpu_visible
from rnnzoo.layers.kernels.standard import cell_obstacles
from rnnzoo.typing import Tensor

MANY_ROWS = 16
_laid_out = contextvars.ContextVar("laid_out", default=None)  # `LaidOut` by the ids of cells


def pays(rows: int) -> bool:
    """Whether transposed matrices are the faster ones for so many rows, here."""
    if rows < MANY_ROWS or keras.backend.backend() != "tensorflow" or gpu_visible():
        return False
    if os.environ.get(onednn.VARIABLE) != "1":  # without oneDNN they are three times as slow
        return False
    flags = cpu_info()[1]
    return "avx2" in flags and "avx512f" not in flags  # elsewhere nobody has measured


@contextlib.contextmanager
def matrices_laid_out(model: keras.Model, rows: int) -> Iterator[None]:
    """Lays out the matrices of a model's cells for all steps inside, if that pays for so many rows.

    Args:
        model: The model, in a compiled function that is being traced.
        rows: How many rows a step has.

    Yields:
        Nothing.
    """
    prepared = {}
    if pays(rows):
        for layer in model._flatten_layers():
            equations = _equations_of(layer)
            if equations is not None:
                prepared[id(layer)] = LaidOut(equations, layer)
    token = _laid_out.set(prepared)
    try:
        yield
    finally:
        _laid_out.reset(token)


def laid_out(cell: keras.layers.Layer) -> "LaidOut | None":
    """The cell with its matrices as the loop around has laid them out, if it has."""
    return (_laid_out.get() or {}).get(id(cell))


class LaidOut:
    """A cell whose matrices lie column by column.

    Args:
        equations: Its equations; see `rnnzoo.layers.cells.lstm.LSTMEquations`.
        cell: The built Keras cell.
    """

    def __init__(self, equations: Any, cell: keras.layers.Layer):
        import tensorflow as tf

        from rnnzoo.layers.kernels.cpu_loop import split_bias  # needs TensorFlow

        kernel, recurrent_kernel = map(tf.convert_to_tensor, (cell.kernel, cell.recurrent_kernel))
        units, gates = recurrent_kernel.shape[0], equations.gates
        bias = tf.zeros((gates * units,)) if cell.bias is None else tf.convert_to_tensor(cell.bias)
        self.biases, self.inner_bias = split_bias(equations, bias, units)
        inputs, recurrent = (tf.split(tf.transpose(w), gates) for w in (kernel, recurrent_kernel))
        self.apart = equations.acts_on_recurrent  # whether the last gate needs its parts apart
        whole = gates - self.apart
        both = zip(inputs[:whole], recurrent[:whole], strict=True)
        self.weights = [tf.concat(pair, 1) for pair in both]  # (U, I + U) each
        self.last = inputs[-1], recurrent[-1]
        self.equations = equations

    def step(self, inputs: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Takes a step: inputs `(B, I)`, the state `(B, U)` each; the output and the new state."""
        import tensorflow as tf

        def product(rows, weight, bias):
            return tf.nn.bias_add(tf.matmul(rows, weight, transpose_b=True), bias)

        # The layer before may have another dtype, and Keras's call would cast what it gives.
        inputs, *state = [tf.cast(tensor, "float32") for tensor in (inputs, *state)]
        rows = tf.concat([inputs, state[0]], 1)  # one product is faster than the sum of two
        biases = self.biases[: len(self.weights)]
        read = [product(rows, w, b) for w, b in zip(self.weights, biases, strict=True)]
        recurrent = [tf.zeros(())] * len(read)
        if self.apart:
            of_inputs, of_state = self.last
            read.append(product(inputs, of_inputs, self.biases[-1]))
            recurrent.append(tf.matmul(state[0], of_state, transpose_b=True))
            if self.inner_bias is not None:
                recurrent[-1] += self.inner_bias
        new, _ = self.equations.forward(read, recurrent, state)
        return new[0], list(new)


def _equations_of(layer):
    """The equations of a cell that is as they say, in float32; None of anything else."""
    found = class_of(layer)
    if found is None or not layer.built or not hasattr(layer, "recurrent_kernel"):
        return None
    equations = getattr(found[1], "equations", None)
    if equations is None or layer.compute_dtype != "float32" or cell_obstacles(layer):
        return None
    return equations
