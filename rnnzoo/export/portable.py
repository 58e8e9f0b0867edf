"""Models whose graphs run on any machine."""

import contextlib
from collections.abc import Iterator

import keras


def portable_copy(model: keras.Model, use_cudnn: bool = False) -> keras.Model:
    """Rebuilds a model so that its graph runs on any machine.

    The copy has the weights but nothing of the training, computes in float32 whatever the policy
    of the model (bfloat16 is slow or absent on many CPUs), and runs kernels that are `exportable`:
    cuDNN would not load on a CPU, and Keras's exporters fail on the written-out gradient of our own
    CPU loop. The model itself stays as it is.

    Args:
        model: A model of rnnzoo.
        use_cudnn: Whether the recurrent layers may use cuDNN where this machine has a GPU.

    Returns:
        The copy, not compiled.

    Example:
        >>> from rnnzoo import char_lstm
        >>> portable_copy(char_lstm(20, units=8, dtype="mixed_bfloat16")).compute_dtype
        'float32'
    """
    copy = model.copy_in_dtype("float32")
    for layer, name, value in _attributes(copy, use_cudnn):
        setattr(layer, name, value)
    return copy


def _attributes(model, use_cudnn):
    """What makes the layers of a model portable: a layer, the name of an attribute, its value."""
    for layer in model._flatten_layers():  # those inside Bidirectional too
        if hasattr(layer, "exporting"):
            yield layer, "exporting", True  # `choose_kernel` and the decoder read it
        if hasattr(layer, "use_cudnn") and not use_cudnn:
            yield layer, "use_cudnn", False  # read at every call


@contextlib.contextmanager
def portable_layers(model: keras.Model, use_cudnn: bool) -> Iterator[None]:
    """Makes the layers of a model that cannot be copied portable for a while."""
    with contextlib.ExitStack() as after:
        for layer, name, value in list(_attributes(model, use_cudnn)):
            after.callback(setattr, layer, name, getattr(layer, name))
            setattr(layer, name, value)
        yield
