import keras
import numpy as np
import pytest

from rnnzoo import Vocabulary, char_lstm, gru_seq2seq, load, word_lm
from rnnzoo.errors import InputError
from rnnzoo.models import grow

CHARACTERS = Vocabulary.from_text("to be or not to be")
MARKS = ("<pad>", "<start>", "<end>")


def language_model(**options):
    keras.utils.set_random_seed(3)
    return char_lstm(CHARACTERS, units=8, **options)


def logits(model, tokens):
    return np.asarray(model.predict(tokens, verbose=0))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_language_model_keeps_the_logits_of_its_tokens(tied, cell, tmp_path):
    model = language_model(tie_embedding_weights=tied, embedding_dim=6, cell=cell)
    larger = grow(model, CHARACTERS.extended("Ophelia"))
    assert larger.vocabulary.tokens == (*CHARACTERS.tokens, *"Oahilp")
    tokens = np.random.default_rng(0).integers(0, 7, (3, 9))
    before, after = logits(model, tokens), logits(larger, tokens)
    np.testing.assert_allclose(after[..., :7], before, atol=1e-6)
    # a new token starts as the mean of the others
    np.testing.assert_allclose(
        after[..., 7:], before.mean(-1, keepdims=True).repeat(6, -1), atol=1e-5
    )
    assert model.vocabulary_size == 7
    larger.compile()
    larger.fit(tokens + 6, tokens + 6, verbose=0)
    larger.save(tmp_path / "larger.keras")
    assert isinstance(load(tmp_path / "larger.keras").generate("Ophelia", 3, seed=1), str)


@pytest.mark.parametrize("tied", [False, True, "all"])
@pytest.mark.parametrize("attention", ["bahdanau", None])
def test_a_translator_keeps_the_logits_of_its_tokens(tied, attention):
    keras.utils.set_random_seed(3)
    vocabulary = Vocabulary.from_text("one two 12", special_tokens=MARKS)
    model = gru_seq2seq(
        vocabulary, vocabulary, units=8, attention=attention, tie_embedding_weights=tied
    )
    new = vocabulary.extended("three 3")
    larger = grow(model, source_vocabulary=new, target_vocabulary=new)
    ids = np.random.default_rng(0).integers(3, len(vocabulary), (2, 5))
    data = {"source": ids, "target": ids}
    size = len(vocabulary)
    np.testing.assert_allclose(logits(larger, data)[..., :size], logits(model, data), atol=1e-6)
    assert larger.target_vocabulary_size == len(new)
    if tied != "all":
        one = grow(model, source_vocabulary=new)
        np.testing.assert_allclose(logits(one, data), logits(model, data), atol=1e-6)
        assert one.translate("three") is not None


def test_frozen_layers_stay_frozen():
    model = language_model(num_layers=1)
    model.embedding.trainable = False
    larger = grow(model, CHARACTERS.extended("Ophelia"))
    assert not larger.embedding.trainable and larger.recurrent.trainable


def test_words_and_half_precision():
    words = Vocabulary.from_text("to be or not to be", "word")
    model = word_lm(words, units=8, embedding_dim=4, dtype="mixed_bfloat16")
    larger = grow(model, words.extended("that is"))
    assert larger.dtype_policy.name == "mixed_bfloat16" and larger.name == model.name
    assert larger.vocabulary_size == model.vocabulary_size + 2


@pytest.mark.parametrize(
    "mistake, message",
    [
        (lambda m: grow(m, Vocabulary.from_text("abc")), "does not begin with the 7 tokens"),
        (
            lambda m: grow(m, Vocabulary([*CHARACTERS.tokens, "x"], lowercase=True)),
            "another lowercase .True. than the model's .False.",
        ),
        (lambda m: grow(m, source_vocabulary=CHARACTERS), "grows to one `vocabulary`"),
        (lambda m: grow(char_lstm(7, units=4), CHARACTERS), "has no vocabulary"),
        (lambda m: grow(keras.Sequential(), CHARACTERS), "not a Sequential"),
        (lambda m: grow(gru_seq2seq(9, 9, units=4), CHARACTERS), "grows to a `source_vocabulary`"),
    ],
)
def test_mistakes(mistake, message):
    with pytest.raises(InputError, match=message):
        mistake(language_model())


def test_a_quantized_model_is_refused():
    model = language_model()
    model.embedding.quantize("int8")
    with pytest.raises(InputError, match="grow a model as it was built"):
        grow(model, CHARACTERS.extended("x"))
