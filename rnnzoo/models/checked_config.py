"""What the configuration of a model file may say, whoever made it: looked at, and nothing built."""

import importlib.util
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from rnnzoo.errors import InputError
from rnnzoo.models.base import FILE_FORMAT
from rnnzoo.models.serialized import objects
from rnnzoo.models.weights_file import Header

PACKAGE = "rnnzoo>"  # what Keras puts before the names of our classes
MAX_ITEMS = 128  # of a list in a configuration, but for tokens and labels
NO_SIZES = ("seed", "shared_object_id")  # numbers that may be large
MAX_NUMBER = 4096  # that a configuration may have where its weights have no side as long
# Modules of Keras whose classes and functions compute, and do nothing else.
SAFE = frozenset(
    f"keras{name}"
    for name in (
        "", ".activations", ".constraints", ".dtype_policies", ".initializers", ".layers",
        ".losses", ".metrics", ".optimizers", ".optimizers.schedules", ".quantizers",
        ".regularizers",
    )
) | {"builtins"}  # fmt: skip
UNSAFE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}  # run other code


class Refused(InputError):
    """A refusal that says all there is to say."""


def check_kind(config: Any, where: str) -> None:
    """Refuses the configuration of another class or of a newer format.

    Args:
        config: The content of config.json.
        where: What the refusal begins with, such as `"The model file 'a.keras'"`.

    Raises:
        Refused: If it is none of a model that this code can load.
    """
    config = config if isinstance(config, dict) else {}
    name, inner = str(config.get("registered_name")), config.get("config")
    file_format = inner.get("file_format") if isinstance(inner, dict) else None
    if not name.startswith(PACKAGE) or not isinstance(file_format, int):
        raise Refused(
            f"{where} is a Keras model but not one of rnnzoo (its class is "
            f"{str(config.get('class_name'))[:80]}); load it with `keras.saving.load_model`."
        )
    known = keras.saving.get_registered_object(name) is not None
    module = str(config.get("module"))
    ours = module.split(".")[0] == "rnnzoo"  # its modules that are imported have registered all
    if not known and not (ours and (module in sys.modules or not _is_module(module))):
        raise Refused(
            f"{where} holds a {name.removeprefix(PACKAGE)[:80]}, a class that is not registered "
            f"here; import the module that defines it first (`import {module[:80]}`)."
        )
    if file_format > FILE_FORMAT or not known:
        raise Refused(
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


def _is_registered(value) -> bool:
    """Returns whether somebody has registered the class or function of a serialized object."""
    names = [value.get("registered_name"), value.get("config")]
    names = [name for name in names if isinstance(name, str)]
    return any(keras.saving.get_registered_object(name) is not None for name in names)


def check_classes(config: Mapping[str, Any], where: str) -> None:
    """Refuses classes that are neither registered nor known parts of Keras.

    Args:
        config: The configuration.
        where: As in `check_kind`.

    Raises:
        Refused: If there is one.
    """
    for value in objects(config):
        name, module = value["class_name"], value.get("module")
        if _is_registered(value):
            continue
        if name in UNSAFE or not isinstance(name, str) or name.startswith("__"):
            raise Refused(
                f"{where} has a {str(name)[:80]}, which may run code; get a file without it, or "
                "load it with `keras.saving.load_model`, if you trust who made it."
            )
        if module not in SAFE:
            raise Refused(
                f"{where} has a {name[:80]} of {str(module)[:80]}, which is not registered here; "
                "register the classes of your own that it was compiled with before you load it."
            )


def is_foreign(value: Mapping[str, Any]) -> bool:
    """Returns whether a serialized object is of a class that the user has registered."""
    name = value.get("registered_name")
    cls = keras.saving.get_registered_object(name) if isinstance(name, str) else None
    return cls is not None and cls.__module__.split(".")[0] not in ("rnnzoo", "keras")


def check_numbers(config: Mapping[str, Any], headers: Sequence[Header]) -> None:
    """Refuses numbers and lists that no model with these weights has.

    Args:
        config: The configuration.
        headers: Those of the weights.

    Raises:
        InputError: If there is one. Configurations of the user's own classes are left alone.
    """
    most = max([MAX_NUMBER, *(side for header in headers for side in header.shape)])

    def check(value, key, limit):
        if isinstance(value, dict):
            if is_foreign(value):
                return
            for name, inner in value.items():
                check(inner, name, math.inf if name == "optimizer" else limit)
        elif isinstance(value, list):
            items = most if key in ("tokens", "labels") else MAX_ITEMS
            if len(value) > items:
                raise InputError(f"its {key!r} is a list of {len(value):,}, more than {items:,}")
            for inner in value:
                check(inner, key, limit)
        elif isinstance(value, int) and abs(value) > limit and key not in NO_SIZES:
            raise InputError(f"its {key!r} is {str(value)[:20]}, and no weights are as large")

    check(config, "config", most)
