"""Means of probabilities, and n-gram models beside recurrent ones."""

import numpy as np
import pytest

from rnnzoo import LanguageModel, Vocabulary, char_lstm
from rnnzoo.errors import InputError
from rnnzoo.evaluation import KneserNey
from rnnzoo.test_time import choose_weights, ensemble_nats, kneser_ney_nats, mix, token_nats


def test_an_ensemble_of_a_model_with_itself_is_the_model(model, text):
    nats = token_nats(model, text, sequence_length=6)
    assert np.allclose(ensemble_nats([model, model], text, sequence_length=6), nats, atol=1e-6)
    halves = ensemble_nats([model, model], text, [0.3, 0.7], sequence_length=6)
    assert np.allclose(halves, nats, atol=1e-6)


def test_an_ensemble_is_the_mean_of_probabilities(model, text):
    other = LanguageModel(7, units=3)
    nats = [token_nats(each, text, sequence_length=6) for each in (model, other)]
    expected = np.exp(-np.stack(nats).astype("float64")).mean(axis=0)
    together = ensemble_nats([model, other], text, sequence_length=6)
    assert np.allclose(np.exp(-together), expected, atol=1e-6)
    assert together.mean() < np.mean([each.mean() for each in nats])  # by convexity


def test_other_vocabularies_are_refused():
    models = [char_lstm(Vocabulary.from_text(text), units=2) for text in ("abc", "abd")]
    with pytest.raises(InputError, match="and these differ"):
        ensemble_nats(models, [0, 1])


def test_old_character_models_are_mixed_with_new_ones():
    old = Vocabulary.from_text("abc").get_config() | {"punctuation": "split_1"}
    models = [char_lstm(v, units=2) for v in (Vocabulary.from_text("abc"), Vocabulary(**old))]
    assert ensemble_nats(models, [1, 2, 1]).shape == (2,)


def test_weights_are_chosen_by_what_they_reach():
    random = np.random.default_rng(0)
    nats = [random.exponential(size=500), random.exponential(size=500) + 0.5]
    chosen = choose_weights(nats)
    best = min(np.linspace(0.01, 0.99, 99), key=lambda w: mix(nats, [w, 1 - w]).mean())
    assert chosen[0] == pytest.approx(best, abs=0.02) and chosen.sum() == pytest.approx(1)


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [1.0]])
def test_weights_that_cannot_be(weights):
    with pytest.raises(InputError, match="`weights` must be 2 numbers of at least 0"):
        mix([np.ones(3), np.ones(3)], weights)


def test_the_same_tokens(model, text, documents):
    with pytest.raises(InputError, match="nats of the same tokens"):
        mix([np.ones(3), np.ones(4)])
    repeated = np.tile(text, 3)
    assert len(kneser_ney_nats(repeated, text, vocabulary_size=7)) == len(text) - 1
    framed = [np.concatenate([[7], each, [8]]) for each in documents]
    ends = {"start_id": 7, "end_id": 8}
    nats = kneser_ney_nats(framed, framed, vocabulary_size=9, order=2, **ends)
    assert len(nats) == sum(len(each) - 1 for each in framed)
    expected = KneserNey(9, 2, pad_id=None, **ends).fit(framed).score(framed)
    assert (nats.sum(), len(nats)) == expected


def test_an_n_gram_model_of_a_flat_text_knows_what_stood_before():
    train = np.tile([0, 1, 2, 1], 50)
    nats = kneser_ney_nats(train, np.array([0, 1, 2, 1, 0]), vocabulary_size=3, order=3)
    assert (nats[1:] < 0.1).all()  # 1 alone may be followed by either
