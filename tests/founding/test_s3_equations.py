"""S3's Keras networks compute the document's equations: loss, gradient and whole updates."""

import keras
import numpy as np
import pytest

from rnnzoo import layers
from rnnzoo.founding import s3_from_scratch as s3
from tests import reference
from tests.founding import equations

VOCABULARY, HIDDEN, STEPS = 7, 5, 6
NAMES = sorted(equations.NETWORKS)
FORWARD = {"SimpleRNN": reference.simple_rnn, "LSTM": reference.lstm}


def weights_of(name, seed=0):
    random, gates = np.random.default_rng(seed), {"SimpleRNN": 1, "LSTM": 4}[name]
    shapes = (
        (VOCABULARY, gates * HIDDEN), (HIDDEN, gates * HIDDEN), (gates * HIDDEN,),
        (HIDDEN, VOCABULARY), (VOCABULARY,),
    )  # fmt: skip
    return [random.normal(scale=0.7, size=shape) for shape in shapes]


def chunks_of(count, seed=1):
    ids = np.random.default_rng(seed).integers(VOCABULARY, size=count * STEPS + 1, dtype="int32")
    return s3.chunks(ids, STEPS, 1)


def network_of(name, weights):
    constants = s3.Constants(hidden_units=HIDDEN)
    model = s3.network(VOCABULARY, constants, getattr(layers, name))
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value.astype("float32"))
    return model


@pytest.mark.parametrize("name", NAMES)
def test_the_backward_pass_by_hand_is_the_derivative_of_the_forward_pass(name):
    weights = weights_of(name)
    inputs, targets = (part[0, 0] for part in chunks_of(1))

    def loss(kernel, recurrent, bias, output, output_bias):
        state = [np.zeros((1, HIDDEN))] * (2 if name == "LSTM" else 1)
        x = np.eye(VOCABULARY)[inputs][None]  # (1, T, V)
        hidden, _ = FORWARD[name](x, state, kernel, recurrent, bias)
        logits = hidden[0] @ output + output_bias
        return np.sum(np.log(np.exp(logits).sum(-1)) - logits[np.arange(STEPS), targets])

    value, gradients = equations.NETWORKS[name](inputs, targets, *weights)
    assert value == pytest.approx(loss(*weights), rel=1e-12)
    for by_hand, true in zip(gradients, reference.derivatives(loss, weights), strict=True):
        np.testing.assert_allclose(by_hand, true, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_loss_and_gradients_are_those_of_the_equations(name):
    import tensorflow as tf

    weights = weights_of(name)
    inputs, targets = (part[0] for part in chunks_of(1))  # (1, T)
    model = network_of(name, weights)
    with tf.GradientTape() as tape:
        loss = s3.summed_loss(targets, model(inputs))[0]
    found = tape.gradient(loss, model.trainable_variables)
    expected_loss, expected = equations.NETWORKS[name](inputs[0], targets[0], *weights)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-5)
    for ours, by_hand in zip(found, expected, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(ours), by_hand, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_an_epoch_of_fit_is_the_updates_by_hand_one_chunk_at_a_time(name):
    import tensorflow as tf

    weights, rate, clip = weights_of(name), 0.1, 0.3
    inputs, targets = chunks_of(7)
    model = network_of(name, weights)
    model.compile(
        optimizer=keras.optimizers.SGD(rate, clipvalue=clip),
        loss=s3.summed_loss,
        steps_per_execution=3,  # which does not divide 7
    )
    history = model.fit(
        tf.data.Dataset.from_tensor_slices((inputs, targets)), shuffle=False, verbose=0
    )
    losses, clipped = [], 0
    for x, y in zip(inputs, targets, strict=True):
        loss, gradients = equations.NETWORKS[name](x[0], y[0], *weights)
        losses.append(loss)
        clipped += sum((np.abs(gradient) > clip).sum() for gradient in gradients)
        weights = [
            weight - rate * np.clip(gradient, -clip, clip)
            for weight, gradient in zip(weights, gradients, strict=True)
        ]
    assert clipped > 0
    assert history.history["loss"][0] == pytest.approx(np.mean(losses), rel=1e-5)
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, atol=2e-5)


def test_the_stable_softmax_does_not_overflow():
    np.testing.assert_allclose(equations.stable_softmax(np.array([1e4, 1e4, 0.0])), [0.5, 0.5, 0])


def test_rows_of_a_batch_are_consecutive_and_nothing_overlaps():
    inputs, targets = s3.chunks(np.arange(2 * 3 * 4 + 1), sequence_length=4, batch_size=3)
    assert inputs.shape == (2, 3, 4)
    assert inputs.reshape(-1).tolist() == list(range(24))
    assert (targets == inputs + 1).all()
    assert len(s3.chunks(np.arange(24), 4, 3)[0]) == 1  # the last target is lacking
    assert len(s3.chunks(np.zeros(1_115_394), 25, 1)[0]) * 10 == 446_150  # the document's updates


def test_the_batched_loss_is_summed_over_steps_and_averaged_over_rows():
    weights = weights_of("SimpleRNN")
    inputs, targets = (part[:, 0] for part in chunks_of(3))  # (3, T)
    model = network_of("SimpleRNN", weights)
    model.compile(loss=s3.summed_loss)
    losses = [equations.vanilla_rnn(*row, *weights)[0] for row in zip(inputs, targets, strict=True)]
    assert model.evaluate(inputs, targets, verbose=0) == pytest.approx(np.mean(losses), rel=1e-5)
