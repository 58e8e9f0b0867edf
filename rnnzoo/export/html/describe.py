"""What a page has to know of a model: its layers by what they do, and its vocabularies' rules."""

from typing import Any

import keras

from rnnzoo.errors import InputError
from rnnzoo.export.html.pack import Arrays
from rnnzoo.export.parts import describe_network
from rnnzoo.export.vocabulary_file import describe_vocabulary
from rnnzoo.vocabulary import Vocabulary
from rnnzoo.vocabulary.lookalikes import lookalikes

TYPED = "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\xa0"  # by phones, in place of ASCII
REWRITES = ("passes", "attachments", "steps")  # pairs of a pattern and its replacement


def describe(model: keras.Model, arrays: Arrays) -> dict[str, Any]:
    """Describes a model and stores its weights.

    Args:
        model: A language model or a translator of rnnzoo, with vocabularies.
        arrays: Takes the weights; the description names each by its number there.

    Returns:
        The description, fit for JSON.

    Raises:
        InputError: If the model has a part that a page cannot compute.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> description = describe(model, Arrays("float16"))
        >>> description["task"], [layer["cell"] for layer in description["layers"]]
        ('write', ['lstm', 'lstm'])
    """
    endpoints = model.export_endpoints() if hasattr(model, "export_endpoints") else {}
    if "generate" in endpoints:
        described = {
            "task": "write",
            "vocabulary": _vocabulary(model.vocabulary),
            "lookalikes": _lookalikes(model.vocabulary),
        }
    elif "translate" in endpoints:
        source, target = model.source_vocabulary, model.target_vocabulary
        described = {
            "task": "translate",
            "source_vocabulary": _vocabulary(source),
            "lookalikes": _lookalikes(source),
            "target_vocabulary": None if target == source else _vocabulary(target),
        }
    elif "classify" in endpoints:
        raise InputError(
            f"A page writes or translates, and the model {model.name!r} classifies; export a "
            "SavedModel, whose endpoint `classify` reads text."
        )
    else:
        raise InputError(
            f"A page reads and writes text, and the model {model.name!r} has no vocabulary; make "
            "it with a Vocabulary, or export a SavedModel."
        )
    rules = model.decodable().rules
    described["rules"] = {
        "start": rules.start_id,
        "end": rules.end_id,
        "suppressed": list(rules.suppressed_ids),
    }
    return described | describe_network(model, arrays)


def _vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    """The description of a vocabulary, with replacements as JavaScript writes them."""
    described = describe_vocabulary(vocabulary)
    for name in REWRITES:
        if name in described:
            pairs = described[name]
            described[name] = [[pattern, new.replace("\\1", "$1")] for pattern, new in pairs]
    return described


def _lookalikes(vocabulary: Vocabulary) -> dict[str, str]:
    """What the page reads in place of a character that it would have to refuse."""
    return lookalikes(TYPED, vocabulary) if vocabulary.unknown_id is None else {}
