"""The zoo: loads a published model by its name, or any model of rnnzoo from a path.

The published models lie in `saved_models/`, a folder each; its `index.json` says what there is and
what each file's SHA-256 must be. `publishing.publish` writes it.
"""

import dataclasses
import difflib
import fnmatch
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from rnnzoo.archive import parse_json
from rnnzoo.errors import InputError, unknown_name
from rnnzoo.models import LanguageModel, Seq2Seq, TextClassifier

MODEL_FILE = "model.keras"  # in the folder that training leaves
INDEX_FILE = "index.json"
INDEX_FORMAT = 1  # goes up when older code can no longer read the index


@dataclass(frozen=True)
class Published:
    """What the index says of a published model.

    Attributes:
        name: Its name.
        file: Its file, relative to the folder of the index.
        sha256: Hash of that file.
        bytes: Size of that file.
        family: Class of the model, `"LanguageModel"`, `"Seq2Seq"` or `"TextClassifier"`.
        builder: Name of its builder in `rnnzoo.models`.
        corpus: Name of the corpus it was trained on.
        parameters: Number of its weights.
        figure: The figure that its card quotes: `name`, `value` and `split`.
        minutes: How long it was trained.
        recipe: Name of the recipe that made it.
        file_format: Format of the file.
        in_wheel: Whether the terms of its corpus let it into the installed package.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    family: str
    builder: str
    corpus: str
    parameters: int
    figure: Mapping[str, Any]
    minutes: float
    recipe: str
    file_format: int
    in_wheel: bool

    def __post_init__(self):
        for field in dataclasses.fields(self):
            kind = get_origin(field.type) or field.type
            kind = int | float if kind is float else kind
            if not isinstance(getattr(self, field.name), kind):
                raise TypeError(field.name)
        path = Path(self.file)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(self.file)


def folder() -> Path:
    """The folder of the published models: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "saved_models"
    return installed if installed.is_dir() else package.parent / "saved_models"


def index() -> dict[str, Published]:
    """Reads what there is of published models.

    Returns:
        For each name what is known of the model, sorted by name; empty where there is no index.

    Raises:
        InputError: If the index is damaged or of a newer version.

    Example:
        >>> from rnnzoo import zoo
        >>> sizes = {name: model.parameters for name, model in zoo.index().items()}
    """
    path = folder() / INDEX_FILE
    if not path.is_file():
        return {}
    try:
        content = parse_json(path.read_bytes())
        file_format, models = content["format"], content["models"]
        newer = file_format > INDEX_FORMAT
        published = (
            {} if newer else {name: Published(name, **models[name]) for name in sorted(models)}
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"The index {path} is damaged; {_restore(INDEX_FILE)}.") from error
    if newer:
        raise InputError(
            f"The index {path} was written by a newer rnnzoo (format {file_format}; this one reads "
            f"formats up to {INDEX_FORMAT}); upgrade it."
        )
    return published


def list_models(pattern: str = "*") -> list[str]:
    """Lists the names that `load` knows.

    Args:
        pattern: Which to list: `*` stands for anything, `?` for one character.

    Returns:
        The names, sorted. `rnnzoo.zoo.index` says more of each.

    Raises:
        InputError: If the pattern is no string, or the index is damaged or of a newer version.

    Example:
        >>> import rnnzoo
        >>> names = rnnzoo.list_models("char_*")
    """
    if not isinstance(pattern, str):
        raise InputError(f"`pattern` must be a string such as 'char_*', not {pattern!r}.")
    return fnmatch.filter(index(), pattern)


def load(name_or_path: str | os.PathLike) -> LanguageModel | Seq2Seq | TextClassifier:
    """Loads a model with its vocabulary, ready to generate, to evaluate and to train on.

    It is compiled as it was when it was saved, and with the model's defaults if it was not.

    Nothing in a file is run as code, and nothing is built before its names, sizes, classes and
    checksum were checked, so that a file may come from anybody (`rnnzoo.models.checked_file`).

    Args:
        name_or_path: The name of a published model (`list_models` has them), a `.keras` file, or
            a folder with a `model.keras` in it, as training leaves it.

    Returns:
        The model, a `LanguageModel`, a `Seq2Seq` or a `TextClassifier`.

    Raises:
        InputError: If there is no such model or file; the file is damaged, not a model of
            rnnzoo, or of a newer version; or that of a published model is not the published one.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> char_lstm(Vocabulary.from_text("to be"), units=8).save("romeo.keras")
        >>> load("romeo.keras").vocabulary
        <Vocabulary of 5 characters>
    """
    from rnnzoo.models.checked_file import load_model_file  # it imports Keras

    model = load_model_file(find(name_or_path))
    if not model.compiled:
        model.compile()
    return model


def find(name_or_path: str | os.PathLike) -> Path:
    """Finds the file that a name or a path stands for; see `load`.

    The file of a published model is checked against the index.
    """
    if not isinstance(name_or_path, str | os.PathLike) or not str(name_or_path):
        raise InputError(
            f"A model is loaded by its name or its path, not by {name_or_path!r}; "
            "`rnnzoo.list_models()` has the names."
        )
    path = Path(name_or_path)
    is_path = path.suffix or len(path.parts) != 1 or isinstance(name_or_path, os.PathLike)
    models = {} if is_path else index()
    if name_or_path in models:
        return _published_file(models[name_or_path])
    if path.is_file():
        return path
    if path.is_dir():
        unzipped = (path / "config.json").is_file() and (path / "model.weights.h5").is_file()
        return path if unzipped else _in_folder(path)  # of `save(..., zipped=False)`
    if is_path:
        raise _no_model_at(path)
    if not models:
        raise InputError(
            f"There is no model at {name_or_path!r}, and none is published in {folder()}; give a "
            f".keras file or a folder with a {MODEL_FILE}, or {_restore(INDEX_FILE)}."
        )
    raise unknown_name("model", name_or_path, models)


def _no_model_at(path):
    """Makes the error for a path, which may be that of a published model or its name misspelt."""
    name = path.parent.name if path.name == MODEL_FILE else path.stem
    try:
        near = difflib.get_close_matches(name, index(), n=1)
    except InputError:  # a path needs no index
        near = []
    meant = f", or the name {near[0]!r} for the published model" if near else ""
    return InputError(
        f"There is no model at {str(path)!r}; give a .keras file or a folder with a {MODEL_FILE}"
        f"{meant}."
    )


def is_here(model: Published) -> bool:
    """Whether the weights of a published model are in this installation."""
    return (folder() / model.file).is_file()


def _published_file(model: Published) -> Path:
    """The file of a published model, if it is the one that was published."""
    path = folder() / model.file
    restore = _restore(model.name)
    if not path.is_file():
        if _is_installed() and not model.in_wheel:
            raise InputError(
                f"The weights of {model.name!r} are not in the installed package, since the terms "
                f"of its corpus {model.corpus} do not allow it; take saved_models/{model.name} "
                f"from a checkout of the repository, or train the recipe {model.recipe!r}."
            )
        raise InputError(f"The file of the model {model.name!r} is missing ({path}); {restore}.")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise InputError(
            f"The file of the model {model.name!r} is not the published one ({path} has the "
            f"SHA-256 {found[:12]}..., not {model.sha256[:12]}...); {restore}, or load it by its "
            "path if the change is your own."
        )
    return path


def _is_installed() -> bool:
    """Whether the published models are those of an installed package, not of a checkout."""
    return folder().parent == Path(__file__).parent


def check_in_checkout() -> None:
    """Refuses to change the models of an installed package, which the next installation loses."""
    if _is_installed():
        raise InputError(
            f"rnnzoo runs from the installed package, whose models in {folder()} the next "
            "installation replaces; publish from a clone installed by `pip install -e .`."
        )


def _restore(what: str) -> str:
    """How to get a file or folder of the published models back."""
    if _is_installed():
        return "install rnnzoo again"
    return f"restore it by `git -C {folder().parent} checkout -- {folder().name}/{what}`"


def _in_folder(folder: Path) -> Path:
    """The model file in a folder."""
    if (folder / MODEL_FILE).is_file():
        return folder / MODEL_FILE
    if (folder / "saved_model.pb").is_file():
        raise InputError(
            f"The folder {str(folder)!r} is an exported SavedModel; load it with "
            f"`tf.saved_model.load({str(folder)!r})`, or load the .keras file it came from."
        )
    raise InputError(f"The folder {str(folder)!r} has no {MODEL_FILE}; give a .keras file.")
