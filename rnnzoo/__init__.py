"""rnnzoo: recurrent networks for Keras 3, trained, tested and ready to use.

Importing the package registers its layers and models with Keras, so that `.keras` files load.
"""

import importlib
import pkgutil

from rnnzoo import onednn
from rnnzoo.terminal import quiet_start

with quiet_start():
    onednn.choice()  # TensorFlow reads it as it is imported
    import keras  # noqa: F401 (imports its backend, whose log of its start is long)

from rnnzoo.layers.kernels import kernels
from rnnzoo.models import (
    LanguageModel,
    Seq2Seq,
    TextClassifier,
    char_lstm,
    gru_seq2seq,
    text_classifier,
    word_lm,
)
from rnnzoo.training.callbacks import SampleText
from rnnzoo.version import __version__
from rnnzoo.vocabulary import Vocabulary
from rnnzoo.zoo import list_models, load

__all__ = [
    "LanguageModel",
    "SampleText",
    "Seq2Seq",
    "TextClassifier",
    "Vocabulary",
    "__version__",
    "char_lstm",
    "gru_seq2seq",
    "inspect",
    "kernels",
    "list_models",
    "load",
    "text_classifier",
    "word_lm",
]


def __getattr__(name: str):
    """Imports a part of the package at its first use, as in `rnnzoo.data.corpora`."""
    if name == "inspect":
        return importlib.import_module(f"{__name__}.inspection").inspect
    if name in _parts():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_parts()})


def _parts():
    return {part.name for part in pkgutil.iter_modules(__path__) if part.name[0] != "_"}
