"""Penalties on the activations (AR and TAR) against their definition, in every path of the loss."""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.errors import InputError
from rnnzoo.layers import RecurrentStack
from rnnzoo.models import chunked_loss
from tests import runners

AR, TAR = 2.0, 0.5


def penalty(dropped, outputs):
    changes = np.diff(outputs, axis=1)
    return AR * np.mean(dropped**2), TAR * np.mean(changes**2)


def test_the_penalties_are_their_definition_and_of_training_alone():
    stack = RecurrentStack(
        4, num_layers=2, dropout=0.5, activation_regularization=AR, temporal_regularization=TAR
    )
    inputs = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("float32")
    outputs = ops.convert_to_numpy(stack(inputs)[0])
    assert stack.losses == []
    stack.blocks[0].rate = 0.0  # so that the last layer reads what it read without dropout
    dropped = ops.convert_to_numpy(stack(inputs, training=True)[0])
    found = [float(loss) for loss in stack.losses]
    np.testing.assert_allclose(found, penalty(dropped, outputs), rtol=1e-4)
    assert (dropped == 0).any() and found[1] > 0
    stack(inputs[:, :1], training=True)  # one step has no change
    assert float(stack.losses[1]) == 0


@pytest.mark.parametrize("large", [False, True])  # the softmax in chunks, or all logits
def test_a_step_adds_them_to_the_loss(large, monkeypatch):
    monkeypatch.setattr(chunked_loss, "LARGE", 2 if large else 1024)
    keras.utils.set_random_seed(0)
    model = rnnzoo.char_lstm(
        9, units=4, num_layers=1, activation_regularization=AR, temporal_regularization=TAR
    )
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=runners.UNTRACED)
    inputs, targets, _ = runners.batch(model)
    plain = model.evaluate(inputs, targets, verbose=0, return_dict=True)["loss"]
    outputs = ops.convert_to_numpy(model.recurrent(model.embedding(inputs))[0])
    trained = model.train_on_batch(inputs, targets, return_dict=True)["loss"]
    assert trained == pytest.approx(plain + sum(penalty(outputs, outputs)), rel=1e-4)
    again = rnnzoo.LanguageModel.from_config(model.get_config())
    assert again.recurrent.own_config()["temporal_regularization"] == TAR


def test_a_negative_penalty_is_refused():
    with pytest.raises(InputError, match="`temporal_regularization` must be at least 0, not -1"):
        RecurrentStack(4, temporal_regularization=-1)
