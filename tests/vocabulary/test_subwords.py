import json
import os
import re
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import Vocabulary, subwords

quick = settings(max_examples=100, deadline=None)
TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("aB3'-.,\"!?() \n\tÀßΣ\u2581…"))
SENTENCES = [
    "Two young men are outside near many bushes.",
    "Two men in green shirts are standing in a yard.",
    "Zwei junge Männer sind im Freien, nahe vielen Büschen.",
    "Zwei Männer in grünen Hemden stehen in einem Hof.",
]


def learned(texts=SENTENCES, **options):
    pytest.importorskip("tokenizers", reason="subwords are learned by the package tokenizers")
    return Vocabulary.from_text(texts, "subword", **{"size": 120, **options})


def by_brute_force(unit, ids):
    """The cut of a unit by the definition, one join at a time over all places."""
    pieces = list(unit)
    while True:
        joins = [(ids[a + b], at) for at, (a, b) in enumerate(pairwise(pieces)) if a + b in ids]
        if not joins:
            return pieces
        _, at = min(joins)
        pieces = [*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :]]


def normal(text):
    return re.sub("[\\s\x1c-\x1f\u2581]+", " ", text).strip(" ")


@quick
@given(TEXT)
def test_units_are_the_text(text):
    found = subwords.units(text)
    assert normal("".join(found)) == normal(text)
    assert all(0 < len(unit) <= 64 and unit != subwords.SPACE for unit in found)


@pytest.mark.parametrize(
    "text, units",
    [
        ("It's a well-known film.", "▁It's ▁a ▁well-known ▁film ."),
        (" (8/10)\u00a0 \u201eja\u201c\n", "▁( 8 / 10 ) ▁„ ja “"),
        ("a\u2581b", "▁a ▁b"),
        ("<unk> 3.14", "▁< unk > ▁3.14"),
        ("x" * 130, f"▁{'x' * 63} {'x' * 64} xxx"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_units(text, units):
    assert " ".join(subwords.units(text)) == units


@quick
@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=2, max_size=5), unique=True))
def test_cut_is_byte_pair_encoding(unit, joins):
    ids = {token: index for index, token in enumerate(["a", "b", *joins])}
    pieces = subwords.cut(unit, ids)
    assert pieces == by_brute_force(unit, ids) and "".join(pieces) == unit


def test_learned_tokens_are_marks_characters_joins():
    vocabulary = learned()
    tokens = vocabulary.tokens
    assert len(vocabulary) == 120 and tokens[:4] == ("<pad>", "<start>", "<unk>", "<end>")
    characters = sorted({*"".join(SENTENCES).replace(" ", ""), subwords.SPACE})
    assert list(tokens[4 : 4 + len(characters)]) == characters
    known = set(characters)
    for token in tokens[4 + len(characters) :]:  # each is a join of two before it
        assert any(token[:at] in known and token[at:] in known for at in range(1, len(token)))
        known.add(token)
    assert any(len(token) > 3 for token in known)


def test_almost_all_words_are_cut_as_the_library_cuts_them(data_dir):
    """Exactly so but where one token can be joined in two ways, of which it allows one."""
    tokenizers = pytest.importorskip("tokenizers")
    from rnnzoo.data import corpora

    corpus = corpora.load("multi30k_en_de", data_dir=data_dir)
    units = [" ".join(subwords.units(text)) for pair in corpus.pairs[:3000] for text in pair]
    library = tokenizers.Tokenizer(tokenizers.models.BPE())
    library.pre_tokenizer = tokenizers.pre_tokenizers.Split(" ", "removed")
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=2000, show_progress=False)
    library.train_from_iterator(units, trainer)
    vocabulary = learned([t for p in corpus.pairs[:3000] for t in p], size=2000, special_tokens=())
    assert vocabulary.tokens == tuple(sorted(library.get_vocab(), key=library.get_vocab().get))
    words = {unit for pair in corpus.test for text in pair for unit in subwords.units(text)}
    words = sorted(word for word in words if not vocabulary.unknown_symbols(word))
    same = [
        [piece for piece in library.encode(word).tokens] == subwords.cut(word, vocabulary._ids)
        for word in words
    ]
    assert len(words) > 3000 and sum(same) >= 0.99 * len(words)
    for pair in corpus.test:
        for text in pair:
            if not vocabulary.unknown_symbols(text):
                assert vocabulary.decode(vocabulary.encode(text)) == normal(text)


@quick
@given(st.lists(st.sampled_from([*" ".join(SENTENCES).split(), " ", "\n", ",", ".", "\u2581"])))
def test_decoded_texts_are_the_same(words):
    text = "".join(words)
    assert _vocabulary().decode(_vocabulary().encode(text)) == normal(text)


def _vocabulary(kept=[]):  # noqa: B006
    if not kept:
        kept.append(learned())
    return kept[0]


def test_unknown_characters():
    vocabulary = _vocabulary()
    ids = vocabulary.encode("Two 東京 men").tolist()
    assert ids.count(vocabulary.unknown_id) == 2
    assert vocabulary.decode(ids) == "Two <unk><unk> men"
    assert vocabulary.unknown_symbols("Two 東京 men") == ["京", "東"]
    with pytest.raises(InputError, match=r"2 of the text's subwords .* '京', '東'"):
        learned(special_tokens=["<pad>"]).encode("Two 東京 men")


def test_special_tokens_typed_are_text():
    text = "<pad> <start> <end> <unk>"
    vocabulary = learned([text, *SENTENCES])
    assert set(vocabulary.encode(text)).isdisjoint(range(4))
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_long_texts_in_blocks():
    text = " ".join(SENTENCES * 12_000)  # more than a block
    vocabulary = _vocabulary()
    once = vocabulary.encode(" ".join(SENTENCES)).tolist()
    assert vocabulary.encode(text).tolist() == once * 12_000


def test_lowercase_and_config():
    vocabulary = learned(lowercase=True)
    assert vocabulary.decode(vocabulary.encode("TWO men")) == "two men"
    again = Vocabulary.from_config(json.loads(json.dumps(vocabulary.get_config())))
    assert again == vocabulary and again.encode("Two").tolist() == vocabulary.encode("two").tolist()
    assert repr(again) == f"<Vocabulary of {len(again)} subwords>"


def test_the_memory_of_words_is_bounded(monkeypatch):
    vocabulary = learned()
    monkeypatch.setattr("rnnzoo.vocabulary.vocabulary.MOST_CUTS", 3)
    for text in SENTENCES:
        vocabulary.encode(text)
        assert len(vocabulary._cuts) <= 3


def test_the_memory_of_words_may_be_forgotten_by_another_thread():
    class Forgetful(dict):
        """Is emptied right after it was asked for something."""

        def __contains__(self, unit):
            found = super().__contains__(unit)
            self.clear()
            return found

        def get(self, unit, default=None):
            found = super().get(unit, default)
            self.clear()
            return found

    vocabulary = learned()
    before = vocabulary.encode(SENTENCES[0]).tolist()
    vocabulary._cuts = Forgetful(vocabulary._cuts)
    assert vocabulary.encode(SENTENCES[0]).tolist() == before


@pytest.mark.parametrize(
    "mistake, message",
    [
        (lambda: learned(size=None), "need a `size`"),
        (lambda: learned(size=20), "`size` must be at least 36, not 20: 4 special tokens and"),
        (lambda: learned([]), "has 0 different subwords"),
        (lambda: learned([b"ab"]), "must be a str, not bytes"),
        (lambda: Vocabulary(["a", "ab"], "subword"), "'\u2581' among them"),
    ],
)
def test_mistakes(mistake, message):
    with pytest.raises(InputError, match=message):
        mistake()


def test_the_library_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match="pip install tokenizers"):
        Vocabulary.from_text(SENTENCES, "subword", size=120)


def test_the_same_in_every_process_and_used_without_the_library(tmp_path):
    learned().save(tmp_path / "v.json")
    code = (
        "import sys; from rnnzoo.vocabulary import Vocabulary;"
        "v = Vocabulary.load(sys.argv[1]);"
        "assert v.decode(v.encode('Two men.')) == 'Two men.';"
        "assert not {'tokenizers', 'tensorflow'} & set(sys.modules);"
        f"assert v == Vocabulary.from_text({SENTENCES!r}, 'subword', size=120)"
    )
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "v.json")], env=env, check=True)
