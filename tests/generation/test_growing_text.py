"""Text that is handed out token by token is the text that is decoded at once."""

import random

import pytest

from rnnzoo import Vocabulary
from rnnzoo.generation.growing_text import CONTEXT, GrowingText
from rnnzoo.generation.inputs import cut_at
from rnnzoo.vocabulary import spacing

WORDS = Vocabulary(
    [
        *"<pad> <start> <unk> <end> he said dogs yes , . ' \" „ “ ” ( ) ...".split(),
        *"don't — 3 % 1912".split(),
        "\n",
    ],
    level="word",
    keep_line_breaks=True,
)
VOCABULARIES = {
    "words": WORDS,
    "whitespace": Vocabulary(WORDS.tokens, "word", punctuation="whitespace", keep_line_breaks=True),
    "old_words": Vocabulary(WORDS.tokens, "word", punctuation="split_1"),
    "subwords": Vocabulary(
        ["▁", "▁a", "b", "▁\n", "\n", "e\u0301", "é"], "subword",
        keep_line_breaks=True, normalization=None,
    ),
    "characters": Vocabulary(list("abc \n")),
}  # fmt: skip


@pytest.mark.parametrize("name", list(VOCABULARIES))
def test_parts_are_the_whole(name):
    vocabulary, draw = VOCABULARIES[name], random.Random(0)
    first = 4 if vocabulary.level == "word" else 0
    for case in range(90):
        ids = list(range(first, len(vocabulary)))
        if case % 3 == 0:  # few open quotation marks: the context is cut
            ids = [i for i in ids if vocabulary.tokens[i] not in "'\"„“”"]
        before = draw.choices(ids, k=draw.choice([1, 5, 300]))
        ids = draw.choices(ids, k=draw.choice([3, 20, 300]))
        prompt = draw.choice(["x", "x "])
        whole = vocabulary.decode(ids, after=before)
        if prompt == "x " and vocabulary.level != "character":
            whole = whole.removeprefix(" ")
        places = [draw.randrange(len(whole)) for _ in range(case % 3 if len(whole) > 3 else 0)]
        stop = [whole[at : at + 3] + draw.choice(["", "x"]) for at in places]
        text, parts = GrowingText(vocabulary, before=before, prompt=prompt, stop=stop), []
        for token in ids:
            parts.append(text.add(token))
            if text.stopped:
                break
        parts.append(text.end())
        assert "".join(parts) == cut_at(whole, stop)


def test_the_context_stays_short():
    text = GrowingText(WORDS)
    ids = WORDS.encode('he said, "yes", ' * 200).tolist()
    for token in ids:
        text.add(token)
        assert len(text._context) < 4 * CONTEXT


def test_the_earliest_stop_ends_a_text_even_if_another_appears_first():
    text = GrowingText(VOCABULARIES["characters"], stop=["abc", "b"])
    assert text.add(0, 1) == "" and not text.stopped  # "b" is there, "abc" may still be
    assert text.add(2) == "" and text.stopped
    text = GrowingText(VOCABULARIES["characters"], stop=["abc", "b"])
    assert [text.add(0), text.add(1), text.add(0), text.end()] == ["", "", "a", ""]


def test_text_starts_where_no_mark_is_open():
    tokens = ["he", "said", '"', "no", '"', "he", "said", '"', "yes", "he"]
    assert spacing.last_start(tokens, 9) == 6
    assert spacing.last_start(['"', "no", "yes"], 2) == 0
