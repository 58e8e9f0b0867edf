"""Pretrained word vectors: what the rows become, and what is refused."""

import keras
import numpy as np
import pytest

from rnnzoo import Vocabulary, word_lm
from rnnzoo.errors import InputError
from rnnzoo.word_vectors import set_word_vectors

VOCABULARY = Vocabulary(["<pad>", "<start>", "<unk>", "<end>", "cat", "dog", "bird"], "word")
GLOVE = "dog 1.5 -2 3e-1\nfish 9 9 9\ncat 0.25 0.5 1\n"


@pytest.fixture
def model():
    return word_lm(VOCABULARY, units=4, embedding_dim=3)


@pytest.fixture
def put(model, tmp_path):
    """Writes a file and sets its vectors; gives what was found and the rows before and after."""

    def put(text, vocabulary=VOCABULARY):
        path = tmp_path / "vectors.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        before = keras.ops.convert_to_numpy(model.embedding.embeddings)
        found = set_word_vectors(model.embedding, vocabulary, path)
        return found, before, keras.ops.convert_to_numpy(model.embedding.embeddings)

    return put


@pytest.mark.parametrize(
    "text",
    [GLOVE, "3 3\n" + GLOVE, GLOVE.replace("\n", " \r\n"), GLOVE + "a cat 7 7 7\n"],
    ids=["glove", "word2vec", "windows", "word with a blank"],
)
def test_sets_the_rows_of_the_words_it_has(put, text):
    found, before, after = put(text)
    assert found == 2
    np.testing.assert_array_equal(after[[4, 5]], np.float32([[0.25, 0.5, 1], [1.5, -2, 0.3]]))
    np.testing.assert_array_equal(after[[0, 1, 2, 3, 6]], before[[0, 1, 2, 3, 6]])


def test_a_model_learns_on_from_them(model, put):
    _, _, start = put(GLOVE)
    model.compile()
    model.fit(np.full((4, 5), 4), np.full((4, 5), 5), verbose=0)
    end = keras.ops.convert_to_numpy(model.embedding.embeddings)
    assert not np.array_equal(start, end) and np.allclose(start, end, atol=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog 1 2\ncat 1 2\n", "tells of 2 numbers a word, and the embedding has vectors of 3"),
        ("3 5\ndog 1 2 3 4 5\n", "tells of 5 numbers"),
        ("dog 1 2 3 4\n", "tells of 4 numbers"),
        ("", "The first line of .*, '', is not a word and its numbers"),
        ("dog\t1\t2\t3\n", "is not a word and its numbers"),
        ("dog 1 2 3\ncat 1 2\n", "vector of 'cat'"),
        ("dog 1 2 3\ncat 1 2 x\n", "vector of 'cat' .* is not of 3 finite numbers"),
        ("dog 1 2 3\ncat 1 2 nan\n", "vector of 'cat'"),
        ("hund 1 2 3\nkatze 1 2 3\n", "has no word of the vocabulary, such as 'bird'"),
        (b"\xff\xfe dog", "cannot be read"),
    ],
)
def test_refuses_what_does_not_fit_and_changes_nothing(model, put, text, message):
    before = keras.ops.convert_to_numpy(model.embedding.embeddings)
    with pytest.raises(InputError, match=message):
        put(text)
    after = keras.ops.convert_to_numpy(model.embedding.embeddings)
    np.testing.assert_array_equal(after, before)


def test_refuses_a_missing_file_and_another_vocabulary(model, tmp_path, put):
    with pytest.raises(InputError, match="No such file"):
        set_word_vectors(model.embedding, VOCABULARY, tmp_path / "none.txt")
    with pytest.raises(InputError, match="7 rows and the vocabulary 6 tokens"):
        put(GLOVE, Vocabulary(VOCABULARY.tokens[:6], "word"))
    with pytest.raises(InputError, match='level="word"'):
        put(GLOVE, Vocabulary(list("abcdefg")))
    with pytest.raises(InputError, match="'late' is not built"):
        set_word_vectors(keras.layers.Embedding(7, 3, name="late"), VOCABULARY, tmp_path / "none")
