"""Dynamic evaluation against a loop that is written out."""

import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.gradients import gradients
from rnnzoo.test_time import (
    choose_rates,
    dynamic_evaluation,
    mean_squared_gradients,
    reading,
    token_nats,
)
from rnnzoo.test_time.dynamic import EPSILON
from rnnzoo.test_time.reading import weights_in_place

LENGTH = 6


@pytest.fixture(scope="module")
def squares(model, text):
    return mean_squared_gradients(model, text[::-1].copy(), sequence_length=LENGTH)


def values_of(model):
    return [ops.convert_to_numpy(variable).copy() for variable in model.trainable_variables]


def segment(model, values, ids, state):
    """The gradients, the nats and the new state of one segment, with whatever weights."""

    def nats(values):
        with weights_in_place(model, values):
            logits, new = model(np.array([ids[:-1]]), state, return_state=True)
        log = ops.log_softmax(logits)[0]
        nats = -ops.sum(log * ops.one_hot(ids[1:], 7), axis=-1)
        return ops.sum(nats) / LENGTH, (nats, new)

    found, (nats, new) = gradients(nats, values)
    return [ops.convert_to_numpy(each) for each in found], ops.convert_to_numpy(nats), new


def segments(text):
    return [text[start : start + LENGTH + 1] for start in range(0, len(text) - 1, LENGTH)]


def test_mean_squared_gradients(model, text):
    sums, state = 0.0, None
    for ids in segments(text):
        found, _, state = segment(model, values_of(model), ids, state)
        sums = sums + np.concatenate([each.ravel() ** 2 for each in found])
    found = mean_squared_gradients(model, text, sequence_length=LENGTH)
    found = np.concatenate([ops.convert_to_numpy(each).ravel() for each in found])
    assert np.allclose(found, sums / len(segments(text)), rtol=1e-3, atol=1e-9)


def test_it_is_the_loop_of_the_paper(model, text, squares):
    rate, decay, trained = 0.02, 0.1, values_of(model)
    roots = [np.sqrt(ops.convert_to_numpy(each)) for each in squares]
    mean = np.concatenate([root.ravel() for root in roots]).mean()
    values, state, expected = trained, None, []
    for ids in segments(text):
        found, nats, state = segment(model, values, ids, state)
        expected.extend(nats)
        values = [
            value
            - rate * gradient / (root + EPSILON * mean)
            + np.minimum(decay * root / mean, 1.0) * (old - value)
            for value, gradient, root, old in zip(values, found, roots, trained, strict=True)
        ]
    numbers = {"rate": rate, "decay": decay, "sequence_length": LENGTH}
    nats = dynamic_evaluation(model, text, squares, **numbers)
    assert np.allclose(nats, expected, atol=1e-4)
    assert np.abs(nats - token_nats(model, text, sequence_length=LENGTH)).max() > 0.01


def test_a_rate_of_zero_is_plain_evaluation(model, text, documents, squares):
    options = {"sequence_length": LENGTH}
    for ids in (text, documents):
        nats = dynamic_evaluation(model, ids, squares, rate=0.0, decay=0.5, **options)
        assert np.allclose(nats, token_nats(model, ids, **options), atol=1e-6)


def test_the_model_stays_as_it_is(model, text, squares, monkeypatch):
    before, made = values_of(model), reading.StreamDataset.__getitem__

    def interrupted(dataset, index):
        if index == 3:
            raise KeyboardInterrupt
        return made(dataset, index)

    dynamic_evaluation(model, text, squares, sequence_length=LENGTH)
    monkeypatch.setattr(reading.StreamDataset, "__getitem__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dynamic_evaluation(model, text, squares, sequence_length=LENGTH)
    for old, new in zip(before, values_of(model), strict=True):
        assert np.array_equal(old, new)


def test_rates_are_chosen_by_what_they_reach(model, squares):
    repeated = np.tile([1, 4, 2, 6], 20)
    options = {"sequence_length": LENGTH}
    chosen = choose_rates(model, repeated, squares, rates=(0.0, 0.03), decays=(0.0, 1.0), **options)
    assert chosen == {"rate": 0.03, "decay": 0.0}
    nats = dynamic_evaluation(model, repeated, squares, **chosen, **options)
    assert nats[-20:].mean() < nats[:20].mean() - 0.5


@pytest.mark.parametrize("wrong", [{"rate": -1.0}, {"rate": float("nan")}, {"decay": 1.5}])
def test_rates_that_cannot_be(model, text, squares, wrong):
    with pytest.raises(InputError, match="`rate` must be at least 0, and `decay` from 0 to 1"):
        dynamic_evaluation(model, text, squares, **wrong)
