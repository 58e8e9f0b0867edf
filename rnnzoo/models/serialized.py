"""The objects in a configuration as Keras serializes it."""

from collections.abc import Iterator
from typing import Any

TORCH_OPTIMIZERS = "keras.src.backend.torch.optimizers."  # Keras's, as it names them on torch


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """All serialized objects in a configuration."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def optimizers_of_any_backend(config: Any) -> None:
    """Renames optimizers that were serialized on torch, so that every backend finds them.

    Args:
        config: A configuration, which is changed in place.
    """
    for value in objects(config):
        if str(value.get("module")).startswith(TORCH_OPTIMIZERS):
            value.update(module="keras.optimizers", registered_name=None)
