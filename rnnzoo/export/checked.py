"""Exports that Keras writes: refused before the work or checked after it, and never left broken."""

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import keras

from rnnzoo.errors import InputError

# What each format needs, by the name it is imported by, and the name that pip knows.
PACKAGES = {
    "onnx": {"onnx": "onnx", "tf2onnx": "tf2onnx"},
    "openvino": {"openvino": "openvino"},
    "torch": {"torch": "torch"},
}


def export_by_keras(
    model: keras.Model,
    filepath: str | os.PathLike,
    format: str,
    *,
    verbose: bool | None = None,
    **kwargs: Any,
) -> None:
    """Exports a model by `keras.Model.export`, and reads what was written.

    Args:
        model: The model.
        filepath: Where to write; what is there is replaced once the new one is complete. For a
            SavedModel, a path that `check_replaceable` has passed.
        format: A format of `keras.Model.export`.
        verbose: Whether to print what was written where; `True` when left out.
        **kwargs: As for `keras.Model.export`.

    Raises:
        InputError: If a package is missing, a folder is in the way of a file, Keras fails, or an
            ONNX file is not valid; then everything is as it was before.
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
    if format != "tf_saved_model" and path.is_dir():
        raise InputError(f"{str(path)!r} is a folder; give the name of a file.")
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            written = Path(folder) / path.name
            keras.Model.export(model, str(written), format, verbose=False, **kwargs)
            if format == "onnx":
                _check_onnx(written)
            for each in Path(folder).iterdir():  # OpenVINO writes two files
                target = path.parent / each.name
                if target.is_dir():
                    shutil.rmtree(target)
                os.replace(each, target)
    except OSError as error:
        raise InputError(
            f"The model cannot be exported to {str(path)!r} ({error.strerror or error}); give a "
            "path in a folder that exists, may be written to and has free space."
        ) from error
    except Exception as error:
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        remedy = 'export a SavedModel, format="tf_saved_model", which takes every model'
        if format == "tf_saved_model":
            remedy = "call it on an example first, or give its `input_signature`"
        raise InputError(
            f'The model cannot be exported as "{format}" ({reason}); {remedy}.'
        ) from error
    if verbose is not False:
        print(f"Exported to {str(filepath)!r}, as {format}.")


def _check_onnx(path):
    """Reads an ONNX file with the checker, and with onnxruntime where it is installed."""
    import onnx

    onnx.checker.check_model(str(path), full_check=True)
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime

        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
