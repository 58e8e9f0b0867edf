"""The networks of a model for LiteRT (TensorFlow Lite): its own operations alone, one row."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnzoo.errors import InputError
from rnnzoo.export.portable import portable_copy

MEMORY = ("values", "keys", "mask")


def networks(model: keras.Model, weights: str) -> dict[str, bytes]:
    """Makes the networks of a model.

    The batch is one row. The source of a translator may have any length: an interpreter learns of
    it when its inputs are resized, which signature runners do by themselves.

    Args:
        model: A language model or a translator of rnnzoo, on TensorFlow.
        weights: `"float32"`, or `"int8"`: matrices in 8 bits with a scale for each output, and
            products with vectors that are rounded to 8 bits too.

    Returns:
        The content of each file, by the name of the network.

    Raises:
        InputError: If TensorFlow cannot convert a layer.
    """
    copy = portable_copy(model)
    make = _translator if hasattr(copy, "encoder") else _language_model
    return {
        name: _converted(copy, function, inputs=inputs, weights=weights)
        for name, (function, inputs) in make(copy).items()
    }


def _language_model(model):
    """The functions of the networks, and the shapes of their inputs."""

    def step(token, **state):
        logits, new = model.step(token, list(state.values()))
        return {"logits": logits, **_numbered("new_state", new)}

    return {"step": (step, _token() | _state(model.recurrent.state_shapes))}


def _translator(model):
    attends = model.decoder.attention is not None

    def encoder(source):
        memory, state = model.encode(source)
        memory = dict(zip(MEMORY, memory, strict=True)) if attends else {}
        return {**memory, **_numbered("state", state)}

    def step(token, **inputs):
        memory = [inputs.pop(name) for name in MEMORY] if attends else _no_memory(model)
        logits, new, weights = model.step(token, list(inputs.values()), memory)
        attention = {"attention": weights} if attends else {}
        return {"logits": logits, **attention, **_numbered("new_state", new)}

    source = {"source": tf.TensorSpec([1, None], tf.int32)}
    state = _state(model.encoder.state_shapes * len(model.encoder.layers))
    memory = {}
    if attends:
        values = model.encoder.output_dim
        memory = {
            "values": tf.TensorSpec([1, None, values], tf.float32),
            "keys": tf.TensorSpec([1, None, model.decoder.attention.units], tf.float32),
            "mask": tf.TensorSpec([1, None], tf.bool),
        }
    return {"encoder": (encoder, source), "step": (step, _token() | memory | state)}


def _no_memory(model):
    nothing = tf.zeros([1, 1, model.encoder.output_dim])
    return [nothing, nothing, tf.ones([1, 1], tf.bool)]


def _token():
    return {"token": tf.TensorSpec([1], tf.int32)}


def _state(shapes: Sequence[tuple[int, ...]]) -> dict[str, tf.TensorSpec]:
    return _numbered("state", [tf.TensorSpec([1, *shape], tf.float32) for shape in shapes])


def _numbered(name: str, values: Sequence[Any]) -> dict[str, Any]:
    return {f"{name}_{i}": value for i, value in enumerate(values)}


def _converted(
    model: keras.Model, function: Callable, *, inputs: dict[str, tf.TensorSpec], weights: str
) -> bytes:
    """The content of the file of one network."""
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    try:
        traced = tf.function(function, autograph=False).get_concrete_function(**inputs)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if weights == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()
    except Exception as error:  # of many kinds, by the part of the converter
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        raise InputError(
            f"The model {model.name!r} has a layer that LiteRT has no operations for ({reason}); "
            "export a SavedModel, which takes every model."
        ) from error
