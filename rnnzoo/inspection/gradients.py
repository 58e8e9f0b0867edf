"""The gradient of a function of one array, on whichever backend Keras runs."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.typing import Tensor


def gradient(function: Callable[[Tensor], Tensor], array: np.ndarray) -> np.ndarray:
    """Computes the gradient of a function at an array.

    Args:
        function: Takes a float32 tensor like the array, returns a scalar.
        array: Where.

    Returns:
        Float32, of the shape of the array.

    Raises:
        InputError: If Keras runs on a backend that has no gradients here.

    Example:
        >>> gradient(lambda x: ops.sum(x * x), np.array([1.0, 2.0], "float32")).tolist()
        [2.0, 4.0]
    """
    backend = keras.config.backend()
    point = ops.convert_to_tensor(array, "float32")
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(point)
            value = function(point)
        found = tape.gradient(value, point)
    elif backend == "jax":
        import jax

        found = jax.grad(function)(point)
    elif backend == "torch":
        point.requires_grad_(True)
        function(point).backward(inputs=[point])
        found = point.grad
    else:
        raise InputError(
            f"Keras runs on {backend}, where rnnzoo computes no gradients; set KERAS_BACKEND to "
            "tensorflow, jax or torch."
        )
    return np.array(ops.convert_to_numpy(found))
