"""S3, part 4: a padded batch gives each row what it gives alone."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import layers
from rnnzoo.errors import InputError
from rnnzoo.founding.different_lengths import pad, run_padded

LENGTHS = (3, 7, 1, 5)


def rows_of(lengths, seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=(length, 2)).astype("float32") for length in lengths]


@pytest.mark.parametrize("module", [layers, keras.layers], ids=["ours", "keras"])
@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_each_row_is_as_if_it_stood_alone(module, name):
    layer = getattr(module, name)(4, return_sequences=True)
    rows = rows_of(LENGTHS)
    outputs, last = map(ops.convert_to_numpy, run_padded(layer, *pad(rows)))
    assert outputs.shape == (4, 7, 4)
    for row, output, at_end in zip(rows, outputs, last, strict=True):
        alone = ops.convert_to_numpy(layer(row[None]))[0]  # (T, units)
        np.testing.assert_allclose(output[: len(row)], alone, atol=1e-6)
        np.testing.assert_allclose(at_end, alone[-1], atol=1e-6)
        assert (output[len(row) :] == 0).all()


def test_what_stands_in_the_padding_is_of_no_account():
    layer = layers.LSTM(4, return_sequences=True)
    padded, lengths = pad(rows_of(LENGTHS))
    clean = run_padded(layer, padded, lengths)
    padded[0, 3:] = 9.0
    for before, after in zip(clean, run_padded(layer, padded, lengths), strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (before, after)))


@pytest.mark.parametrize("rows", [[], [np.zeros((2, 3)), np.zeros((0, 3))]])
def test_an_empty_sequence_is_refused(rows):
    with pytest.raises(InputError, match="at least one step"):
        pad(rows)


@pytest.mark.parametrize(
    "rows",
    [
        [[1.0, 2.0], [3.0]],
        [np.zeros((2, 1)), np.zeros((3, 2))],
        [np.zeros((2, 3, 4))],
        [np.zeros((2, 3)), 1.0],
    ],
    ids=["flat", "features", "deep", "number"],
)
def test_sequences_that_do_not_fit_together_are_refused(rows):
    with pytest.raises(InputError, match="equally many features"):
        pad(rows)


@pytest.mark.parametrize(
    "options", [{}, {"return_sequences": True, "go_backwards": True}], ids=["last", "backwards"]
)
def test_a_layer_that_cannot_is_refused(options):
    with pytest.raises(InputError, match="return_sequences=True"):
        run_padded(layers.LSTM(4, **options), *pad(rows_of(LENGTHS)))
