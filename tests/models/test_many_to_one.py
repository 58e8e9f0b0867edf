"""Batches with one label a row, what follows a window: `window_batches(..., many_to_one=True)`."""

import keras
import numpy as np
import pytest

from rnnzoo import char_lstm, word_lm
from rnnzoo.data import window_batches


def trained(builder, vocabulary_size, **compile_options):
    keras.utils.set_random_seed(1)
    model = builder(vocabulary_size, units=8)
    model.compile(**compile_options)
    return model


@pytest.mark.parametrize("vocabulary_size", [11, 1500])
def test_fit_and_evaluate_count_the_last_step_alone(vocabulary_size):
    pytest.importorskip("tensorflow", reason="a tf.data pipeline")
    ids = np.random.default_rng(0).integers(0, 11, 60)
    batches = window_batches(ids, 8, length=5, many_to_one=True, shuffle=False)
    model = trained(word_lm, vocabulary_size)
    before = model.evaluate(batches, verbose=0, return_dict=True)
    windows = np.stack([ids[i : i + 6] for i in range(55)])
    logits = np.asarray(model.predict(windows[:, :5], verbose=0))[:, -1].astype("float64")
    nats = np.log(np.exp(logits).sum(-1)) - logits[np.arange(55), windows[:, 5]]
    np.testing.assert_allclose(before["perplexity"], np.exp(nats.mean()), rtol=1e-4)
    model.fit(batches, epochs=2, verbose=0)
    assert model.evaluate(batches, verbose=0, return_dict=True)["loss"] < before["loss"]


def test_the_metrics_of_the_user_count_the_last_step_alone():
    tokens = np.random.default_rng(0).integers(0, 9, (16, 4))
    labels = np.arange(16) % 9
    model = trained(char_lstm, 9, metrics=["sparse_categorical_accuracy"])
    found = model.evaluate(tokens, labels, verbose=0, return_dict=True)
    guesses = np.asarray(model.predict(tokens, verbose=0))[:, -1].argmax(-1)
    np.testing.assert_allclose(
        found["sparse_categorical_accuracy"], np.mean(guesses == labels), atol=1e-6
    )
    model.fit(tokens, labels, sample_weight=np.ones(16), verbose=0)
    half = np.arange(16) % 2  # a weight of 0 is as if the row were not there
    weighted = model.evaluate(tokens, labels, sample_weight=half, verbose=0)[0]
    rows = half == 1
    alone = model.evaluate(tokens[rows], labels[rows], verbose=0)[0]
    np.testing.assert_allclose(weighted, alone, rtol=1e-5)
