"""Streams of batches of different lengths."""

import numpy as np
import pytest

from rnnzoo.data import stream_batches, variable_stream_batches
from rnnzoo.data.variable import cuts_of

pytest.importorskip("tensorflow", reason="tf.data")


def epoch_of(batches):
    return [
        (inputs["tokens"].numpy(), inputs["reset"].numpy(), targets.numpy(), weights.numpy())
        for inputs, targets, weights in batches
    ]


@pytest.mark.parametrize("size", [700, 643, 645, 658])  # the last batch: full, of 1 id, ...
def test_every_id_is_a_target_once_and_rows_go_on(size):
    ids = np.arange(size)
    plain = stream_batches(ids, 2, 16)
    batches = variable_stream_batches(ids, 2, 16, seed=3)
    assert len(batches) == len(plain)
    found = epoch_of(batches)
    tokens, targets, weights = (
        np.concatenate([one[part] for one in found], axis=1) for part in (0, 2, 3)
    )
    real = weights > 0
    assert (targets[real] == tokens[real] + 1).all()
    expected = np.concatenate([part.numpy()[w.numpy() > 0] for _, part, w in plain])
    assert sorted(targets[real]) == sorted(expected)
    assert all(one[3].any() for one in found)
    assert [one[1].tolist() for one in found] == [[1, 1]] + [[0, 0]] * (len(found) - 1)
    lengths = {one[0].shape[1] for one in found}
    assert lengths <= {8, 12, 16, 20, 24} and len(lengths) > 3


def test_an_epoch_of_a_seed_is_always_cut_at_the_same_places():
    ids = np.arange(400)
    batches = variable_stream_batches(ids, 2, 16, seed=5)
    epochs = [[one[0].shape[1] for one in epoch_of(batches)] for _ in range(3)]
    later = variable_stream_batches(ids, 2, 16, seed=5, initial_epoch=2)
    assert [one[0].shape[1] for one in epoch_of(later)] == epochs[2] != epochs[1] != epochs[0]
    cuts = cuts_of(len(epochs[1]), sequence_length=16, seed=5, epoch=1)
    assert np.diff(cuts).tolist() == epochs[1]
