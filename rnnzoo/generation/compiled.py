"""Compiles a function of a model's weights on whichever backend Keras runs."""

from collections.abc import Callable
from typing import Any

import keras

from rnnzoo.layers.kernels.cpu import without_gradients


def compile_function(model: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function that reads a model's weights and some arrays, without gradients.

    TensorFlow traces it once for all shapes, so that a new prompt length costs nothing; JAX
    compiles it once per shape; torch runs it as it is.

    Args:
        model: The `keras.Model` whose weights the function reads.
        function: Takes tensors and returns (a structure of) tensors.

    Returns:
        A function that takes NumPy arrays in place of the tensors.

    Example:
        >>> import numpy as np
        >>> from rnnzoo import char_lstm
        >>> double = compile_function(char_lstm(9, units=4), lambda x: 2 * x)
        >>> float(double(np.float32(21)))
        42.0
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        return _compile_tensorflow(function)
    if backend == "jax":
        return _compile_jax(model, function)
    if backend == "torch":
        import torch

        def run(*arrays):
            with torch.no_grad():
                return function(*[keras.ops.convert_to_tensor(array) for array in arrays])

        return run
    return lambda *arrays: function(*[keras.ops.convert_to_tensor(array) for array in arrays])


def _compile_tensorflow(function):
    import tensorflow as tf

    traced, function = {}, without_gradients(function)

    def kind(array):
        # One trace for each set of ranks and dtypes; every dimension is left free, but for the
        # features of a state, which comes from a compiled function.
        state = isinstance(array, tf.Tensor) and array.ndim > 1 and array.dtype.is_floating
        return array.ndim, array.dtype, array.shape[-1] if state else None

    def spec(rank, dtype, features):
        return tf.TensorSpec([*[None] * (rank - 1), *[features] * (rank > 0)], dtype)

    def run(*arrays):
        kinds = tuple(map(kind, arrays))
        if kinds not in traced:
            specs = tuple(spec(*each) for each in kinds)
            whole = tf.function(function, input_signature=specs, autograph=False)
            # `whole` would hold its arguments against its signature three times in every call.
            traced[kinds] = whole.get_concrete_function()
        return traced[kinds](*[tf.convert_to_tensor(array) for array in arrays])

    return run


def _compile_jax(model, function):
    import jax

    variables = list(model.weights)

    @jax.jit
    def pure(values, *arrays):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(*arrays)

    def run(*arrays):
        model.jax_state_sync()  # a running `fit` holds the weights' values itself
        return pure([variable.value for variable in variables], *arrays)

    return run


def compile_stateless(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of tensors that reads no variable, such as a step with its own weights.

    It may compute gradients, by `rnnzoo.gradients`. TensorFlow and JAX compile it once for each
    shape; torch runs it as it is, and keeps nothing for other gradients.

    Args:
        function: Takes and returns structures of tensors.

    Returns:
        A function of the same arguments.

    Example:
        >>> import numpy as np
        >>> float(compile_stateless(lambda x: 2 * x)(np.float32(21)))
        42.0
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False)
    if backend == "jax":
        import jax

        return jax.jit(function)
    if backend == "torch":
        import torch

        return torch.no_grad()(function)
    return function
