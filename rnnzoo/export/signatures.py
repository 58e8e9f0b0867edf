"""Functions of TensorFlow with named inputs, as SavedModels and their servers call them."""

from collections.abc import Callable

import tensorflow as tf

TEXTS = tf.TensorSpec([None], tf.string)


def endpoint(function: Callable, **inputs: tf.TensorSpec | dict[str, tf.TensorSpec]) -> Callable:
    """Compiles a function for inputs of these names, shapes and dtypes.

    Args:
        function: The function; it takes the inputs in this order.
        **inputs: A spec for each, or a dictionary of specs by name.
    """
    specs = [
        {key: named_spec(part, key) for key, part in spec.items()}
        if isinstance(spec, dict)
        else named_spec(spec, name)
        for name, spec in inputs.items()
    ]
    return tf.function(function, autograph=False, input_signature=specs)


def named_spec(spec: tf.TensorSpec, name: str) -> tf.TensorSpec:
    """Returns the spec with a name, by which a signature knows its input."""
    return tf.TensorSpec(spec.shape, spec.dtype, name)


def signature_of(output: str, function: Callable, **inputs: tf.TensorSpec) -> Callable:
    """Makes a signature whose one output has a name of a compiled function; no graph is made twice.

    Args:
        output: The name of the output.
        function: What `endpoint` made.
        **inputs: The specs of the inputs that the signature has; the others keep their defaults.
    """
    names = list(inputs)

    def signature(*arguments):
        return {output: function(**dict(zip(names, arguments, strict=True)))}

    return endpoint(signature, **inputs)
