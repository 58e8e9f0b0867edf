"""A continuation that can be appended: `decode(before) + decode(ids, after=before)`."""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import Vocabulary, text_rules

quick = settings(max_examples=60, deadline=None)
TEXT = (
    "He said, \"no.\" It's the dogs' well-known U.S. bone (8/10) ... ¿Qué? -- É 3.14 \u2014 „x“ “y”"
    " 'z' 東京は、 [a] {b} #1 $5 5% <unk> A B !\n"
)
RULES = [
    {"level": "character"},
    *({"level": "word", "punctuation": rule} for rule in text_rules.WORD_RULES),
    {"level": "word", "keep_line_breaks": True},
    {"level": "word", "punctuation": "whitespace", "keep_line_breaks": True},
    {"level": "subword", "size": 120, "keep_line_breaks": True},
    {"level": "subword", "size": 120},
]


@functools.cache
def made(rule):
    special_tokens = ("<pad>", "<start>", "<unk>", "<end>")
    return Vocabulary.from_text(TEXT, special_tokens=special_tokens, **dict(rule))


rows = st.lists(st.floats(0, 1, exclude_max=True), max_size=14)
each_rule = pytest.mark.parametrize(
    "rule", RULES, ids=lambda rule: "-".join(map(str, rule.values()))
)


@each_rule
@quick
@given(before=rows, ids=rows)
def test_what_comes_after_can_be_appended(rule, before, ids):
    vocabulary = made(tuple(rule.items()))
    before, ids = ([int(x * len(vocabulary)) for x in row] for row in (before, ids))
    after, whole = vocabulary.decode(ids, after=before), vocabulary.decode(before + ids)
    assert whole.endswith(after)
    text = vocabulary.decode(before) + after
    if vocabulary.punctuation != "split_1":
        assert text == whole
    assert text.replace(" ", "") == whole.replace(" ", "")


@each_rule
@quick
@given(ids=rows)
def test_id_by_id_is_the_whole(rule, ids):
    vocabulary = made(tuple(rule.items()))
    ids = [int(x * len(vocabulary)) for x in ids]
    text = "".join(vocabulary.decode(ids[i : i + 1], after=ids[:i]) for i in range(len(ids)))
    whole = vocabulary.decode(ids)
    if vocabulary.punctuation != "split_1":
        assert text == whole
    assert text.replace(" ", "") == whole.replace(" ", "")


def test_examples_of_the_seam():
    words = Vocabulary.from_text("The plot, which the cat sat on. (8/10) \" '", "word")
    for before, after in [
        ("The plot", ", which"),
        ("The plot,", " which"),
        ("the cat", " sat on."),
        ("(", "8/10)"),
        ("", "the cat"),
    ]:
        ids = words.encode(after)
        assert words.decode(ids, after=words.encode(before)) == after
    pieces = Vocabulary.from_text("the cat sat on the mat", "subword", size=20)
    assert pieces.decode(pieces.encode("sat"), after=pieces.encode("the cat")) == " sat"
    assert Vocabulary.from_text("the cat").decode([0, 1], after=[1]) == " a"


def test_wrong_ids_before_are_named():
    with pytest.raises(InputError, match="`after` must be one row"):
        Vocabulary(["a", "b"]).decode([0], after=[[0]])
