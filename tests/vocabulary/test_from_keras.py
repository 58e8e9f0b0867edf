import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnzoo.errors import InputError
from rnnzoo.vocabulary import Vocabulary

pytest.importorskip("tensorflow", reason="Keras's text layers compute with TensorFlow")
TEXTS = ["The cat sat on the mat.", "The dog's bone, well-known!", "to be or not to be: THAT"]
quick = settings(max_examples=40, deadline=None)


def vectorization(**options):
    layer = keras.layers.TextVectorization(**options)
    layer.adapt(TEXTS)
    return layer


@pytest.mark.parametrize(
    "standardize", ["lower_and_strip_punctuation", "lower", "strip_punctuation", None]
)
@pytest.mark.parametrize("split", ["whitespace", "character"])
def test_text_vectorization_gives_the_same_ids(standardize, split):
    layer = vectorization(standardize=standardize, split=split, max_tokens=20)
    vocabulary = Vocabulary.from_keras(layer)
    assert len(vocabulary) == layer.vocabulary_size()
    assert (vocabulary.pad_id, vocabulary.unknown_id) == (0, 1)
    assert vocabulary.level == ("word" if split == "whitespace" else "character")

    @quick
    @given(st.text(st.sampled_from("abcehinorstTBD .,'-!\n"), max_size=30))
    def same(text):
        expected = np.asarray(layer([text]))[0].tolist()
        while expected and expected[-1] == 0:
            expected.pop()
        assert vocabulary.encode(text).tolist() == expected

    same()
    for text in TEXTS:
        assert vocabulary.encode(text).tolist() == [i for i in np.asarray(layer([text]))[0] if i]
    assert Vocabulary.from_config(vocabulary.get_config()) == vocabulary


def test_string_lookup():
    layer = keras.layers.StringLookup(vocabulary=list("abc"), mask_token=None)
    vocabulary = Vocabulary.from_keras(layer)
    assert vocabulary.level == "character" and vocabulary.tokens == ("<unk>", "a", "b", "c")
    assert vocabulary.encode("cabx").tolist() == np.asarray(layer(list("cabx"))).tolist()
    words = keras.layers.StringLookup(vocabulary=["yes", "no"], mask_token="", oov_token="?")
    assert Vocabulary.from_keras(words).tokens == ("<pad>", "<unk>", "yes", "no")
    none = keras.layers.StringLookup(vocabulary=["a", "b", "c"], num_oov_indices=0)
    assert Vocabulary.from_keras(none).tokens == ("a", "b", "c")
    assert Vocabulary.from_keras(none, level="word").level == "word"


def test_a_function_of_ones_own_needs_a_rule():
    layer = vectorization(standardize=lambda texts: texts)
    with pytest.raises(InputError, match="by a function of its own"):
        Vocabulary.from_keras(layer)
    made = Vocabulary.from_keras(layer, lowercase=False, punctuation="whitespace")
    assert made.encode("cat sat").tolist() == np.asarray(layer(["cat sat"]))[0].tolist()


@pytest.mark.parametrize(
    "layer, message",
    [
        (lambda: vectorization(output_mode="multi_hot"), "output_mode 'multi_hot'; a vocabulary"),
        (lambda: vectorization(ngrams=2), "2-grams|grams, which"),
        (lambda: vectorization(split=lambda texts: texts), "cannot follow"),
        (lambda: keras.layers.TextVectorization(), "call its `adapt` first"),
        (
            lambda: keras.layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=2),
            "2 ids for unknown words",
        ),
        (lambda: keras.layers.StringLookup(vocabulary=["a", "b"], invert=True), "inverts ids"),
        (lambda: keras.layers.Dense(2), "not from Dense"),
    ],
)
def test_mistakes(layer, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.from_keras(layer())
