"""The neural cache against a plain loop."""

import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.test_time import choose_cache, neural_cache, token_nats

SHARE, THETA, SIZE, SYMBOLS = 0.3, 2.0, 9, 7


def distributions(model, ids):
    """The probabilities of each next token, `(tokens, symbols)`, by the equations of the paper."""
    hidden, _ = model.hidden(np.array([ids[:-1]]))
    plain = ops.convert_to_numpy(ops.softmax(model.logits(hidden)))[0]
    hidden, found = ops.convert_to_numpy(hidden)[0], []
    for now in range(len(ids) - 1):
        past = range(max(0, now - SIZE), now)
        scores = np.exp([THETA * hidden[now] @ hidden[then] for then in past])
        cache = np.zeros(SYMBOLS)
        for then, score in zip(past, scores, strict=True):
            cache[ids[then + 1]] += score / scores.sum()
        found.append((1 - SHARE) * plain[now] + SHARE * cache if len(past) else plain[now])
    return np.array(found)


def nats_of(model, ids):
    found = distributions(model, ids)
    return -np.log(found[np.arange(len(ids) - 1), ids[1:]])


OPTIONS = {"size": SIZE, "share": SHARE, "theta": THETA, "sequence_length": 6}


def test_it_is_the_loop_of_the_paper(model, text):
    assert np.allclose(neural_cache(model, text, **OPTIONS), nats_of(model, text), atol=1e-4)


def test_each_document_starts_with_an_empty_cache(model, documents):
    expected = np.concatenate([nats_of(model, document) for document in documents])
    for rows in (1, 2):
        nats = neural_cache(model, documents, batch_size=rows, **OPTIONS)
        assert np.allclose(nats, expected, atol=1e-4)


def test_the_probabilities_sum_to_one(model, text):
    texts = [np.append(text[:24], symbol) for symbol in range(SYMBOLS)]
    last = [neural_cache(model, each, **OPTIONS)[-1] for each in texts]
    assert np.exp(-np.array(last)).sum() == pytest.approx(1.0, abs=1e-4)


def test_no_share_is_plain_evaluation(model, text):
    nats = neural_cache(model, text, **{**OPTIONS, "share": 0.0})
    assert np.allclose(nats, token_nats(model, text, sequence_length=6), atol=1e-6)


def test_numbers_are_chosen_by_what_they_reach(model):
    repeated = np.tile([1, 4, 2, 6, 0, 3], 8)
    options = {"size": SIZE, "sequence_length": 6}
    chosen = choose_cache(model, repeated, shares=(0.5, 0.01), thetas=(5.0, 0.1), **options)
    means = {
        (share, theta): neural_cache(model, repeated, share=share, theta=theta, **options).mean()
        for share in (0.5, 0.01)
        for theta in (5.0, 0.1)
    }
    assert (chosen["share"], chosen["theta"]) == min(means, key=means.get)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "`size` must be a whole number"),
        ({"share": 1.0}, "`share` must be at least 0 and below 1"),
        ({"theta": -1.0}, "`theta` must be at least 0, not -1.0"),
    ],
)
def test_numbers_that_cannot_be(model, text, wrong, message):
    with pytest.raises(InputError, match=message):
        neural_cache(model, text, **wrong)
