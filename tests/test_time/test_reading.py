"""Nats of each token: the same whatever the rows and segments."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import gru_seq2seq
from rnnzoo.errors import InputError
from rnnzoo.test_time import (
    dynamic_evaluation,
    mean_squared_gradients,
    neural_cache,
    reading,
    token_nats,
)


def alone(model, ids):
    """The nats of a text that is read in one call."""
    log = ops.convert_to_numpy(ops.log_softmax(model(np.array([ids[:-1]]))))[0]
    return -log[np.arange(len(ids) - 1), ids[1:]]


def test_a_text_in_segments_is_the_text_in_one(model, text):
    expected = alone(model, text)
    for length in (6, 64):
        nats = token_nats(model, text, sequence_length=length)
        assert np.allclose(nats, expected, atol=1e-5)


def test_rows_start_anew_and_stand_in_the_order_of_the_text(model, text):
    nats = token_nats(model, text, batch_size=2, sequence_length=6)
    expected = [alone(model, text[:24]), alone(model, text[23:])]
    assert np.allclose(nats, np.concatenate(expected), atol=1e-5)


@pytest.mark.parametrize("rows", [1, 3])
def test_documents_are_read_each_from_the_start(model, documents, rows):
    nats = token_nats(model, documents, batch_size=rows, sequence_length=6)
    expected = np.concatenate([alone(model, document) for document in documents])
    assert np.allclose(nats, expected, atol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "torch", reason="the others keep no graph")
def test_nothing_is_kept_for_gradients(model, text):
    options = {"step": reading._plain_step, "fixed": reading.trained_weights(model)}
    options |= {"kept": model.get_initial_state(1), "batch_size": 1, "sequence_length": 6}
    _, kept = reading.read(model, text, **options)
    assert not any(tensor.requires_grad for tensor in kept)


def test_translators_are_refused():
    translator = gru_seq2seq(9, 9, units=2)
    for measure in (token_nats, neural_cache):
        with pytest.raises(InputError, match="is for language models, not for a Seq2Seq"):
            measure(translator, [3, 4, 5])


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"sequence_length": 0}])
def test_sizes_that_cannot_be(model, text, wrong):
    for measure in (token_nats, neural_cache, mean_squared_gradients):
        with pytest.raises(InputError, match=f"`{next(iter(wrong))}` must be a whole number"):
            measure(model, text, **wrong)
    with pytest.raises(InputError, match=f"`{next(iter(wrong))}` must be a whole number"):
        dynamic_evaluation(model, text, [], **wrong)
