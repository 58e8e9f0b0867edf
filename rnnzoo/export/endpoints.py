"""The endpoints of exported models, out of stock TensorFlow operations.

`ENDPOINTS` has one maker for each name that a model's `export_endpoints` may give. A maker takes
what the endpoints share and its own parts, and returns the method and the signatures.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from rnnzoo.export.classifying import classify
from rnnzoo.export.generating import generate, next_tokens, score_texts
from rnnzoo.export.shared import Shared
from rnnzoo.export.signatures import endpoint
from rnnzoo.export.streaming import decode, start, start_tokens, step
from rnnzoo.export.translating import score_pairs, translate, translate_n_best
from rnnzoo.vocabulary import Vocabulary


def make_endpoints(
    model: keras.Model, endpoints: dict[str, dict[str, Any]]
) -> tuple[tf.Module, dict[str, Callable]]:
    """Makes the endpoints of a model.

    Args:
        model: The model, whose weights go into the module.
        endpoints: What each endpoint is made of, by its name; the first is the default.

    Returns:
        A `tf.Module` with the endpoints as methods, and the signatures for a SavedModel.
    """
    module, shared, signatures = tf.Module(), Shared(model), {}
    for name, parts in endpoints.items():
        parts = {
            part: shared.vocabulary(value) if isinstance(value, Vocabulary) else value
            for part, value in parts.items()
        }
        method, its_signatures = ENDPOINTS[name](shared, **parts)
        setattr(module, name, method)
        signatures |= its_signatures
    module.weights = [variable.value for variable in model.weights]
    module.graph_vocabularies = shared.vocabularies
    return module, {"serving_default": next(iter(signatures.values())), **signatures}


def serve(shared: Shared, inputs: list[Any]) -> tuple[Callable, dict[str, Callable]]:
    """Makes `serve`: ids to logits, as Keras exports it."""

    def serve(tokens):
        return shared.model(tokens, training=False)

    function = endpoint(serve, tokens=inputs[0])
    return function, {"serve": function}


ENDPOINTS = {
    "generate": generate,
    "next_tokens": next_tokens,
    "classify": classify,
    "translate": translate,
    "translate_n_best": translate_n_best,
    "score": lambda shared, **parts: (score_texts if "vocabulary" in parts else score_pairs)(
        shared, **parts
    ),
    "start": start,
    "start_tokens": start_tokens,
    "step": step,
    "decode": decode,
    "serve": serve,
}
