"""Writes a SavedModel whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from rnnzoo.errors import InputError
from rnnzoo.export.folders import atomic_folder


def write_saved_model(
    module: tf.Module, signatures: dict[str, Callable], path: str | os.PathLike
) -> None:
    """Writes a SavedModel beside its place, then moves it there.

    Args:
        module: The `tf.Module` to save.
        signatures: Its signatures.
        path: The folder; one that `check_replaceable` has passed is replaced.

    Raises:
        InputError: If it cannot be written.
    """
    path = Path(path)
    # Gradients are not exported; without this TensorFlow would trace those of our own kernels.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    try:
        with atomic_folder(path) as temporary:
            tf.saved_model.save(module, str(temporary), signatures, options=options)
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", None) or error
        raise InputError(
            f"The SavedModel cannot be written to {str(path)!r} ({reason}); give a folder that may "
            "be written to, on a disk with free space."
        ) from error
