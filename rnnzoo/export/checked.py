"""Exports that Keras writes: refused before the work or checked after it, and never left broken."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import keras

from rnnzoo.errors import InputError

# What each format needs, by the name it is imported by, and the name that pip knows.
PACKAGES = {
    "onnx": {"onnx": "onnx", "tf2onnx": "tf2onnx"},
    "openvino": {"openvino": "openvino"},
    "litert": {"ai_edge_litert": "ai-edge-litert"},
    "torch": {"torch": "torch"},
}


def export_by_keras(
    model: keras.Model, filepath: str | os.PathLike, format: str, *args: Any, **kwargs: Any
) -> None:
    """Exports a model by `keras.Model.export`, and reads what was written.

    Args:
        model: The model.
        filepath: Where to write.
        format: A format of `keras.Model.export`.
        *args: As for `keras.Model.export`.
        **kwargs: As for `keras.Model.export`.

    Raises:
        InputError: If a package is missing, Keras fails, or an ONNX file is not valid; nothing
            new is left at `filepath`.
    """
    needed = PACKAGES.get(format, {})
    if keras.config.backend() != "tensorflow" and format == "onnx":
        needed = {"onnx": "onnx"}
    missing = [pip for name, pip in needed.items() if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f'The format "{format}" needs {" and ".join(missing)}; install it with '
            f"`pip install {' '.join(missing)}`."
        )
    path = Path(filepath)
    existed = path.exists()
    try:
        keras.Model.export(model, filepath, format, *args, **kwargs)
        if format == "onnx":
            _check_onnx(path)
    except Exception as error:
        if not existed:
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
        if isinstance(error, InputError):
            raise
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        remedy = 'export a SavedModel, format="tf_saved_model", which takes every model'
        if format == "tf_saved_model":
            remedy = "call it on an example first, or give its `input_signature`"
        raise InputError(
            f'The model cannot be exported as "{format}" ({reason}); {remedy}.'
        ) from error


def _check_onnx(path):
    """Reads an ONNX file with the checker, and with onnxruntime where it is installed."""
    import onnx

    onnx.checker.check_model(str(path), full_check=True)
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime

        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
