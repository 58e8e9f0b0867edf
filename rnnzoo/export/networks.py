"""Export of a model's step, state in and state out, for runtimes that know no text."""

import importlib.util
import json
import os
from importlib import resources
from pathlib import Path

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.export.folders import atomic_folder, check_replaceable
from rnnzoo.export.vocabulary_file import describe_model
from rnnzoo.files import atomic_path

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}
PACKAGES = {"onnx": "onnx", "litert": "tensorflow"}  # what makes the networks
WEIGHTS = ("float32", "int8")
# Beside the networks: the vocabulary, and an example without rnnzoo and Keras.
TEXTS = ("vocabulary.json", "vocabulary.py", "network.py", "example.py")


def export_networks(
    model: keras.Model,
    filepath: str | os.PathLike,
    *,
    format: str,
    weights: str = "float32",
    verbose: bool | None = None,
) -> None:
    """Writes the step of a model as a network, with its vocabulary and an example, to a folder.

    A translator has an encoder beside the step. `docs/exports.md` describes the inputs and outputs,
    and the file of the vocabulary.

    Args:
        model: A language model or a translator, with vocabularies.
        filepath: The folder; an export of the same format that is there already is replaced. A
            name that ends in .onnx or .tflite is a file, for the step of a language model alone.
        format: `"onnx"` or `"litert"`.
        weights: `"float32"`, or `"int8"`: about a quarter as large.
        verbose: Whether to print what was written; `True` when left out.

    Raises:
        InputError: If the format cannot hold the model, a package is missing, an argument is not
            valid, or the path is taken or cannot be written; then nothing is written.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> export_networks(model, "romeo", format="onnx", verbose=False)
        >>> sorted(path.name for path in Path("romeo").iterdir())
        ['example.py', 'network.py', 'step.onnx', 'vocabulary.json', 'vocabulary.py']
    """
    if weights not in WEIGHTS:
        raise unknown_name("kind of weights", weights, WEIGHTS)
    path, suffix = Path(filepath), SUFFIXES[format]
    names = ["encoder", "step"] if "translate" in model.export_endpoints() else ["step"]
    alone = path.suffix.lower() == suffix
    if alone or path.suffix.lower() in SUFFIXES.values():
        _check_file(path, names, format=format)
    else:
        parts = [f"{name}{suffix}" for name in names]
        check_replaceable(path, (*parts, *TEXTS), what=f"an export as {format}")
    _check_can_be_made(model, format)
    networks = _make(model, format, weights)
    try:
        if alone:
            with atomic_path(path) as temporary:
                temporary.write_bytes(networks["step"])
        else:
            with atomic_folder(path) as temporary:
                _write_folder(temporary, model, networks=networks, format=format)
    except OSError as error:
        raise InputError(
            f"The model cannot be exported to {str(path)!r} ({error.strerror or error}); give a "
            "path in a folder that exists, may be written to and has free space."
        ) from error
    if verbose is not False:
        size = sum(map(len, networks.values())) / 1e6
        print(f"Exported to {str(path)!r}: {' and '.join(names)} as {format}, {size:.1f} MB.")


def _check_file(path, names, *, format):
    """Refuses a file of another format, one that is a folder, and one for two networks."""
    if path.suffix.lower() != SUFFIXES[format]:
        raise InputError(
            f"{str(path)!r} is named like a file of another format than {format!r}; give a name "
            f"that ends in {SUFFIXES[format]}, or a folder."
        )
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder named like a file; give another name.")
    if len(names) > 1:
        raise InputError(
            f"A translator is two networks, which one file, {str(path)!r}, does not hold; give a "
            f'folder, with `format="{format}"` (--format {format}).'
        )


def _check_can_be_made(model, format):
    package = PACKAGES[format]
    if importlib.util.find_spec(package) is None:
        raise InputError(
            f'The format "{format}" needs {package}; install it with `pip install {package}`.'
        )
    if format == "litert" and keras.config.backend() != "tensorflow":
        raise InputError(
            f"LiteRT networks are made on TensorFlow, but Keras runs on {keras.config.backend()}; "
            "save the model, load it in a process with the environment variable "
            "KERAS_BACKEND=tensorflow, and export it there."
        )
    for weight in model.weights:
        if not np.isfinite(ops.convert_to_numpy(ops.cast(weight, "float32"))).all():
            raise InputError(
                f"The weight {weight.path!r} is not finite, so that the network would write "
                "nothing; train the model with gradients clipped, or load an earlier one."
            )


def _make(model, format, weights):
    """The content of each network, by its name."""
    if format == "onnx":
        from rnnzoo.export.onnx.networks import networks
    else:
        from rnnzoo.export.litert import networks
    return networks(model, weights)


def _write_folder(folder, model, *, networks, format):
    folder.mkdir()
    for name, content in networks.items():
        (folder / f"{name}{SUFFIXES[format]}").write_bytes(content)
    described = json.dumps(describe_model(model), ensure_ascii=False)
    (folder / "vocabulary.json").write_text(described, encoding="utf-8")
    examples = resources.files("rnnzoo.export").joinpath("example")
    for name, source in {
        "vocabulary.py": "vocabulary.py",
        "network.py": f"network_{format}.py",
        "example.py": "example.py",
    }.items():
        (folder / name).write_text(examples.joinpath(source).read_text("utf-8"), encoding="utf-8")
