"""Words that a translator does not know come from the source."""

import numpy as np
import pytest

import rnnzoo
from rnnzoo.errors import InputError
from tests import runners

SOURCE = rnnzoo.Vocabulary.from_text("the cat sees a dog", level="word")
TARGET = rnnzoo.Vocabulary.from_text("die Katze sieht", level="word")


@pytest.fixture(scope="module")
def model():
    """A model that writes two unknown words and an end, and looks back sharply."""
    model = rnnzoo.gru_seq2seq(SOURCE, TARGET, units=6, embedding_dim=5)
    random = np.random.default_rng(4)
    model.set_weights([random.normal(0, 1.5, weight.shape) for weight in model.weights])
    bias = np.zeros(len(TARGET), "float32")
    bias[TARGET.unknown_id] = 8
    model.decoder.head.bias.assign(bias)
    return model


def test_the_word_with_the_most_attention_is_copied(model):
    texts = ["the cat sees Rosinante", "a Windmill sees the dog", "Sancho"]
    translations, attention = model.translate(texts, 5, unknown="copy", return_attention=True)
    copied = 0
    for text, translation, weights in zip(texts, translations, attention, strict=True):
        words = SOURCE.split(text)
        assert "<unk>" not in translation
        for word, its in zip(translation.split(), weights, strict=False):
            if word not in TARGET.tokens:
                assert word == words[its[: len(words)].argmax()]
                copied += 1
    assert copied > 3


def test_a_beam_copies_too(model):
    one = model.translate("a Windmill sees", 5, unknown="copy", beam_width=3, n_best=2)
    assert len(one) == 2 and all("<unk>" not in text for text, _ in one)
    assert any(set(text.split()) & {"a", "Windmill", "sees"} for text, _ in one)


def test_without_it_no_unknown_word_is_written(model):
    known = set(model.translate("a Windmill sees", 5).split())
    assert known <= set(TARGET.tokens) - {"<unk>"}


def test_bad_input(model):
    with pytest.raises(InputError, match='must be "copy"'):
        model.translate("a", unknown="keep")
    characters = runners.ENCODER_DECODERS["gru_seq2seq"]()
    with pytest.raises(InputError, match="translators by words"):
        characters.translate("one", unknown="copy")
    with pytest.raises(InputError, match="no use to greedy search"):
        model.translate("a", coverage_penalty=0.2)
    with pytest.raises(InputError, match="`coverage_penalty` must be"):
        model.translate("a", coverage_penalty=-1, beam_width=2)
    blind = rnnzoo.gru_seq2seq(SOURCE, TARGET, units=3, attention=None, bidirectional=False)
    for options in ({"unknown": "copy"}, {"coverage_penalty": 0.2, "beam_width": 2}):
        with pytest.raises(InputError, match="without attention"):
            blind.translate("a", **options)
