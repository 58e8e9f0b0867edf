"""The zoo: loads a model by name or from a path."""

import json
import os
import zipfile
from pathlib import Path

import keras

import rnnzoo.models  # noqa: F401 (registers the classes that files name)
from rnnzoo.errors import InputError, unknown_name
from rnnzoo.models.base import FILE_FORMAT

MODEL_FILE = "model.keras"  # in the folder that training leaves
PACKAGE = "rnnzoo>"  # what Keras puts before the names of our classes


def load(name_or_path: str | os.PathLike) -> keras.Model:
    """Loads a model with its vocabulary, ready to generate, to evaluate and to train on.

    It is compiled as it was when it was saved, and with the model's defaults if it was not.

    Nothing in a file is run as code: Keras's safe mode is on.

    Args:
        name_or_path: The name of a model of the zoo, a `.keras` file, or a folder with a
            `model.keras` in it, as training leaves it.

    Returns:
        The model, a `LanguageModel` or a `Seq2Seq`.

    Raises:
        InputError: If there is no such model or file, or the file is damaged, not a model of
            rnnzoo, or of a newer version.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> char_lstm(Vocabulary.from_text("to be"), units=8).save("/tmp/romeo.keras")
        >>> load("/tmp/romeo.keras").vocabulary
        <Vocabulary of 5 characters>
    """
    path = _find(name_or_path)
    _check_file(path)
    try:
        model = keras.saving.load_model(path)
    except InputError:
        raise
    except Exception as error:  # Keras, h5py and zipfile each raise their own
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        raise InputError(
            f"The model file {str(path)!r} cannot be loaded ({reason}); get or make it again, "
            "or register the classes of your own that it was compiled with."
        ) from error
    if not model.compiled:
        model.compile()
    return model


def _zoo_models() -> dict[str, Path]:
    """The models that have names, and their files; none so far."""
    return {}


def _find(name_or_path):
    """The file that a name or a path stands for."""
    models = _zoo_models()
    if name_or_path in models:
        return models[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.is_dir():
        return _in_folder(path)
    is_path = path.suffix or len(path.parts) > 1 or isinstance(name_or_path, os.PathLike)
    if models and not is_path:
        raise unknown_name("model", name_or_path, models)
    raise InputError(
        f"There is no model at {str(path)!r}; give a .keras file or a folder with a {MODEL_FILE}."
    )


def _in_folder(folder):
    """The model file in a folder."""
    if (folder / MODEL_FILE).is_file():
        return folder / MODEL_FILE
    if (folder / "saved_model.pb").is_file():
        raise InputError(
            f"The folder {str(folder)!r} is an exported SavedModel; load it with "
            f"`tf.saved_model.load({str(folder)!r})`, or load the .keras file it came from."
        )
    raise InputError(f"The folder {str(folder)!r} has no {MODEL_FILE}; give a .keras file.")


def _check_file(path):
    """Refuses a file that is no model of rnnzoo, before Keras reads it."""
    where = f"The file {str(path)!r}"
    if path.suffix != ".keras":
        raise InputError(
            f"{where} is no model of rnnzoo, whose files end in .keras; give one that "
            "`model.save` wrote."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            damaged = archive.testzip()
    except OSError as error:
        raise InputError(
            f"{where} cannot be read ({error.strerror}); check that it may be."
        ) from error
    except Exception as error:  # zipfile, zlib and json each raise their own
        raise InputError(
            f"{where} is truncated or no Keras model; get or make it again."
        ) from error
    if damaged is not None:
        raise InputError(f"{where} is damaged (its part {damaged!r}); get or make it again.")
    _check_config(where, config)


def _check_config(where, config):
    """Refuses the configuration of another class or of a newer format."""
    config = config if isinstance(config, dict) else {}
    name, inner = str(config.get("registered_name")), config.get("config")
    file_format = inner.get("file_format") if isinstance(inner, dict) else None
    if not name.startswith(PACKAGE) or not isinstance(file_format, int):
        raise InputError(
            f"{where} is a Keras model but not one of rnnzoo (its class is "
            f"{config.get('class_name')}); load it with `keras.saving.load_model`."
        )
    known = keras.saving.get_registered_object(name) is not None
    if file_format > FILE_FORMAT or not known:
        raise InputError(
            f"{where} was written by a newer rnnzoo (a {config.get('class_name')} of file format "
            f"{file_format}; this one reads formats up to {FILE_FORMAT}); upgrade it "
            "to load the model."
        )
