import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnzoo.vocabulary import Vocabulary, fold_lookalikes, lookalikes

STRAIGHT = Vocabulary.from_text('The "cat" isn\'t -- a dog...\n')


@pytest.mark.parametrize(
    "text, folded",
    [
        ("\u201cThe cat\u201d isn\u2019t", '"The cat" isn\'t'),
        ("a\u2014dog\u2026", "a--dog..."),
        ("a\u2013dog \u2212 a\u00a0dog", "a-dog - a dog"),
        ("a\u2028dog", "a\ndog"),
        ("Th\u00e9 c\u0430t", "Th\u00e9 c\u0430t"),  # an accent and a Cyrillic letter are no quotes
        ("\uff34he", "The"),
        ("it's", "it's"),
    ],
)
def test_what_looks_alike(text, folded):
    assert fold_lookalikes(text, STRAIGHT) == folded


def test_only_what_the_vocabulary_lacks_and_has():
    curly = Vocabulary.from_text("isn\u2019t \u2014 \u201cno\u201d")
    assert fold_lookalikes("isn't \u201cno\u201d", curly) == "isn\u2019t \u201cno\u201d"
    assert lookalikes("\u2026", Vocabulary(["a", "b"])) == {}
    words = Vocabulary.from_text("it's a cat", "word", lowercase=True)
    assert fold_lookalikes("IT\u2019S\u00a0A CAT", words) == "IT'S A CAT"


@given(st.text(st.sampled_from("\u201c\u201d\u2019\u2014\u2026\u00a0abc\u00e9T")))
def test_folding_twice_changes_nothing_more(text):
    once = fold_lookalikes(text, STRAIGHT)
    assert fold_lookalikes(once, STRAIGHT) == once
    assert set(STRAIGHT.unknown_symbols(once)) <= set(STRAIGHT.unknown_symbols(text))
