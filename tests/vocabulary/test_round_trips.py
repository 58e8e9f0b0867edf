"""What comes back: every level and rule, on any text."""

import functools
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import Vocabulary, text_rules

quick = settings(max_examples=200, deadline=None)
DENSE = (
    "aBs3é1 '\"-.,:()[]“”„\u2019\u2018«»¿/—#$%\n\r\t\xa0\u2028、。مرحبا،😍👨\u200d👩❤\ufe0f🇪🇸"
    "<unk>@_\u0301\u0323\u1100\u1161\u2581"
)
TEXT = st.text(st.sampled_from(DENSE) | st.characters(codec="utf-8"), max_size=60)


def words(rule, **options):
    return Vocabulary(["<unk>", "a"], "word", punctuation=rule, **options)


@quick
@given(TEXT, st.booleans(), st.booleans())
def test_the_words_of_a_text_are_those_of_its_decoded_words(text, lowercase, keep_line_breaks):
    """Under "split" a decoded text has other spaces, and the same words."""
    rule = words("split", lowercase=lowercase, keep_line_breaks=keep_line_breaks)
    tokens = rule.split(text)
    assert rule.split(text_rules.join_words(tokens, "split")) == tokens


@quick
@given(TEXT)
def test_nothing_but_white_space_is_lost(text):
    text = unicodedata.normalize("NFC", text)
    for rule in ("split", "whitespace", "split_1"):
        assert "".join(words(rule).split(text)) == "".join(text.split())


@quick
@given(TEXT)
def test_white_space_alone(text):
    text = unicodedata.normalize("NFC", text)
    rule = words("whitespace")
    assert rule.split(text) == text.split()
    assert text_rules.join_words(rule.split(text), "whitespace") == " ".join(text.split())
    kept = words("whitespace", keep_line_breaks=True)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    joined = text_rules.join_words(kept.split(text), "whitespace")
    assert joined == "\n".join(" ".join(line.split()) for line in lines)


@functools.cache
def subwords(punctuation, keep_line_breaks):
    pytest.importorskip("tokenizers", reason="subwords are learned by the package tokenizers")
    return Vocabulary.from_text(
        ["the cat sat on the mat\n", DENSE],
        "subword",
        size=120,
        punctuation=punctuation,
        keep_line_breaks=keep_line_breaks,
    )


@quick
@given(st.text(st.sampled_from(unicodedata.normalize("NFC", DENSE)), max_size=60))
@pytest.mark.parametrize("punctuation", ["split", "whitespace"])
def test_subwords_lose_only_the_kind_and_number_of_blanks(punctuation, text):
    text = unicodedata.normalize("NFC", text)
    blank = f"[{text_rules.SPACE}\u2581]"
    vocabulary = subwords(punctuation, False)
    decoded = vocabulary.decode(vocabulary.encode(text))
    # a composition across what was typed may be new to the vocabulary
    assume_known = not vocabulary.unknown_symbols(text)
    if assume_known:
        assert decoded == re.sub(f"{blank}+", " ", text).strip(" ")
        kept = subwords(punctuation, True)
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        lines = [re.sub(f"{blank}+", " ", line).strip(" ") for line in lines]
        assert kept.decode(kept.encode(text)) == "\n".join(lines)


@pytest.mark.parametrize("level", ["character", "word", "subword"])
def test_decomposed_accents_read_as_composed_ones(level):
    text = "¿Dónde está la biblioteca? Việt Nam, café, 각"
    decomposed = unicodedata.normalize("NFD", text)
    options = {"size": 60} if level == "subword" else {}
    made = Vocabulary.from_text(text, level, **options)
    assert made == Vocabulary.from_text(decomposed, level, **options)
    assert made.normalization == "NFC" and made.get_config()["normalization"] == "NFC"
    assert made.encode(decomposed).tolist() == made.encode(text).tolist()
    assert made.decode(made.encode(decomposed)) == text
    raw = Vocabulary.from_text(text, level, normalization=None, **options)
    assert raw.encode(text).tolist() == made.encode(text).tolist()
    assert raw.unknown_symbols(decomposed)


@quick
@given(TEXT)
def test_lower_case_does_not_depend_on_how_accents_are_typed(text):
    rule = words("split", lowercase=True, normalization="NFC")
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert rule.split(forms[0]) == rule.split(forms[1])


def test_tokens_decide_the_normalization_when_nobody_says():
    assert Vocabulary(["é", "b"]).normalization == "NFC"
    for tokens in (["e\u0301", "b"], ["\u212b", "b"]):
        assert Vocabulary(tokens, "word").normalization is None
    # composing would take a token from the text
    marks = Vocabulary(["e", "\u0301", "<unk>"])
    assert marks.normalization is None and marks.encode("e\u0301").tolist() == [0, 1]
    jamo = Vocabulary(["\u1100", "\u1161", "<unk>"])
    assert jamo.encode("\u1100\u1161").tolist() == [0, 1]
    with pytest.raises(InputError, match="is not in NFC"):
        Vocabulary(["e\u0301", "b"], "word", normalization="NFC")
    with pytest.raises(InputError, match='must be "NFC", None or "auto", not \'NFKC\''):
        Vocabulary(["a", "b"], normalization="NFKC")


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("مرحبا، كيف؟", "مرحبا|،|كيف|؟"),
        ("it😍 ok", "it|😍|ok"),
        ("👨\u200d👩\u200d👧👍🏽❤\ufe0f🇪🇸🇫🇷", "👨\u200d👩\u200d👧|👍🏽|❤\ufe0f|🇪🇸|🇫🇷"),
        ("यह है। हाँ", "यह|है|।|हाँ"),
        ("a†b‡c§d", "a|†|b|‡|c|§|d"),
        ("\U0001d4b3+\U00010330", "\U0001d4b3|+|\U00010330"),
        ("price:€5…", "price|:|€|5|…"),
    ],
)
def test_unicode_says_what_is_a_mark(text, tokens):
    assert Vocabulary(["a", "b"], "word").split(text) == tokens.split("|")


def test_tokenized_texts_come_back():
    for text in ("NOTE_ON_60 C#4", "a @-@ b @,@ c", "<num> of <unk>", "it 's n't"):
        vocabulary = Vocabulary.from_text([text, "x y"], "word", punctuation="whitespace")
        assert vocabulary.decode(vocabulary.encode(text)) == text
    # what is typed is text, not a special token
    ids = vocabulary.encode("<pad> <start> <end> <unk>")
    assert ids.tolist() == [vocabulary.unknown_id] * 4


@pytest.mark.parametrize("punctuation", ["split", "strip", "whitespace"])
@pytest.mark.parametrize("level", ["word", "subword"])
def test_line_breaks_come_back(level, punctuation):
    verse = "\nto be\nor not to be\n\nthat is the question\n"
    options = {"size": 40} if level == "subword" else {}
    vocabulary = Vocabulary.from_text(
        verse, level, punctuation=punctuation, keep_line_breaks=True, **options
    )
    assert vocabulary.decode(vocabulary.encode(verse)) == verse
    assert vocabulary.decode(vocabulary.encode(verse.replace("\n", "  \r\n "))) == verse
    assert vocabulary.split("to be\n") == [*vocabulary.split("\n to be")[1:], "\n"]
    lost = Vocabulary.from_text(verse, level, punctuation=punctuation, **options)
    assert lost.decode(lost.encode(verse)) == " ".join(verse.split())


def test_files_of_format_1_read_as_they_did(tmp_path):
    import json

    path = tmp_path / "old.json"
    old = {"level": "word", "lowercase": False, "punctuation": "split", "tokens": ["a", "<unk>"]}
    path.write_text(json.dumps({"format": "rnnzoo vocabulary", "version": 1, **old}))
    vocabulary = Vocabulary.load(path)
    assert vocabulary.punctuation == "split_1" and not vocabulary.keep_line_breaks
    assert vocabulary.split("مرحبا، it😍 a.b") == ["مرحبا،", "it😍", "a", ".", "b"]
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    assert json.loads(path.read_text())["version"] == 2
    assert Vocabulary.from_config(old | {"level": "subword", "tokens": ["\u2581", "a"]}).split(
        "it😍"
    ) == ["\u2581", *"it😍"]
    for rule in ("strip", "split"):
        assert Vocabulary.from_config(old | {"level": "character", "punctuation": rule})


@quick
@given(st.text(st.sampled_from(DENSE) | st.characters(max_codepoint=0xFFFF, codec="utf-8")))
def test_the_quick_patterns_cut_alike(text):
    text = re.sub("[\U00010000-\U0010ffff]", "", text)
    for punctuation in text_rules.WORD_RULES:
        pattern = text_rules.token(punctuation, False)
        assert text_rules.compiled(pattern, text).findall(text) == re.findall(pattern, text)
