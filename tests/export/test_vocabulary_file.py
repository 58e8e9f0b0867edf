"""vocabulary.json, and the program of an export that reads it, against `Vocabulary`."""

import json
from pathlib import Path

import numpy as np
import pytest

import rnnzoo
from rnnzoo import Vocabulary, char_lstm
from rnnzoo.export.vocabulary_file import FORMAT, describe_model, describe_vocabulary
from tests.export.models import MARKS, SENTENCE
from tests.export.steps import example_module
from tests.export.texts import RULES, TEXTS, vocabulary_of_texts

EXAMPLES = Path(rnnzoo.__file__).parent / "export" / "example"


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("level, punctuation, lines", RULES)
def test_texts_become_ids_and_ids_texts_as_in_rnnzoo(level, punctuation, lines, lowercase):
    vocabulary = vocabulary_of_texts(level, punctuation, lines, lowercase=lowercase)
    fields = json.loads(json.dumps(describe_vocabulary(vocabulary)))
    found = example_module(EXAMPLES / "vocabulary.py").Vocabulary(fields)
    encoded = [vocabulary.encode(text).tolist() for text in TEXTS]
    assert [found.encode(text) for text in TEXTS] == encoded
    encoded += np.random.default_rng(0).integers(0, len(vocabulary), (20, 12)).tolist()
    assert [found.decode(ids) for ids in encoded] == [vocabulary.decode(ids) for ids in encoded]


def test_what_a_vocabulary_lacks_is_refused():
    fields = describe_vocabulary(Vocabulary(["a", "b"]))
    with pytest.raises(ValueError, match="lacks a character of 'abc'"):
        example_module(EXAMPLES / "vocabulary.py").Vocabulary(fields).encode("abc")


def test_the_file_has_what_docs_exports_explains():
    vocabulary = Vocabulary.from_text(SENTENCE, special_tokens=MARKS)
    model = char_lstm(vocabulary, units=4, trainable_initial_state=True)
    model.recurrent.start.weights[1].assign([[0.5, 0, 1, -1]])
    described = describe_model(model)
    assert (described["format"], described["start_id"], described["end_id"]) == (FORMAT, 1, 2)
    assert described["suppressed_ids"] == [0, 1]
    assert described["initial_state"][1] == [0.5, 0, 1, -1]
    page = (Path(rnnzoo.__file__).parents[1] / "docs" / "exports.md").read_text("utf-8")
    fields = {*described, *(name for rule in RULES for name in _fields(*rule))}
    assert [name for name in fields if f"`{name}`" not in page] == []


def _fields(level, punctuation, lines):
    return describe_vocabulary(vocabulary_of_texts(level, punctuation, lines, lowercase=False))
