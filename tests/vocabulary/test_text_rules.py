import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.vocabulary import text_rules

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("aB3'-.,\"!?() \n\tÀßΣİ<unk>…“¿"))
quick = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("It's a well-known film.", "It's|a|well-known|film|."),
        ("the dogs' bone, 'tis", "the|dogs|'|bone|,|'|tis"),
        ("l\u2019homme\u2014oui", "l\u2019homme|\u2014|oui"),
        ("10,000 at 2:30, 3.14. 8/10", "10,000|at|2:30|,|3.14|.|8|/|10"),
        ("1,2,3 and 1.2.3.", "1,2,3|and|1.2.3|."),
        ("Well...no--yes", "Well|...|no|--|yes"),
        ("The U.S. at 8 p.m. e.g x.y", "The|U.S.|at|8|p.m.|e|.|g|x|.|y"),
        ("¿Qué? ¡Sí!", "¿|Qué|?|¡|Sí|!"),
        ("a\u00a0b\u2003c\x1cd\r\ne", "a|b|c|d|e"),
        ("<unk> <pad>", "<unk>|<|pad|>"),
        ("-a- a-'b rock-'n'-roll", "-|a|-|a|-|'|b|rock|-|'|n|'|-|roll"),
        ("東京は、いい。", "東京は|、|いい|。"),
        ("", ""),
    ],
)
def test_split_rule(text, tokens):
    assert "|".join(text_rules.split_words(text, "split")) == tokens


@quick
@given(TEXT)
def test_split_keeps_all_but_white_space(text):
    tokens = text_rules.split_words(text, "split")
    assert "".join(tokens) == "".join(text.split())


def test_marks_hold_no_letter_and_all_ascii_punctuation():
    letters = [c for c in map(chr, range(0x10000)) if unicodedata.category(c)[0] in "LMN"]
    inside = [c for c in letters if text_rules.split_words(f"a{c}b", "split") == [f"a{c}b"]]
    apart = "".join(set(letters) - set(inside))
    assert all(unicodedata.category(c) in ("Nl", "No") for c in apart), apart  # circled numbers
    for mark in set(string.punctuation) - set("'-"):
        assert text_rules.split_words(f"a{mark}b", "split") == ["a", mark, "b"]


@quick
@given(TEXT)
def test_strip_rule_is_the_keras_tokenizer(text):
    filters = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
    expected = text.translate(dict.fromkeys(map(ord, filters), " ")).split(" ")
    assert text_rules.split_words(text, "strip") == [word for word in expected if word]


def test_lower_is_close_to_python():
    differing = [c for c in map(chr, range(0x110000)) if text_rules.lower(c) != c.lower()]
    assert differing == ["\u0130"]


@quick
@given(TEXT)
def test_lower_goes_code_point_by_code_point(text):
    assert text_rules.lower(text) == "".join(map(text_rules.lower, text))


@quick
@given(st.text("ab \n\t", max_size=40), st.integers(1, 9))
def test_blocks_break_no_word(text, size):
    pieces = list(text_rules.blocks(text, size))
    assert "".join(pieces) == text
    assert [word for piece in pieces for word in piece.split()] == text.split()
