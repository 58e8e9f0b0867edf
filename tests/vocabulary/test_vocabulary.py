import gzip
import hashlib
import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import SPECIAL_TOKENS, Vocabulary, text_rules

TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("aB3'-.,\"!?() \n\tÀßΣİ<unk>…“¿"))
quick = settings(max_examples=60, deadline=None)

# The published first training row of keras.datasets.imdb with num_words=10000.
KERAS_ROW = np.fromstring(
    "1 14 22 16 43 530 973 1622 1385 65 458 4468 66 3941 4 173 36 256 5 25 100 43 838 112 50 670 2"
    " 9 35 480 284 5 150 4 172 112 167 2 336 385 39 4 172 4536 1111 17 546 38 13 447 4 192 50 16 6"
    " 147 2025 19 14 22 4 1920 4613 469 4 22 71 87 12 16 43 530 38 76 15 13 1247 4 22 17 515 17 12"
    " 16 626 18 2 5 62 386 12 8 316 8 106 5 4 2223 5244 16 480 66 3785 33 4 130 12 16 38 619 5 25"
    " 124 51 36 135 48 25 1415 33 6 22 12 215 28 77 52 5 14 407 16 82 2 8 4 107 117 5952 15 256 4 2"
    " 7 3766 5 723 36 71 43 530 476 26 400 317 46 7 4 2 1029 13 104 88 4 381 15 297 98 32 2071 56"
    " 26 141 6 194 7486 18 4 226 22 21 134 476 26 480 5 144 30 5535 18 51 36 28 224 92 25 104 4 226"
    " 65 16 38 1334 88 12 16 283 5 16 4472 113 103 32 15 16 5345 19 178 32",
    dtype=np.int32,
    sep=" ",
)


# Characters


@quick
@given(TEXT.filter(lambda text: len(set(unicodedata.normalize("NFC", text))) > 1))
def test_characters_are_sorted_code_points_and_return(text):
    vocabulary = Vocabulary.from_text([text])  # alone it might be a path
    text = unicodedata.normalize("NFC", text)
    assert vocabulary.tokens == tuple(sorted(set(text)))
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert ids.tolist() == [sorted(set(text)).index(character) for character in text]
    assert vocabulary.decode(ids) == text


@quick
@given(TEXT, TEXT, st.booleans())
def test_characters_by_definition(known, text, lowercase):
    known = unicodedata.normalize("NFC", known)
    rules = {"lowercase": lowercase, "normalization": "NFC"}
    vocabulary = Vocabulary(["<unk>", *sorted(set(known))], **rules)
    text = unicodedata.normalize("NFC", text)
    lowered = [text_rules.lower(c) if lowercase else c for c in text]
    lowered = unicodedata.normalize("NFC", "".join(lowered))
    expected = [vocabulary.tokens.index(c) if c in vocabulary.tokens else 0 for c in lowered]
    assert vocabulary.encode(text).tolist() == expected
    assert vocabulary.unknown_symbols(text) == sorted(set(lowered) - set(known))


def test_long_text_in_blocks():
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list("abcd \U0001f600"), 600_001))
    vocabulary = Vocabulary.from_text(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text
    words = Vocabulary.from_text(text, "word", special_tokens=())
    long = f"{text} " * 3  # more than one block of words
    assert [words.tokens[i] for i in words.encode(long)] == words.split(text) * 3


def test_unseen_character_is_named():
    vocabulary = Vocabulary.from_text("hello")
    with pytest.raises(InputError, match=r"2 of the text's characters .* '!', 'é'; take them out"):
        vocabulary.encode("hellé!")


def test_special_token_typed_into_characters_is_characters():
    vocabulary = Vocabulary(["<pad>", "<unk>", *"<>adp"])
    assert vocabulary.decode(vocabulary.encode("<pad>")) == "<pad>"
    assert vocabulary.encode("<pad>").tolist() == [2, 6, 4, 5, 3]
    assert vocabulary.encode("<unk>").tolist() == [2, 1, 1, 1, 3]


def test_every_kind_of_line_break_is_one():
    vocabulary = Vocabulary.from_text("a\r\nb", keep_line_breaks=True)
    assert vocabulary.tokens == ("\n", "a", "b")
    assert vocabulary.encode("a\r\nb\ra").tolist() == [1, 0, 2, 0, 1]


def test_character_size_keeps_the_most_frequent():
    vocabulary = Vocabulary.from_text("zzzaabc", size=3, special_tokens=["<unk>"])
    assert vocabulary.tokens == ("<unk>", "a", "z")
    assert vocabulary.encode("cab").tolist() == [0, 1, 0]


# Words


def test_words_are_ranked_by_count_then_first_sight():
    vocabulary = Vocabulary.from_text("b a c a b a d", level="word")
    assert vocabulary.tokens == (*SPECIAL_TOKENS, "a", "b", "c", "d")
    ids = (vocabulary.pad_id, vocabulary.start_id, vocabulary.unknown_id, vocabulary.end_id)
    assert ids == (0, 1, 2, 3)
    assert Vocabulary.from_text("b a c a b a d", "word", size=6).tokens[4:] == ("a", "b")
    assert vocabulary.encode("a x").tolist() == [4, 2]
    assert vocabulary.decode([1, 4, 2, 0, 3]) == "a <unk>"


@pytest.mark.parametrize(
    "text",
    [
        'he said, "no."',
        '"Yes," she said. "(I think)!" And \'no\' again...',
        "¿Qué? ¡Sí! «bien» (no [así]) {o}",
        "“Hello,” he said—no, \u2018never\u2019: it\u2019s 5% of $10; isn't it?",
        "Er sagte: „Nein.“ Dann ging er.",
        "the dogs' bone scored 8/10 at 2:30 p.m. - fine",
        "東京は、いい。",
        '"not closed',
        "",
    ],
)
def test_decode_attaches_punctuation(text):
    vocabulary = Vocabulary.from_text([text, "a b"], "word")
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_decode_stripped_words():
    vocabulary = Vocabulary.from_text("Great film!", "word", lowercase=True, punctuation="strip")
    assert vocabulary.decode(vocabulary.encode("GREAT, great (film)")) == "great great film"


def test_special_tokens_typed_into_words():
    vocabulary = Vocabulary.from_text("a b", "word")
    assert vocabulary.encode("<pad> <start> <end> <unk>").tolist() == [2] * 10
    assert vocabulary.split("<pad><unk>") == ["<", "pad", ">", "<unk>"]
    stripped = Vocabulary.from_text("pad unk", "word", punctuation="strip")
    assert stripped.encode("<pad> <unk>").tolist() == [4, 5]
    assert Vocabulary.from_text("a <unk> b <unk>", "word").tokens == (*SPECIAL_TOKENS, "a", "b")


# Streaming, documents, files


def test_pieces_are_streamed_and_count_as_one_text():
    alive = Counter()

    class Piece(str):
        def __init__(self, _):
            alive["now"] += 1
            alive["most"] = max(alive["most"], alive["now"])

        def __del__(self):
            alive["now"] -= 1

    for level in ("character", "word"):
        pieces = (Piece(f"word{i % 7} and ") for i in range(50))
        whole = "".join(f"word{i % 7} and " for i in range(50))
        assert Vocabulary.from_text(pieces, level) == Vocabulary.from_text(whole, level)
    assert alive["most"] <= 2


def test_encode_documents():
    vocabulary = Vocabulary.from_text("yes no", "word")
    documents = vocabulary.encode_documents(["yes", ""], end=False)
    assert [ids.tolist() for ids in documents] == [[1, 4], [1]]
    assert all(ids.dtype == np.int32 for ids in documents)
    with pytest.raises(InputError, match=r"no <start> to add; pass `start=False`"):
        Vocabulary.from_text("ab").encode_documents(["a"])
    with pytest.raises(InputError, match="not one str"):
        vocabulary.encode_documents("yes")


def test_decode_takes_lists_arrays_and_tensors():
    vocabulary = Vocabulary(list("abc"))
    for ids in ([2, 0], np.array([2, 0], np.uint8), keras.ops.convert_to_tensor([2, 0])):
        assert vocabulary.decode(ids) == "ca"
    assert vocabulary.decode([]) == ""


def same(vocabulary):
    """The vocabulary after a save and a load of each kind."""
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(vocabulary)))
    yield keras.saving.deserialize_keras_object(serialized, safe_mode=True)
    yield Vocabulary.from_config(json.loads(json.dumps(vocabulary.get_config())))


@quick
@given(TEXT.filter(lambda t: len(set(t)) > 1), st.booleans())
def test_config_round_trip(text, lowercase):
    vocabulary = Vocabulary(sorted(set(text)), lowercase=lowercase)
    for other in same(vocabulary):
        assert other == vocabulary and hash(other) == hash(vocabulary)
        assert other.sha256 == vocabulary.sha256


def test_vocabularies_differ_by_rule():
    rules = [{}, {"lowercase": True}, {"punctuation": "strip"}]
    vocabularies = [Vocabulary(["a", "b"], "word", **rule) for rule in rules]
    assert len({*vocabularies, Vocabulary(["a", "b"]), Vocabulary(["b", "a"])}) == 5
    assert vocabularies[0] != ["a", "b"]


def test_save_and_load(tmp_path):
    path = tmp_path / "vocabulary.json"
    vocabulary = Vocabulary.from_text("Straße, \u2028 İst \x00 <pad>!", "word", lowercase=True)
    path.write_text("old")
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    assert hashlib.sha256(path.read_bytes()).hexdigest() == vocabulary.sha256
    assert os.listdir(tmp_path) == ["vocabulary.json"]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "cannot be read .No such file"),
        (b"", "truncated or no JSON"),
        (b"\xff\xfe\x00", "truncated or no JSON"),
        (b"[" * 100_000, "truncated or no JSON"),
        (b"[1]", "holds no vocabulary"),
        (b'{"tokens": ["a", "b"]}', "holds no vocabulary"),
        (
            b'{"format": "rnnzoo vocabulary", "version": 3}',
            "format version 3, not 1 or 2: update rnnzoo",
        ),
        (b'{"format": "rnnzoo vocabulary", "version": 1}', "damaged"),
        (b'{"format": "rnnzoo vocabulary", "version": 1, "tokens": 3}', "damaged"),
        (b'{"format": "rnnzoo vocabulary", "version": 1, "tokens": ["a"], "x": 1}', "damaged"),
    ],
)
def test_load_refuses(tmp_path, content, message):
    path = tmp_path / "v.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Vocabulary.load(path)


def test_load_refuses_every_truncation(tmp_path):
    path = tmp_path / "v.json"
    Vocabulary(["a", "é"]).save(path)
    whole = path.read_bytes()
    for length in range(len(whole) - 2):  # without the last brace
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            Vocabulary.load(path)


def test_failed_save_leaves_nothing(tmp_path):
    vocabulary = Vocabulary(["a", "b"])
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in ("missing/v.json", "file/v.json", "folder"):
        with pytest.raises(InputError, match="cannot be written"):
            vocabulary.save(tmp_path / path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


# Mistakes


@pytest.mark.parametrize(
    "mistake, message",
    [
        (lambda: Vocabulary.from_text(""), "has 0 different characters"),
        (lambda: Vocabulary.from_text([]), "has 0 different characters"),
        (lambda: Vocabulary.from_text(" \n", "word"), "has 0 different words"),
        (lambda: Vocabulary.from_text("aaa"), "has 1 different characters"),
        (lambda: Vocabulary.from_text("no <unk>", "word"), "has 1 different words"),
        (lambda: Vocabulary.from_text("ab", "letter"), "No level is called 'letter'"),
        (lambda: Vocabulary(["a"], "words"), "did you mean 'word'"),
        (lambda: Vocabulary(["a"], punctuation="spilt"), "did you mean 'split'"),
        (lambda: Vocabulary.from_text("ab", special_tokens=["<pda>"]), "did you mean '<pad>'"),
        (lambda: Vocabulary.from_text("abc", size=1), "`size` must be at least 2, not 1"),
        (lambda: Vocabulary.from_text("a b c", "word", size=4), "must be at least 6, not 4"),
        (lambda: Vocabulary.from_text("ab", size=-1), "`size` must be a whole number"),
        (lambda: Vocabulary(["a", "b", "a"]), "'a' occurs 2 times"),
        (lambda: Vocabulary.from_text("ab", special_tokens=["<pad>"] * 2), "occurs 2 times"),
        (lambda: Vocabulary(["a", ""]), "not empty; not ''"),
        (lambda: Vocabulary(["a", 7]), "must be a str"),
        (lambda: Vocabulary(["a", "\ud800"]), "valid Unicode"),
        (lambda: Vocabulary(["ab", "c"]), "single characters"),
        (lambda: Vocabulary(["a", "b"]).encode(b"ab"), "must be a str, not bytes"),
        (lambda: Vocabulary.from_text([b"ab"]), "must be a str, not bytes"),
        (lambda: Vocabulary(["a", "b"]).decode([0, 2]), "range from 0 to 2, .* only 0 to 1"),
        (lambda: Vocabulary(["a", "b"]).decode([-1]), "range from -1"),
        (lambda: Vocabulary(["a", "b"]).decode([[0]]), "one row of integers"),
        (lambda: Vocabulary(["a", "b"]).decode([0.5]), "one row of integers"),
        (
            lambda: Vocabulary(["a", "b"], "word").encode("a c"),
            "1 of the text's words are not .* as 'c';",
        ),
        (lambda: Vocabulary.from_word_index({"a": 1, "b": 3}), "ranks 1, 2, 3"),
        (lambda: Vocabulary.from_word_index({}), "ranks 1, 2, 3"),
        (lambda: Vocabulary.from_word_index({"a": 1, "b": 2}, size=5), "must be at least 6"),
    ],
)
def test_mistakes(mistake, message):
    with pytest.raises(InputError, match=message):
        mistake()


def test_surrogates_in_a_text_are_unknown():
    assert Vocabulary(["<unk>", "a"]).encode("a\udc80").tolist() == [1, 0]
    with pytest.raises(InputError, match="not in the vocabulary"):
        Vocabulary(["a", "b"]).encode("a\udc80")


def test_needs_no_tensorflow():
    code = (
        "import sys, rnnzoo.vocabulary as v; v.Vocabulary.from_text('ab').encode('ab');"
        "sys.exit('tensorflow' in sys.modules)"
    )
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)


# Real texts


def test_tiny_shakespeare_has_65_characters(data_dir):
    text = (data_dir / "tinyshakespeare.txt").read_text("utf-8")
    vocabulary = Vocabulary.from_text(text)
    assert len(vocabulary) == 65
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_keras_ids_of_a_real_review(data_dir):
    word_index = json.loads((data_dir / "imdb" / "imdb_word_index.json").read_text("utf-8"))
    with gzip.open(data_dir / "imdb" / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines)
        review = next(row["text"] for row in rows if (row["id"], row["label"]) == (576, 1))
    vocabulary = Vocabulary.from_word_index(word_index, size=10_000)
    assert len(vocabulary) == 10_000
    (ids,) = vocabulary.encode_documents([review], end=False)
    np.testing.assert_array_equal(ids, KERAS_ROW)
    everything = Vocabulary.from_word_index(word_index)
    (all_ids,) = everything.encode_documents([review], end=False)
    assert len(everything) == 88_584 + 4 and len(all_ids) == 218
    np.testing.assert_array_equal(np.where(all_ids < 10_000, all_ids, 2), KERAS_ROW)


@pytest.mark.parametrize("column, least", [(0, 0.999), (1, 0.999)])
def test_real_sentences_come_back(data_dir, column, least):
    """Most English and Spanish sentences decode to themselves, and all to the same ids."""
    with gzip.open(data_dir / "spa-eng.txt.gz", "rt", encoding="utf-8") as lines:
        texts = [line.rstrip("\n").split("\t")[column] for line in lines][::20]
    vocabulary = Vocabulary.from_text(texts, "word")
    decoded = [vocabulary.decode(vocabulary.encode(text)) for text in texts]
    assert np.mean([a == b for a, b in zip(texts, decoded, strict=True)]) >= least
    again = [vocabulary.split(text) for text in decoded]
    assert np.mean([vocabulary.split(a) == b for a, b in zip(texts, again, strict=True)]) >= least


# Growing, and what is told


def test_extended_keeps_ids_and_adds_what_is_new():
    characters = Vocabulary(["<unk>", "b", "a"], lowercase=True)
    grown = characters.extended(["CAB", "x"])
    assert grown.tokens == ("<unk>", "b", "a", "c", "x") and grown.lowercase
    assert characters.extended("abba") is characters
    words = Vocabulary.from_text("to be or not", "word").extended("to go, to go and be <unk> <pad>")
    assert words.tokens[8:] == ("go", ",", "and", "<", "pad", ">")
    cut = Vocabulary.from_text("to be", "word", punctuation="whitespace", special_tokens=["<unk>"])
    assert cut.extended("to <end> go <pad>").tokens == ("<unk>", "to", "be", "go")
    assert Vocabulary.from_text("to be", "word").extended("a a b", size=7).tokens[6:] == ("a",)
    with pytest.raises(InputError, match="must be at least 6, which the vocabulary has, not 3"):
        Vocabulary.from_text("to be", "word").extended("a", size=3)


def test_extended_subwords_cut_the_old_words_as_before():
    pytest.importorskip("tokenizers", reason="subwords are learned by the package tokenizers")
    old = Vocabulary.from_text("the cat sat on the mat", "subword", size=20)
    new = old.extended("the żółw sat")
    assert set(new.tokens[20:]) == set("żółw")
    assert new.encode("the cat").tolist() == old.encode("the cat").tolist()
    assert new.decode(new.encode("the żółw sat")) == "the żółw sat"


@pytest.mark.parametrize("name", ["alice.txt", "data/spa-eng.txt.gz", "C:\\texts\\a.TXT"])
def test_a_path_is_no_text(name):
    with pytest.raises(InputError, match="is the name of a file, not a text; read it first"):
        Vocabulary.from_text(name)


def test_a_path_that_exists_is_no_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("my words", "notes.txt"):
        (tmp_path / name).write_text("to be")
        with pytest.raises(InputError, match="is the name of a file, not a text"):
            Vocabulary.from_text(name)
    for paths in (tmp_path / "notes.txt", [tmp_path / "notes.txt"]):
        with pytest.raises(InputError, match="is a path, not a text"):
            Vocabulary.from_text(paths)
    with pytest.raises(InputError, match="is the name of a file, not a text"):
        Vocabulary.from_text(["notes.txt"])
    with pytest.raises(InputError, match="is the name of a file"):
        Vocabulary(["a", "b"]).extended("notes.txt")
    with pytest.raises(InputError, match="must be a str or an iterable of str, not 3"):
        Vocabulary.from_text(3)
    # texts that only look a little like one
    for text in ("read alice.txt", "a\0b", "README", "see a.txt\nor b.txt"):
        assert len(Vocabulary.from_text(text)) > 1


def test_the_text_at_fault_is_numbered_and_its_line():
    vocabulary = Vocabulary.from_text("to be or not\n")
    with pytest.raises(InputError, match=r"^Text 2 of the list: 1 of the text's characters"):
        vocabulary.encode_documents(["to be", "to bé", "xyz"], start=False, end=False)
    with pytest.raises(InputError, match=r"such as 'x', 'é' \('é' in line 3\); take them out"):
        vocabulary.encode("to be\nor\nno é\nx")
    with pytest.raises(InputError, match=r"^Text 2 of the list: A text must be a str, not int"):
        vocabulary.encode_documents(["to be", 3], start=False, end=False)
    with pytest.raises(InputError, match=r"^1 of the text's"):
        vocabulary.encode_documents(["é"], start=False, end=False)
