"""Writes a SavedModel whole or not at all."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from rnnzoo.errors import InputError

MAIN_PART = "saved_model.pb"
PARTS = {MAIN_PART, "fingerprint.pb", "variables", "assets"}  # all that a SavedModel is made of


def write_saved_model(
    module: tf.Module, signatures: dict[str, Callable], path: str | os.PathLike
) -> None:
    """Writes a SavedModel beside its place, then moves it there.

    Args:
        module: The `tf.Module` to save.
        signatures: Its signatures.
        path: The folder; a SavedModel that is there already is replaced.

    Raises:
        InputError: If there is something else at the path, or it cannot be written.
    """
    path = Path(path)
    check_replaceable(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    replaced = path.with_name(f".{path.name}.{os.getpid()}.old")
    # Gradients are not exported; without this TensorFlow would trace those of our own kernels.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tf.saved_model.save(module, str(temporary), signatures, options=options)
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", None) or error
        raise InputError(
            f"The SavedModel cannot be written to {str(path)!r} ({reason}); give a folder that may "
            "be written to, on a disk with free space."
        ) from error
    finally:
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def check_replaceable(path: Path) -> None:
    """Refuses a path where something stands that is no SavedModel.

    Args:
        path: Where a SavedModel is to be written, a `Path`.

    Raises:
        InputError: If there is a file, or a folder with other files in it.
    """
    remedy = "give a folder that does not exist yet."
    if path.exists() and not path.is_dir():
        raise InputError(f"{str(path)!r} is a file, but a SavedModel is a folder; {remedy}")
    present = set(os.listdir(path)) if path.is_dir() else set()
    others = sorted(present - PARTS if MAIN_PART in present else present)
    if others:
        raise InputError(
            f"The folder {str(path)!r} holds {others[0]!r}, which is no part of a SavedModel, and "
            f"would be lost; {remedy}"
        )
