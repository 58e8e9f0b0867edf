"""Loads a `.keras` file of anybody: it is checked as a whole before anything is built.

Nothing in a file is run as code. Names, sizes and classes are checked first; then the model is made
without the values of its weights, and its shapes are held against the headers of the weights. So a
few bytes that announce a giant cost no memory.
"""

import contextlib
import math
import os
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import keras
from keras.src.backend.common import global_state

from rnnzoo.archive import digest_fits, has_digest, open_zip, parse_json, unpacked
from rnnzoo.errors import InputError
from rnnzoo.models.base import ZooModel
from rnnzoo.models.checked_config import (
    Refused,
    check_classes,
    check_kind,
    check_numbers,
    is_foreign,
)
from rnnzoo.models.serialized import objects, optimizers_of_any_backend
from rnnzoo.models.weights_file import OPTIMIZER, Header, read_headers

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
PARTS = ("metadata.json", CONFIG, WEIGHTS)
OF_TRAINING = ("state.npz", "progress.json")  # of a checkpoint
MAX_METRIC_VALUES = 1 << 24  # of the variables of all metrics


def load_model_file(path: str | os.PathLike) -> keras.Model:
    """Loads a model of rnnzoo with Keras, once its file was checked.

    Args:
        path: A `.keras` file, or the folder of `save(..., zipped=False)`.

    Returns:
        The model, compiled if it was when it was saved.

    Raises:
        InputError: If the file cannot be read, is damaged or no model of rnnzoo, is of a newer
            version, or has a class that is not registered, sizes that its weights have not, or
            anything else that `save` does not write.
    """
    path = Path(path)
    where = f"The model file {str(path)!r}"
    try:
        config, headers = _read(path)
        check_kind(config, where)
        optimizers_of_any_backend(config)
        check_classes(config, where)
        check_numbers(config, headers)
        _check_sizes(config, headers)
        return keras.saving.load_model(path)
    except Refused:
        raise
    except OSError as error:
        raise InputError(
            f"{where} cannot be read ({error.strerror or error}); check that it may be."
        ) from error
    except Exception as error:  # Keras, h5py, zipfile and zlib each raise their own
        raise InputError(
            f"{where} cannot be loaded ({_reason(error)}); get or make it again."
        ) from error


def load_weights_file(model: ZooModel, path: str | os.PathLike) -> None:
    """Loads weights that `save_weights` wrote into a model, once their headers were checked.

    Args:
        model: The model.
        path: A `.weights.h5` file.

    Raises:
        InputError: If the file is missing, damaged or of another model.
    """
    try:
        with open(path, "rb") as file:
            headers = read_headers(file)
        if not model._changes():  # LoRA and quantization store other arrays
            _compare(model, _of_model(headers))
        model.load_weights(path)
    except Exception as error:  # Keras and h5py each raise their own
        raise InputError(
            f"The weights in {str(path)!r} cannot be loaded ({_reason(error)}); get or make them "
            "again."
        ) from error


def _reason(error):
    """What an error says, on one line."""
    return str(error).strip().split("\n")[0].rstrip(".")[:400] or type(error).__name__


def _read(path) -> tuple[dict[str, Any], list[Header]]:
    """Reads the configuration and the headers of the weights."""
    if path.is_dir():
        config = parse_json((path / CONFIG).read_bytes())
        with open(path / WEIGHTS, "rb") as file:
            return config, read_headers(file)
    if path.suffix != ".keras":
        raise Refused(
            f"The file {str(path)!r} is no model of rnnzoo, whose files end in .keras; give one "
            "that `model.save` wrote."
        )
    if has_digest(path) and zipfile.is_zipfile(path) and not digest_fits(path):
        raise Refused(
            f"The model file {str(path)!r} is damaged: it is not as it was written; get or make it "
            "again."
        )
    try:
        with open_zip(path, PARTS + OF_TRAINING) as archive:
            for name in archive.namelist():
                if name != WEIGHTS:
                    content = archive.read(name)
                    if name == CONFIG:
                        config = parse_json(content)
            with unpacked(archive, WEIGHTS) as file:
                return config, read_headers(file)
    except (InputError, OSError):
        raise
    except Exception as error:  # zipfile and zlib each raise their own
        raise Refused(
            f"The model file {str(path)!r} is truncated or no Keras model; get or make it again."
        ) from error


class _Budget(list):
    """The variables that Keras is to give values later; their number and size have limits."""

    def __init__(self, variables: int, values: int):
        super().__init__()
        self.variables, self.values = variables, values

    def append(self, variable):
        super().append(variable)
        self.values -= math.prod(variable.shape)
        if len(self) > self.variables or self.values < 0:
            raise InputError("its configuration describes far more weights than it holds")


@contextlib.contextmanager
def _without_values(budget):
    """Keras makes variables that know their shape alone."""
    before = global_state.get_global_attribute("uninitialized_variables", [])
    global_state.set_global_attribute("uninitialized_variables", budget)
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute("uninitialized_variables", before)


def _check_sizes(config, headers):
    """Makes the model without values, and holds its shapes against those of the weights."""
    foreign = any(map(is_foreign, objects(config)))
    weights = _of_model(headers)
    # Of int4, a byte holds two values; a layer has a few seeds beside its weights.
    budget = _Budget(64 + 4 * len(weights), 4096 + 2 * sum(one.bytes for one in weights))
    inner = dict(config["config"])
    changes = inner.pop("changed_layers", None) or {}
    replaced = {path: {"layer": one["layer"]} for path, one in changes.items() if "layer" in one}
    if replaced:
        inner["changed_layers"] = replaced
    plain = {**config, "config": inner, "compile_config": None}
    try:
        with _without_values(budget):
            model = keras.saving.deserialize_keras_object(plain)
    except InputError:
        raise
    except Exception:
        if not foreign:  # a class of the user's own may need values
            raise
        return
    if replaced == changes:
        _compare(model, weights)
    _check_metrics(config)


def _of_model(headers):
    """The headers without those of an optimizer, which Keras writes beside the model."""
    return [one for one in headers if one.path.split("/")[0] != OPTIMIZER]


def _compare(model, weights):
    """Holds the shapes of a model against those in a file; Keras looks at the names."""
    made = Counter((tuple(one.shape), _kind(one)) for one in model.weights)
    held = Counter((one.shape, one.kind) for one in weights)
    if made != held:
        raise InputError(
            f"the model has {_words(made - held)} and the file {_words(held - made)} instead"
        )


def _kind(variable):
    return "float" if "float" in variable.dtype else "int"


def _words(weights):
    """The first of some shapes, in words."""
    if not weights:
        return "nothing"
    shape, kind = next(iter(weights))
    return f"{weights.total()} other arrays (such as {kind} {'x'.join(map(str, shape)) or '1'})"


def _check_metrics(config):
    """Makes losses and metrics without values: a few bytes may announce a giant."""
    compiled = config.get("compile_config") or {}
    try:
        with _without_values(_Budget(256, MAX_METRIC_VALUES)):
            for name in ("loss", "metrics", "weighted_metrics"):
                keras.saving.deserialize_keras_object(compiled.get(name))
    except InputError:
        raise
    except ValueError:  # one that needs values, which then is made as it is
        pass
