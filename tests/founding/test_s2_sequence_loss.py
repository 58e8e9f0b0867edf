"""S2's loss, its weights and its network, against NumPy and brute force."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.founding.s2_model import WordModel
from rnnzoo.founding.sequence_loss import loss_weights, sequence_loss
from rnnzoo.layers import cross_entropy
from tests.runners import gradients

RANDOM = np.random.default_rng(0)
ROWS, STEPS, WORDS = 3, 5, 7
LOGITS = RANDOM.normal(size=(ROWS, STEPS, WORDS)).astype("float32")
TARGETS = RANDOM.integers(0, WORDS, (ROWS, STEPS)).astype("int32")
WEIGHTS = RANDOM.integers(0, 4, (ROWS, STEPS)).astype("float32")
WEIGHTS[1] = 0  # a row that does not count
MODELS = {
    "one layer": {"units": [4]},
    "initial state": {"units": [4], "trainable_initial_state": True},
    "attention": {"units": [4, 3], "attention_length": 2},
    "both": {"units": [4, 3], "attention_length": 2, "trainable_initial_state": True},
}


def numpy_of(tensor):
    return ops.convert_to_numpy(tensor)


def nats_by_hand():
    nats = np.zeros((ROWS, STEPS))
    for row, step in np.ndindex(ROWS, STEPS):
        chances = np.exp(LOGITS[row, step].astype("float64"))
        nats[row, step] = -np.log(chances[TARGETS[row, step]] / chances.sum())
    return nats


def model_of(name, size=WORDS):
    keras.utils.set_random_seed(0)
    model = WordModel(size, embedding_dim=2, **MODELS[name])
    draw = np.random.default_rng(0)
    model.set_weights([draw.normal(size=weight.shape) for weight in model.get_weights()])
    return model


# --- The loss ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("timesteps", "batch"), list(itertools.product([True, False], repeat=2)))
def test_sequence_loss(timesteps, batch):
    nats = nats_by_hand()
    rows = range(ROWS) if batch else None
    steps = range(STEPS) if timesteps else None
    expected = np.zeros(
        [count for count, kept in ((ROWS, not batch), (STEPS, not timesteps)) if kept]
    )
    for index in np.ndindex(expected.shape):
        at = iter(index)
        cells = list(itertools.product(rows or [next(at)], steps or [next(at)]))
        summed = sum(nats[cell] * WEIGHTS[cell] for cell in cells)
        counted = sum(WEIGHTS[cell] for cell in cells)
        averaged = timesteps or batch
        expected[index] = (summed / counted if counted else 0.0) if averaged else summed
    for given in (LOGITS, nats.astype("float32")):
        found = sequence_loss(given, TARGETS, WEIGHTS, timesteps, batch)
        assert tuple(found.shape) == expected.shape
        np.testing.assert_allclose(numpy_of(found), expected, rtol=1e-5, atol=1e-6)


def test_weights():
    targets = np.array([[3, 5, 5, 0], [5, 0, 0, 1]], "int32")
    words = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], bool)
    found = {kind: loss_weights(kind, targets, words) for kind in ("uniform", "mask")}
    assert found["uniform"].tolist() == [[1, 1, 1, 1]] * 2
    assert found["mask"].tolist() == words.astype(float).tolist()
    assert loss_weights("by_position", targets, words).tolist() == [[1, 0.75, 0.5, 0.25]] * 2
    three = 3**-0.5  # both 5 and 0 occur three times
    np.testing.assert_allclose(
        loss_weights("by_word", targets, words),
        [[1, three, three, three], [three, three, three, 1]],
    )
    for kind in ("uniform", "by_position", "by_word", "mask"):
        weights = loss_weights(kind, targets, words)
        assert weights.dtype == "float32" and weights.shape == targets.shape
    with pytest.raises(InputError, match="did you mean 'mask'"):
        loss_weights("masks", targets, words)


# --- The network -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_by_chunks_is_the_sequence_loss(name, monkeypatch):
    monkeypatch.setattr(cross_entropy, "CHUNK_TOKENS", 4)  # 15 tokens: the last chunk is padded
    model = model_of(name)
    tokens = np.roll(TARGETS, 1, axis=1)
    inputs = {"tokens": tokens, "labels": TARGETS, "weights": WEIGHTS}
    ways = (
        lambda: model(inputs, training=True)["mean"],
        lambda: sequence_loss(model(tokens), TARGETS, WEIGHTS),
    )
    assert float(ways[0]()) == pytest.approx(float(ways[1]()), rel=1e-5)
    variables = model.trainable_variables
    for variable, mine, its in zip(
        variables, *(gradients(way, variables) for way in ways), strict=True
    ):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-6, err_msg=variable.path)
        assert np.abs(mine).max() > 0, variable.path


@pytest.mark.parametrize("size", [WORDS, 1100])  # as a whole, and in chunks
def test_fit_shows_the_sequence_loss(size):
    model = model_of("initial state", size)
    expected = float(sequence_loss(model(TARGETS), TARGETS, WEIGHTS))
    model.compile(keras.optimizers.RMSprop(1e-4), run_eagerly=True)
    loss, *_ = model.train_on_batch(TARGETS, TARGETS, WEIGHTS)
    assert loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_step_by_step_is_the_whole_sequence(name):
    model = model_of(name)
    state, logits = model.get_initial_state(ROWS), []
    for step in range(STEPS):
        scores, state = model.step(TARGETS[:, step], state)
        logits.append(numpy_of(scores))
    np.testing.assert_allclose(np.stack(logits, 1), numpy_of(model(TARGETS)), atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_writing_takes_the_likeliest_each_time(name):
    model = model_of(name)
    written = [1]
    for _ in range(6):
        logits = numpy_of(model(np.array([written], "int32")))
        written.append(int(logits[0, -1].argmax()))
    assert model.write(1, 6).tolist() == written[1:]


def test_nats():
    model = model_of("one layer")
    found = model.nats(TARGETS, TARGETS, batch_size=2)  # the last batch has one row
    logits = numpy_of(model(TARGETS)).astype("float64")
    right = np.take_along_axis(logits, TARGETS[..., None], -1)[..., 0]
    np.testing.assert_allclose(found, np.log(np.exp(logits).sum(-1)) - right, atol=1e-5)


def test_the_initial_state_is_learnt_only_where_asked_for():
    plain, learnt = model_of("one layer"), model_of("initial state")
    assert len(learnt.trainable_weights) == len(plain.trainable_weights) + 2
    assert all((numpy_of(part) == 0).all() for part in plain.get_initial_state(2))
    fresh = WordModel(WORDS, embedding_dim=2, units=[4], trainable_initial_state=True)
    assert all((numpy_of(part) == 0).all() for part in fresh.get_initial_state(2))
    for part in learnt.get_initial_state(2):  # random now: the same for every row
        part = numpy_of(part)
        assert part.shape == (2, 4) and (part[0] == part[1]).all() and part.any()


@pytest.mark.parametrize("name", MODELS)
def test_saving(name, tmp_path):
    model = model_of(name)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy_of(again(TARGETS)), numpy_of(model(TARGETS)))
    assert again.get_config() == model.get_config()


@pytest.mark.parametrize(("words", "features", "units"), [(0, 2, [4]), (7, 0, [4]), (7, 2, [4, 0])])
def test_sizes_that_cannot_be(words, features, units):
    with pytest.raises(InputError, match="at least 1"):
        WordModel(words, embedding_dim=features, units=units)
