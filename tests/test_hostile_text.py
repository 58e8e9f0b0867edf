"""Any text at every place that takes one: it is taken, or refused in one sentence."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo import Vocabulary
from rnnzoo.data import corpora
from rnnzoo.data.reading import read_jsonl, read_lines, read_text
from rnnzoo.errors import InputError
from rnnzoo.models import char_lstm, gru_seq2seq, text_classifier, word_lm

BASE = "to be or not to be\nthat is it\n" * 3
TEXTS = {
    "NUL": "to\0be", "half a pair": "to \ud800 be", "the other half": "\udfff",
    "a pair in halves": "\ud83d\ude00", "combining marks": "e\u0301 \u0301\u0301 to",
    "right to left": "\u202eto be\u202c \u05e9\u05dc\u05d5\u05dd", "line ends": "to\r\nbe\r",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 to \U0001f1e9\U0001f1ea",
    "mark": "\ufeffto be", "empty": "", "blank": "  \t ", "hangul": "\u1100\u1161\u11a8",
    "separators": "a\x85b\u2028c\u2029\x0b\x0c", "no characters": "\uffff\U0010ffff",
    "escape": "\x1b[31mto\x07", "many accents": "t" + "\u0300" * 3000, "long": "to be " * 500,
}  # fmt: skip
OTHERS = {
    "None": None, "a number": 5, "bytes": b"to be", "NaN": float("nan"), "True": True,
    "no list": [],
    "empty in a list": [""], "None in a list": [None], "a number in a list": ["to", 5],
    "nested": [["to"]], "a dictionary": {"a": 1}, "an array": np.array(["to", "be"]),
    "an array of one": np.array("to"), "a set": {"to"}, "ids": [1, 2], "an object": object(),
}  # fmt: skip
SPECIAL = ("<pad>", "<start>", "<unk>", "<end>")
VOCABULARIES = {
    "characters": Vocabulary.from_text(BASE),
    "all characters": Vocabulary.from_text(BASE, special_tokens=SPECIAL),
    "words": Vocabulary.from_text(BASE, level="word"),
    "stripped": Vocabulary.from_text(BASE, level="word", lowercase=True, punctuation="strip"),
    "deleted": Vocabulary.from_text(BASE, level="word", punctuation="delete"),
    "subwords": Vocabulary.from_text(BASE, level="subword", size=24),
}


def is_taken(name, function, given):
    """Calls a function; what it refuses, it must refuse in a sentence that can be printed."""
    try:
        function(given)
    except InputError as error:
        sentence = str(error)
        assert "\n" not in sentence and len(sentence) < 900, name
        sentence.encode()  # no half of a pair as it is
        return False
    return True


def of_vocabularies():
    for level in ("character", "word", "subword"):
        size = 30 if level == "subword" else None
        yield (
            f"from_text {level}",
            lambda text, level=level, size=size: Vocabulary.from_text(text, level, size=size),
        )
    for name, one in VOCABULARIES.items():
        for method in ("encode", "split", "unknown_symbols", "encode_documents", "extended"):
            yield f"{name} {method}", getattr(one, method)
        yield f"{name} decode", lambda text, one=one: one.decode(one.encode(text))


@pytest.mark.parametrize("kind", ["texts", "others"])
def test_vocabularies(kind):
    for given_name, given_value in (TEXTS if kind == "texts" else OTHERS).items():
        for name, function in of_vocabularies():
            is_taken((name, given_name), function, given_value)


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_any_string(text):
    for name, function in of_vocabularies():
        is_taken(name, function, text)


@pytest.fixture(scope="module")
def entries():
    """What models do with a text, by name."""
    characters = char_lstm(VOCABULARIES["all characters"], units=3)
    words = word_lm(VOCABULARIES["words"], units=3)
    subwords = VOCABULARIES["subwords"]
    translator = gru_seq2seq(subwords, subwords, units=3)
    classifier = text_classifier(VOCABULARIES["words"], ("a", "b"), units=3)
    found = {}
    for name, model in (("characters", characters), ("words", words)):

        def read(text, model=model):
            session = model.session("to", seed=0)
            session.read(text)
            session.write(2)

        found |= {
            f"{name} generate": lambda text, model=model: model.generate(text, 3, seed=0),
            f"{name} stop": lambda text, model=model: model.generate("to", 3, seed=0, stop=text),
            f"{name} stream": lambda text, model=model: list(model.stream(text, 3, seed=0)),
            f"{name} session": lambda text, model=model: model.session(text, seed=0).write(2),
            f"{name} read": read,
            f"{name} score": model.score,
        }
    return found | {
        "translate": lambda text: translator.translate(text, max_new_tokens=3),
        "stream a translation": lambda text: list(translator.stream(text, max_new_tokens=3)),
        "score a translation": lambda text: translator.score("to be", text),
        "score a source": lambda text: translator.score(text, text),
        "classify": classifier.classify,
    }


def test_models(entries):
    for name, function in entries.items():
        for given_name, given_value in (TEXTS | OTHERS).items():
            is_taken((name, given_name), function, given_value)
        assert is_taken(name, function, "to be"), name


FILES = {
    "UTF-8": ("to be é".encode(), True), "a mark": (b"\xef\xbb\xbfto be", True),
    "a mark alone": (b"\xef\xbb\xbf", False), "UTF-16": ("to be".encode("utf-16"), False),
    "UTF-32": ("to be".encode("utf-32"), False), "Latin-1": ("é à to be".encode("latin-1"), False),
    "line ends": (b"to\r\nbe\r\n", True), "NUL": (b"to\0be", False), "nothing": (b"", False),
    "half a pair": (b"to \xed\xa0\x80 be", False), "cut": ("to é".encode()[:-1], False),
    "torn gzip": (gzip.compress(b"to be" * 99)[:-9], False),
    "gzip": (gzip.compress(b"to be"), True),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files(name, tmp_path):
    content, fine = FILES[name]
    (tmp_path / "text.txt").write_bytes(content)
    for function in (read_text, lambda path: list(read_lines(path))):
        assert is_taken(name, function, tmp_path / "text.txt") == fine
    is_taken(name, lambda path: list(read_jsonl(path, ("text",))), tmp_path / "text.txt")
    is_taken(name, lambda path: corpora.load(path), tmp_path / "text.txt")


def test_lines_of_json(tmp_path):
    for line in ("[" * 9999, '{"text": ' + "9" * 5000 + "}", '{"text": "\\ud800"}', "{}", "null",
                 '{"text": null}', '{"text": NaN}', "\ufeff{}",
                 json.dumps({"text": ["a"]})):  # fmt: skip
        (tmp_path / "a.jsonl").write_text(line + "\n")
        assert not is_taken(
            line, lambda path: list(read_jsonl(path, ("text",))), tmp_path / "a.jsonl"
        )


@pytest.mark.slow
def test_ten_megabytes_on_one_line(tmp_path, entries):
    line = "to be " * (10 * 2**20 // 6)
    (tmp_path / "text.txt").write_text(line)
    assert read_text(tmp_path / "text.txt") == line
    for vocabulary in VOCABULARIES.values():
        assert len(vocabulary.encode(line)) > 10**6
    assert is_taken("score", entries["characters score"], line[: 1 << 20])
    assert is_taken("generate", entries["words generate"], line[: 1 << 20])
    assert is_taken("translate", entries["translate"], line[: 1 << 12])
