import functools
import itertools
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tensorflow", reason="the graph vocabulary is for TensorFlow")

from rnnzoo.vocabulary import Vocabulary, text_rules  # noqa: E402
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary  # noqa: E402

quick = settings(max_examples=60, deadline=None)

KNOWN = (
    "He said, \"no.\" It's the dogs' well-known U.S. bone (8/10) ... ¿Qué? -- É ß \u03c3 ς İ i 3.14"
    " \u2014 „x“ “y” 'z' 東京は、 [a] {b} #1 $5 5% <unk> \x00 \ufeff \ufffd \U0001f600 ABC abc !"
    " : ; « » _ *"
    " مرحبا، 😍 👨\u200d👩\u200d👧 ❤\ufe0f 🇪🇸 NOTE_ON_60 C#4 @-@ <num> e\u0301 각 é \n"
)
COMBINING = "\u0301\u0323\u1100\u1161\u200d\ufe0f"
MARKS = COMBINING + "\u2581 '\"-.,:()“”„\u2019\t\n\r\xa0\u2003\x1c\x85\x00\u03a3"
# Pieces that are dense in what the rules decide on, and any text at all.
TEXT = st.lists(
    st.sampled_from([*KNOWN.split(), *MARKS, "<pad>"])
    | st.text(st.characters(codec="utf-8"), max_size=5),
    max_size=12,
).map("".join)
TEXTS = st.lists(TEXT, max_size=6)
RULES = [
    {"level": "character"},
    {"level": "character", "lowercase": True},
    *(
        {"level": "word", "punctuation": punctuation, "lowercase": lowercase}
        for punctuation in text_rules.WORD_RULES
        for lowercase in (False, True)
    ),
    *(
        {"level": "word", "punctuation": punctuation, "keep_line_breaks": True}
        for punctuation in ("split", "strip", "whitespace")
    ),
    {"level": "subword", "size": 160},
    {"level": "subword", "size": 160, "lowercase": True},
    {"level": "subword", "size": 160, "punctuation": "whitespace", "keep_line_breaks": True},
    {"level": "subword", "size": 160, "punctuation": "split_1", "normalization": None},
    {"level": "character", "normalization": None},
    {"level": "character", "punctuation": "delete", "lowercase": True},
]
SAVED = {"character": 1, "split": 3, "strip": 5, "subword": -5}
ids_of = pytest.mark.parametrize("rule", RULES, ids=lambda rule: "-".join(map(str, rule.values())))


@functools.cache
def twins(rule, special_tokens=("<pad>", "<start>", "<unk>", "<end>")):
    """A vocabulary, and its graph twin's encode and decode, traced without autograph."""
    vocabulary = Vocabulary.from_text(KNOWN, special_tokens=special_tokens, **dict(rule))
    graph = GraphVocabulary(vocabulary)
    encode = tf.function(
        lambda strings: graph.encode(strings),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    decode = tf.function(
        lambda ids: graph.decode(ids),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
        autograph=False,
    )
    return vocabulary, graph, encode, decode


def freeze(rule):
    return tuple(rule.items())


@ids_of
@quick
@given(texts=TEXTS)
def test_encode_equals_python(rule, texts):
    vocabulary, _, encode, _ = twins(freeze(rule))
    ids = encode(tf.constant(texts, tf.string))
    assert isinstance(ids, tf.RaggedTensor) and ids.dtype == tf.int32
    assert ids.to_list() == [vocabulary.encode(text).tolist() for text in texts]


@ids_of
@quick
@given(data=st.data())
def test_decode_equals_python(rule, data):
    vocabulary, graph, _, decode = twins(freeze(rule))
    length = data.draw(st.integers(0, 15))
    row = st.lists(st.integers(0, len(vocabulary) - 1), min_size=length, max_size=length)
    rows = data.draw(st.lists(row, max_size=4))
    expected = [vocabulary.decode(row) for row in rows]
    dense = tf.reshape(tf.constant(rows, tf.int32), [len(rows), length])
    assert [text.decode() for text in decode(dense).numpy()] == expected
    ragged = tf.ragged.constant(rows, ragged_rank=1, dtype=tf.int64)
    assert [text.decode() for text in graph.decode(ragged).numpy()] == expected


@quick
@given(words=st.lists(st.sampled_from(KNOWN.split() + list("'\".,()¿“„/")), max_size=20))
def test_decode_of_dense_punctuation_equals_python(words):
    joined = text_rules.join_words(words, "split")
    vocabulary = Vocabulary(sorted({"a", *words}), "word")
    ids = [[vocabulary.tokens.index(word) for word in words]]
    (text,) = GraphVocabulary(vocabulary).decode(tf.constant(ids, tf.int32)).numpy()
    assert text.decode() == joined == vocabulary.decode(ids[0])


@quick
@given(letters=st.lists(st.text("ab\u2581.", max_size=150), max_size=4), data=st.data())
def test_subwords_of_any_joins_equal_python(letters, data):
    joins = st.text("ab\u2581", min_size=2, max_size=6) | st.integers(2, 70).map("a".__mul__)
    tokens = data.draw(st.lists(joins, unique=True, max_size=12))
    vocabulary = Vocabulary(["<unk>", "a", "\u2581", *tokens], "subword")
    ids = GraphVocabulary(vocabulary).encode(tf.constant(letters, tf.string))
    assert ids.to_list() == [vocabulary.encode(text).tolist() for text in letters]


@quick
@given(texts=st.lists(st.text(sorted(set(unicodedata.normalize("NFC", KNOWN)))), max_size=5))
def test_characters_without_unknown_equal_python(texts):
    vocabulary, _, encode, _ = twins(freeze(RULES[0]), special_tokens=())
    ids = encode(tf.constant(texts, tf.string))
    assert ids.to_list() == [vocabulary.encode(text).tolist() for text in texts]


@pytest.mark.parametrize(
    "level, name", [("character", "\u00fc"), ("word", "z\u00fcrich"), ("subword", "\u00fc")]
)
def test_unseen_symbols_without_unknown_are_named(level, name):
    size = 20 if level == "subword" else None
    vocabulary = Vocabulary.from_text("a b c r i h z", level, special_tokens=(), size=size)
    graph = GraphVocabulary(vocabulary)
    traced = tf.function(graph.encode, autograph=False)
    for encode in (graph.encode, traced):
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            encode(tf.constant(["a b", "a z\u00fcrich"]))
        message = str(error.value).replace("\\xc3\\xbc", "\u00fc")  # eager: the repr of bytes
        assert f"{level}s that the vocabulary lacks; take them out" in message
        assert f"has <unk>: {name}" in message
    assert traced(tf.constant(["a"])).to_list() == [vocabulary.encode("a").tolist()]


@ids_of
@quick
@given(strings=st.lists(st.binary(max_size=12) | st.sampled_from([b"a\xffb", b"\xed\xa0\x80"])))
def test_invalid_utf8_reads_as_replacement(rule, strings):
    vocabulary, _, encode, _ = twins(freeze(rule))
    ids = encode(tf.constant(strings, tf.string)).to_list()
    assert ids == [vocabulary.encode(s.decode(errors="replace")).tolist() for s in strings]


@ids_of
def test_empty_lines(rule):
    vocabulary, _, encode, _ = twins(freeze(rule))
    texts = ["\n\n", "\n\r", " \n \n", "ABC\n\n\nabc", "\r\n\r\nABC \n", "ABC\n\x1c\n"]
    ids = encode(tf.constant(texts)).to_list()
    assert ids == [vocabulary.encode(text).tolist() for text in texts]


@ids_of
def test_empty_strings_and_batches(rule):
    _, graph, encode, decode = twins(freeze(rule))
    assert encode(tf.constant([], tf.string)).to_list() == []
    assert encode(tf.constant(["", ""])).to_list() == [[], []]
    assert decode(tf.zeros([0, 3], tf.int32)).shape == (0,)
    assert decode(tf.zeros([2, 0], tf.int32)).numpy().tolist() == [b"", b""]
    assert graph.decode(tf.constant([[0, 1, 3]])).numpy().tolist() == [b""]


@ids_of
def test_unknown_id_to_decode_raises(rule):
    vocabulary, _, _, decode = twins(freeze(rule))
    for wrong in (-1, len(vocabulary)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(tf.constant([[wrong]]))


def test_works_in_tf_data():
    vocabulary, graph, _, _ = twins(freeze(RULES[2]))
    dataset = tf.data.Dataset.from_tensor_slices(["He said no.", "It's 8/10"]).batch(2)
    (ids,) = dataset.map(graph.encode)
    assert ids.to_list() == [vocabulary.encode(t).tolist() for t in ("He said no.", "It's 8/10")]


LOADER = """
import sys, tensorflow as tf
for path in ("character", "split", "strip", "subword"):
    loaded = tf.saved_model.load(path)
    texts = tf.constant([text.encode() for text in sys.argv[1:]] + [b"\\xff"])
    print(loaded.round_trip(texts).numpy().tolist())
    print(loaded.signatures["serving_default"](strings=texts)["text"].numpy().tolist())
assert "rnnzoo" not in sys.modules
"""


def test_saved_models_load_with_tensorflow_alone(tmp_path):
    texts = ['He said, "NO." It\'s (8/10)', "un\u00fcseen ABC", ""]
    expected = []
    for name, index in SAVED.items():
        vocabulary, graph, _, _ = twins(freeze(RULES[index]))
        decoded = [vocabulary.decode(vocabulary.encode(text)) for text in [*texts, "\ufffd"]]
        expected += [str([text.encode() for text in decoded])] * 2
        save(graph, str(tmp_path / name))
    arguments = [sys.executable, "-c", LOADER, *texts]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == expected


def save(graph, path):
    strings = tf.TensorSpec([None], tf.string, name="strings")
    module = tf.Module()
    module.graph = graph
    module.round_trip = tf.function(
        lambda strings: graph.decode(graph.encode(strings)), [strings], autograph=False
    )
    named = tf.function(
        lambda strings: {"text": module.round_trip(strings)}, [strings], autograph=False
    )
    tf.saved_model.save(module, path, signatures=named)


@ids_of
@quick
@given(data=st.data())
def test_decode_after_equals_python(rule, data):
    vocabulary, graph, _, _ = twins(freeze(rule))
    row = st.lists(st.integers(0, len(vocabulary) - 1), max_size=12)
    rows = data.draw(st.lists(st.tuples(row, row), max_size=4))
    before, ids = (
        tf.RaggedTensor.from_row_splits(
            tf.constant([i for pair in rows for i in pair[side]], tf.int32),
            [0, *itertools.accumulate(len(pair[side]) for pair in rows)],
        )
        for side in (0, 1)
    )
    expected = [vocabulary.decode(ids, after=before) for before, ids in rows]
    assert [text.decode() for text in graph.decode(ids, after=before).numpy()] == expected
