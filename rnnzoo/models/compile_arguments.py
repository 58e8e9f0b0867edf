"""Losses and metrics of `compile` that read logits, whatever way they were named."""

from collections.abc import Sequence
from typing import Any

import keras

from rnnzoo.errors import InputError

READ_LOGITS = {
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
}
METRICS_OF_LOGITS = {
    "sparse_categorical_crossentropy": keras.metrics.SparseCategoricalCrossentropy,
    "categorical_crossentropy": keras.metrics.CategoricalCrossentropy,
}
RANKS = (  # what only asks which logit is the largest
    "accuracy", "acc", "sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy",
    "categorical_accuracy", "top_k_categorical_accuracy",
)  # fmt: skip


def loss_of_logits(loss: Any) -> Any:
    """Finds the loss that a person means, on logits.

    Args:
        loss: What `keras.Model.compile` takes: a name, a function or a `keras.losses.Loss`, or a
            list or dictionary of one of these.

    Returns:
        The loss. Keras's cross-entropies by name or as functions, which would take logits for
        probabilities, are made to read logits.

    Raises:
        InputError: If it is a loss of Keras that reads something else than logits.

    Example:
        >>> loss_of_logits("sparse_categorical_crossentropy").get_config()["from_logits"]
        True
    """
    if isinstance(loss, dict | list | tuple):
        losses = list(loss.values()) if isinstance(loss, dict) else list(loss)
        if len(losses) != 1:
            raise InputError(f"The model has one output, and so one loss, not {len(losses)}.")
        loss = losses[0]
    name = _name(loss)
    if name in READ_LOGITS:
        # The mean over the tokens that count: Keras's own mean, where every token counts.
        return READ_LOGITS[name](from_logits=True, reduction="mean_with_sample_weight")
    if name is not None and _is_keras(keras.losses, name):
        raise _not_of_logits("loss", name)
    _refuse_probabilities("loss", loss)
    return loss


def metrics_of_logits(metrics: Any, sparse: bool = True) -> list[Any]:
    """Finds the metrics that a person means, on logits.

    Args:
        metrics: What `keras.Model.compile` takes, for one output.
        sparse: Whether targets are ids; `"crossentropy"` and `"ce"` depend on it.

    Returns:
        A flat list.

    Raises:
        InputError: If one is a metric of Keras that reads something else than logits.

    Example:
        >>> [metric if metric == "accuracy" else metric.name
        ...  for metric in metrics_of_logits(["accuracy", "sparse_categorical_crossentropy"])]
        ['accuracy', 'sparse_categorical_crossentropy']
    """
    if metrics is None:
        return []
    if isinstance(metrics, dict):
        metrics = list(metrics.values())
    if not isinstance(metrics, Sequence) or isinstance(metrics, str):
        metrics = [metrics]
    found = []
    for metric in metrics:
        if isinstance(metric, dict | list | tuple):
            found += metrics_of_logits(metric, sparse)
            continue
        name = _name(metric)
        if name in ("crossentropy", "ce"):
            name = "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
        if name in METRICS_OF_LOGITS:
            metric = METRICS_OF_LOGITS[name](from_logits=True, name=name)
        elif name is not None and name not in RANKS and _is_keras(keras.metrics, name):
            raise _not_of_logits("metric", name)
        _refuse_probabilities("metric", metric)
        found.append(metric)
    return found


def _name(loss):
    """The snake_case name of a loss or metric of Keras, given by name or as a function."""
    if isinstance(loss, str):
        kind = getattr(keras.losses, loss, None) or getattr(keras.metrics, loss, None)
        if isinstance(kind, type):  # "SparseCategoricalCrossentropy"
            letters = ["_" + c.lower() if c.isupper() else c for c in loss]
            return "".join(letters).lstrip("_")
        return loss
    name = getattr(loss, "__name__", None)
    known = (getattr(keras.losses, str(name), None), getattr(keras.metrics, str(name), None))
    return name if name and any(loss is each for each in known) else None


def _is_keras(module, name):
    """Whether a name is one of Keras's own, short names such as "mse" included."""
    try:
        found = module.get(name)
    except ValueError:
        return False
    kind = found if isinstance(found, type) or hasattr(found, "__name__") else type(found)
    return str(kind.__module__).split(".")[0] == "keras"


def _not_of_logits(kind, name):
    return InputError(
        f"The model's outputs are logits over a vocabulary, which the {kind} {name!r} does not "
        'read; take "sparse_categorical_crossentropy", or leave it out for the default.'
    )


def _refuse_probabilities(kind, loss):
    if isinstance(loss, type):
        raise InputError(f"Give the {kind} {loss.__name__} as an object, {loss.__name__}(...).")
    config = getattr(loss, "get_config", None)
    try:
        config = config() if config else {}
    except Exception:  # a class of one's own need not be serialisable
        config = {}
    if isinstance(config, dict) and config.get("from_logits") is False:
        raise InputError(
            f"The {kind} {type(loss).__name__} reads probabilities, and the model's outputs are "
            "logits; give it from_logits=True."
        )
