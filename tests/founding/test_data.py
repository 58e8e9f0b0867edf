"""What the networks of S0 and S4 read."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnzoo.errors import InputError
from rnnzoo.founding import s0_lasagne_char_lstm as s0
from rnnzoo.founding import s4_alice as s4
from rnnzoo.founding.folder import nats_after_windows


@given(st.integers(2, 200), st.integers(1, 12), st.integers(1, 12))
def test_the_walk_is_that_of_the_document(text_length, seq_length, batch_size):
    expected, p = [], 0
    while p + batch_size + seq_length <= text_length:
        expected.append(p)
        p += seq_length + batch_size - 1
    if not expected:
        with pytest.raises(InputError, match=f"the text has {text_length}"):
            s0.walk(text_length, seq_length, batch_size)
    else:
        assert s0.walk(text_length, seq_length, batch_size).tolist() == expected


def test_windows_start_one_character_apart_and_foretell_the_next():
    batches = [tuple(map(np.asarray, pair)) for pair in s0.window_walk(np.arange(40), 5, 3)]
    assert [windows[:, 0].tolist() for windows, _ in batches] == [
        [p, p + 1, p + 2] for p in range(0, 33, 7)
    ]
    for windows, targets in batches:
        assert (np.diff(windows) == 1).all()
        assert (targets == windows[:, -1] + 1).all()


def test_a_walk_is_repeated_from_its_start():
    walk = s0.window_walk(np.arange(40), 5, 3)
    first, second = ([np.asarray(windows) for windows, _ in walk] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_s0_reads_one_hot_characters_and_keeps_them():
    model = s0.network(6, s0.Constants(n_hidden=4))
    one_hot = model.get_layer("one_hot")
    np.testing.assert_array_equal(one_hot(np.array([[2, 5]])), np.eye(6)[[[2, 5]]])
    assert not one_hot.trainable_variables
    assert model(np.zeros((3, 9), "int32")).shape == (3, 6)  # the last step alone
    assert model(np.zeros((2, 4), "int32")).shape == (2, 6)
    softmax = s0.network(300, s0.Constants(n_hidden=200)).get_layer("softmax").kernel
    assert np.std(softmax) == pytest.approx(0.01, rel=0.05)


def test_s4_reads_one_number_from_0_to_1_for_each_character():
    model = s4.network(5, s4.Constants(units=(4, 3)))
    numbers = model.get_layer("number")(np.arange(5)[None])
    np.testing.assert_allclose(numbers, [[[0], [0.25], [0.5], [0.75], [1]]])
    assert not model.get_layer("number").trainable_variables
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Embedding", "LSTM", "Dropout", "LSTM", "Dropout", "Dense"]
    assert model(np.zeros((2, 7), "int32")).shape == (2, 5)


def test_the_loss_after_windows_that_are_spread_over_the_text():
    model = s4.network(5, s4.Constants(units=(4, 3), dropout=0.9))
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    ids = np.random.default_rng(0).integers(5, size=31).astype("int32")
    starts = [0, 6, 12, 18, 24]  # 24 + 6 is the last character
    logits = np.asarray(model(np.array([ids[at : at + 6] for at in starts])), "float64")
    right = logits[np.arange(5), ids[[at + 6 for at in starts]]]
    expected = np.mean(np.log(np.exp(logits).sum(-1)) - right)
    assert nats_after_windows(model, ids, window=6, count=5) == pytest.approx(expected, rel=1e-5)


def test_s0_has_the_adagrad_of_lasagne_and_clips_each_element():
    model = s0.network(6, s0.Constants(n_hidden=4))
    optimizer = s0.adagrad(s0.Constants(learning_rate=1.0, grad_clip=0.5))
    bias = model.get_layer("softmax").bias  # zeros
    # The first step of AdaGrad has the size of the rate, whatever the gradient ...
    optimizer.apply([np.array([9.0, -9, 0.25, 0.25, 1, 1], "float32")], [bias])
    np.testing.assert_allclose(bias, [-1, 1, -1, -1, -1, -1], rtol=1e-4)
    # ... the second shows what was added up, after clipping.
    optimizer.apply([np.array([9.0, -9, 0.25, 9, 1, 1], "float32")], [bias])
    second = 0.5 / (0.5**2 + 0.5**2) ** 0.5
    unequal = 0.5 / (0.25**2 + 0.5**2) ** 0.5
    expected = [-1 - second, 1 + second, -1 - second, -1 - unequal, -1 - second, -1 - second]
    np.testing.assert_allclose(bias, expected, rtol=1e-4)
