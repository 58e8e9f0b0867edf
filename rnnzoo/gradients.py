"""The gradients of a function of arrays, on whichever backend Keras runs."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.typing import Tensor


def gradients(
    function: Callable[[list[Tensor]], tuple[Tensor, Any]], arrays: Sequence[Tensor]
) -> tuple[list[Tensor], Any]:
    """Computes the gradients of a function, eagerly or inside a compiled function.

    Args:
        function: Takes a list of float tensors like the arrays; returns a scalar and whatever else.
        arrays: Where.

    Returns:
        A gradient for each array, zero for one that the scalar does not depend on, and what else
        the function returned.

    Raises:
        InputError: If Keras runs on a backend that has no gradients here.

    Example:
        >>> found, _ = gradients(lambda xs: (ops.sum(xs[0] * xs[0]), None), [ops.array([1.0, 2.0])])
        >>> ops.convert_to_numpy(found[0]).tolist()
        [2.0, 4.0]
    """
    backend = keras.config.backend()
    points = [ops.convert_to_tensor(array) for array in arrays]
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(points)
            value, rest = function(points)
        found = tape.gradient(value, points, unconnected_gradients="zero")
        return [tf.convert_to_tensor(one) for one in found], rest  # of embeddings: slices
    if backend == "jax":
        import jax

        return jax.grad(function, has_aux=True)(points)
    if backend == "torch":
        import torch

        with torch.enable_grad():
            points = [point.detach().requires_grad_(True) for point in points]
            value, rest = function(points)
        found = torch.autograd.grad(value, points, allow_unused=True)
        zero = torch.zeros_like
        found = [
            zero(point) if one is None else one for one, point in zip(found, points, strict=True)
        ]
        return found, keras.tree.map_structure(
            lambda one: None if one is None else ops.stop_gradient(one), rest
        )
    raise InputError(
        f"Keras runs on {backend}, where rnnzoo computes no gradients; set KERAS_BACKEND to "
        "tensorflow, jax or torch."
    )
