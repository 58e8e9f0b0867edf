import numpy as np
import pytest

from rnnzoo import Vocabulary
from rnnzoo.data import corpora
from rnnzoo.data.encoded import encode_corpus, encode_to_file
from rnnzoo.errors import InputError

TEXT = "To be, or not to be: that is the question.\n" * 50


def cut(text, size):
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("level", ["character", "word"])
@pytest.mark.parametrize("size", [1, 7, 1000, 10_000])
def test_equals_encoding_in_one_go(tmp_path, level, size):
    vocabulary = Vocabulary.from_text(TEXT, level=level)
    ids = encode_to_file(cut(TEXT, size), vocabulary, tmp_path / "ids.npy")
    assert isinstance(ids, np.memmap) and ids.dtype == np.int32 and not ids.flags.writeable
    np.testing.assert_array_equal(ids, vocabulary.encode(TEXT))
    np.testing.assert_array_equal(np.load(tmp_path / "ids.npy"), ids)  # an ordinary .npy file
    assert [path.name for path in tmp_path.iterdir()] == ["ids.npy"]


def test_the_header_keeps_its_length_for_large_counts(tmp_path):
    vocabulary = Vocabulary.from_text("ab")
    ids = encode_to_file(["ab" * 500_000] * 3, vocabulary, tmp_path / "ids.npy")
    assert len(ids) == 3_000_000 and ids[-1] == 1 and ids.sum() == 1_500_000


def test_is_made_once_for_a_content_and_a_vocabulary(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "b.txt").write_text(TEXT)
    cache = tmp_path / "cache"
    vocabulary = Vocabulary.from_text(TEXT)
    first = encode_corpus(corpora.load(tmp_path / "a.txt"), vocabulary, cache)
    (path,) = cache.iterdir()
    made = path.stat().st_mtime_ns
    again = encode_corpus(corpora.load(tmp_path / "b.txt"), vocabulary, cache)
    np.testing.assert_array_equal(again, first)
    assert again.filename == first.filename and path.stat().st_mtime_ns == made

    words = encode_corpus(
        corpora.load(tmp_path / "a.txt"), Vocabulary.from_text(TEXT, level="word"), cache
    )
    assert len(words) < len(first) and len(list(cache.iterdir())) == 2
    (tmp_path / "a.txt").write_text(TEXT + "to")
    longer = encode_corpus(corpora.load(tmp_path / "a.txt"), vocabulary, cache)
    assert len(longer) == len(first) + 2


def test_a_damaged_file_is_made_anew(tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    vocabulary = Vocabulary.from_text(TEXT)
    corpus = corpora.load(tmp_path / "a.txt")
    encode_corpus(corpus, vocabulary, tmp_path / "cache")
    (path,) = (tmp_path / "cache").iterdir()
    for size in (0, 50, 500):
        path.write_bytes(path.read_bytes()[:size])
        ids = encode_corpus(corpus, vocabulary, tmp_path / "cache")
        np.testing.assert_array_equal(ids, vocabulary.encode(TEXT))


def test_default_folder(isolated, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    encode_corpus(corpora.load(tmp_path / "a.txt"), Vocabulary.from_text(TEXT))
    assert len(list((isolated / "keras" / "rnnzoo" / "encoded").glob("*.npy"))) == 1


def test_a_failure_leaves_nothing(tmp_path):
    vocabulary = Vocabulary.from_text("abc ")
    with pytest.raises(InputError):
        encode_to_file(["abc ", "xyz"], vocabulary, tmp_path / "out" / "ids.npy")
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written to"):
        encode_to_file(["abc"], vocabulary, tmp_path / "file" / "ids.npy")


def test_only_texts(tmp_path):
    corpus = corpora.load("spelled_numbers", samples=5)
    with pytest.raises(InputError, match="holds pairs"):
        encode_corpus(corpus, Vocabulary.from_text("abc"), tmp_path)
