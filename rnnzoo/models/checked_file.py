"""Loads a `.keras` file of anybody: it is checked as a whole before anything is built.

Nothing in a file is run as code. Names, sizes and classes are checked first; then the model is made
without the values of its weights, and its shapes are held against the headers of the weights. So a
few bytes that announce a giant cost no memory.
"""

import contextlib
import importlib.util
import math
import os
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
from keras.src.backend.common import global_state

from rnnzoo.archive import digest_fits, has_digest, open_zip, parse_json, unpacked
from rnnzoo.errors import InputError
from rnnzoo.models.base import FILE_FORMAT
from rnnzoo.models.weights_file import OPTIMIZER, Header, read_headers

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
PARTS = ("metadata.json", CONFIG, WEIGHTS)
OF_TRAINING = ("state.npz", "progress.json")  # of a checkpoint
PACKAGE = "rnnzoo>"  # what Keras puts before the names of our classes
MAX_ITEMS = 128  # of a list in a configuration, but for the tokens of a vocabulary
NO_SIZES = ("seed", "shared_object_id")
MAX_NUMBER = 4096  # that a configuration may have where its weights have no side as long
MAX_METRIC_VALUES = 1 << 24  # of the variables of all metrics
SAFE = frozenset(
    f"keras{name}"
    for name in (
        "", ".activations", ".constraints", ".dtype_policies", ".initializers", ".layers",
        ".losses", ".metrics", ".optimizers", ".optimizers.schedules", ".quantizers",
        ".regularizers",
    )
) | {"builtins"}  # fmt: skip
UNSAFE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}  # run other code


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
        _check_kind(config, where)
        _check_classes(config, where)
        _check_numbers(config, headers)
        _check_sizes(config, headers)
        return keras.saving.load_model(path)
    except _Told:
        raise
    except OSError as error:
        raise InputError(
            f"{where} cannot be read ({error.strerror or error}); check that it may be."
        ) from error
    except Exception as error:  # Keras, h5py, zipfile and zlib each raise their own
        reason = str(error).strip().split("\n")[0].rstrip(".")[:400] or type(error).__name__
        raise InputError(f"{where} cannot be loaded ({reason}); get or make it again.") from error


class _Told(InputError):
    """A refusal that says all there is to say."""


def _read(path) -> tuple[dict[str, Any], list[Header]]:
    """Reads the configuration and the headers of the weights."""
    if path.is_dir():
        config = parse_json((path / CONFIG).read_bytes())
        with open(path / WEIGHTS, "rb") as file:
            return config, read_headers(file)
    if path.suffix != ".keras":
        raise _Told(
            f"The file {str(path)!r} is no model of rnnzoo, whose files end in .keras; give one "
            "that `model.save` wrote."
        )
    if has_digest(path) and zipfile.is_zipfile(path) and not digest_fits(path):
        raise _Told(
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
        raise _Told(
            f"The model file {str(path)!r} is truncated or no Keras model; get or make it again."
        ) from error


def _check_kind(config, where):
    """Refuses the configuration of another class or of a newer format."""
    config = config if isinstance(config, dict) else {}
    name, inner = str(config.get("registered_name")), config.get("config")
    file_format = inner.get("file_format") if isinstance(inner, dict) else None
    if not name.startswith(PACKAGE) or not isinstance(file_format, int):
        raise _Told(
            f"{where} is a Keras model but not one of rnnzoo (its class is "
            f"{str(config.get('class_name'))[:80]}); load it with `keras.saving.load_model`."
        )
    known = keras.saving.get_registered_object(name) is not None
    module = str(config.get("module"))
    ours = module.split(".")[0] == "rnnzoo"  # its modules that are imported have registered all
    if not known and not (ours and (module in sys.modules or not _is_module(module))):
        raise _Told(
            f"{where} holds a {name.removeprefix(PACKAGE)[:80]}, a class that is not registered "
            f"here; import the module that defines it first (`import {module[:80]}`)."
        )
    if file_format > FILE_FORMAT or not known:
        raise _Told(
            f"{where} was written by a newer rnnzoo (a {str(config.get('class_name'))[:80]} of "
            f"file format {file_format}; this one reads formats up to {FILE_FORMAT}); upgrade it "
            "to load the model."
        )


def _is_module(name):
    """Returns whether a module of the package exists; imports nothing but its packages."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """All serialized objects in a configuration."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _is_registered(value) -> bool:
    """Returns whether somebody has registered the class or function of a serialized object."""
    names = [value.get("registered_name"), value.get("config")]
    names = [name for name in names if isinstance(name, str)]
    return any(keras.saving.get_registered_object(name) is not None for name in names)


def _check_classes(config, where):
    """Refuses classes that are neither registered nor known parts of Keras."""
    for value in _objects(config):
        name, module = value["class_name"], value.get("module")
        if _is_registered(value):
            continue
        if name in UNSAFE or not isinstance(name, str) or name.startswith("__"):
            raise _Told(
                f"{where} has a {str(name)[:80]}, which may run code; get a file without it, or "
                "load it with `keras.saving.load_model`, if you trust who made it."
            )
        if module not in SAFE:
            raise _Told(
                f"{where} has a {name[:80]} of {str(module)[:80]}, which is not registered here; "
                "register the classes of your own that it was compiled with before you load it."
            )


def _is_foreign(value) -> bool:
    """Returns whether a serialized object is of a class of the user's own."""
    name = value.get("registered_name")
    cls = keras.saving.get_registered_object(name) if isinstance(name, str) else None
    return cls is not None and cls.__module__.split(".")[0] not in ("rnnzoo", "keras")


def _check_numbers(config, headers):
    """Refuses numbers and lists that no model with these weights has."""
    most = max([MAX_NUMBER, *(side for header in headers for side in header.shape)])

    def check(value, key, limit):
        if isinstance(value, dict):
            if _is_foreign(value):
                return
            for name, inner in value.items():
                check(inner, name, math.inf if name == "optimizer" else limit)
        elif isinstance(value, list):
            items = most if key == "tokens" else MAX_ITEMS
            if len(value) > items:
                raise InputError(f"its {key!r} is a list of {len(value):,}, more than {items:,}")
            for inner in value:
                check(inner, key, limit)
        elif isinstance(value, int) and abs(value) > limit and key not in NO_SIZES:
            raise InputError(f"its {key!r} is {str(value)[:20]}, and no weights are as large")

    check(config, "config", most)


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
    foreign = any(map(_is_foreign, _objects(config)))
    weights = [one for one in headers if one.path.split("/")[0] != OPTIMIZER]
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
        made = Counter((tuple(one.shape), _kind(one)) for one in model.weights)
        held = Counter((one.shape, one.kind) for one in weights)
        if made != held:
            raise InputError(
                f"its configuration describes {_words(made - held)} and it holds "
                f"{_words(held - made)} instead"
            )
    _check_metrics(config)


def _kind(variable):
    return "float" if "float" in variable.dtype else "int"


def _words(weights):
    """The first of some shapes, in words."""
    if not weights:
        return "no further weights"
    shape, kind = next(iter(weights))
    return f"{weights.total()} other weights (such as {kind} {'x'.join(map(str, shape)) or '1'})"


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
