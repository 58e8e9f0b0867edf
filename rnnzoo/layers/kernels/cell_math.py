"""The functions of which the equations of the cells are made, for TensorFlow on a CPU."""

from rnnzoo.typing import Tensor

# The gradients of the inputs, of the recurrent parts, and of the state otherwise.
Gradients = tuple[tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor | None, ...]]


def sigmoid(x):
    """The logistic function."""
    import tensorflow as tf

    return tf.sigmoid(x)


def tanh(x):
    """The hyperbolic tangent."""
    import tensorflow as tf

    return tf.tanh(x)


def d_sigmoid(y, dy):
    """The gradient of a sigmoid of value `y`: `dy * y * (1 - y)`."""
    import tensorflow as tf

    return tf.raw_ops.SigmoidGrad(y=y, dy=dy)


def d_tanh(y, dy):
    """The gradient of a tanh of value `y`: `dy * (1 - y * y)`."""
    import tensorflow as tf

    return tf.raw_ops.TanhGrad(y=y, dy=dy)
