"""Averaged weights against their definition; what is kept of them, and what a resume finds."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo import recipes
from rnnzoo.optimizers import adam
from rnnzoo.publishing.train import train
from rnnzoo.training.averaging import ValidateAverages, averaged_weights
from rnnzoo.training.callbacks import SampleText
from tests import runners

MOMENTUM = 0.8
FAST = replace(
    recipes.get("char_lstm_tiny"),
    builder_options={"units": 4, "num_layers": 1},  # no dropout: Keras does not save its draws
    batch_size=4,
    sequence_length=8,
    sample_length=5,
    dtype="float32",
    average_weights=MOMENTUM,
)


def weights_of(model):
    return [ops.convert_to_numpy(variable).copy() for variable in model.trainable_variables]


def averages_of(model):
    with averaged_weights(model):
        return weights_of(model)


def assert_same(these, those, **tolerance):
    for one, other in zip(these, those, strict=True):
        if tolerance:
            np.testing.assert_allclose(one, other, **tolerance)
        else:
            np.testing.assert_array_equal(one, other)


class Watch(keras.callbacks.Callback):
    """Notes the weights after every batch, and at each validation."""

    def __init__(self):
        super().__init__()
        self.steps, self.validated = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(weights_of(self.model))

    def on_test_batch_end(self, batch, logs=None):
        self.validated.append(weights_of(self.model))


def expected_average(steps, momentum=lambda batches: MOMENTUM):
    """The moving average, which starts as the weights after the first batch."""
    average = steps[0]
    for batches, weights in enumerate(steps[1:], 1):
        m = momentum(batches)
        average = [m * old + (1 - m) * new for old, new in zip(average, weights, strict=True)]
    return average


def growing(batches):
    """The momentum of rnnzoo's own optimizer after so many batches."""
    return min(MOMENTUM, (1 + batches) / (10 + batches))


def test_validation_sees_the_average_and_training_its_own_weights():
    model = runners.MODELS["word_lm-gru"]()
    adam = keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=MOMENTUM)
    model.compile(adam, run_eagerly=runners.UNTRACED)
    inputs, targets, weights = runners.batch(model, batch_size=12)
    watch = Watch()
    model.fit(
        inputs, targets, 4, sample_weight=weights, shuffle=False, epochs=2, verbose=0,
        validation_data=(inputs[:4], targets[:4], weights[:4]),
        callbacks=[ValidateAverages(), watch],
    )  # fmt: skip
    assert len(watch.steps) == 6 and len(watch.validated) == 2
    for epoch in (1, 2):
        average = expected_average(watch.steps[: 3 * epoch])
        assert_same(watch.validated[epoch - 1], average, atol=1e-6)
    assert np.abs(watch.validated[1][0] - watch.steps[5][0]).max() > 1e-3
    assert_same(weights_of(model), watch.validated[1])  # Keras leaves the averages in the model

    plain = runners.MODELS["word_lm-gru"]()
    plain.compile(keras.optimizers.Adam(0.05), run_eagerly=runners.UNTRACED)
    other = Watch()
    plain.fit(
        inputs, targets, 4, sample_weight=weights, shuffle=False, epochs=2, verbose=0,
        callbacks=[other],
    )  # fmt: skip
    for mine, its in zip(watch.steps, other.steps, strict=True):
        assert_same(mine, its)  # validating with others has not touched them


def test_samples_are_written_by_the_average(monkeypatch):
    model = runners.MODELS["word_lm-gru"]()
    adam = keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=MOMENTUM)
    model.compile(adam, run_eagerly=runners.UNTRACED)
    inputs, targets, weights = runners.batch(model, batch_size=12)
    watch, writers = Watch(), []

    def generate(self, prompts, *length, **options):
        writers.append(weights_of(self))
        return ["" for _ in prompts]

    monkeypatch.setattr(type(model), "generate", generate)
    model.fit(
        inputs, targets, 4, sample_weight=weights, shuffle=False, epochs=2, verbose=0,
        callbacks=[watch, SampleText("a", every_batches=2)],
    )  # fmt: skip
    for steps, writer in zip((2, 3, 4, 6, 6), writers, strict=True):
        assert_same(writer, expected_average(watch.steps[:steps]), atol=1e-6)
        assert np.abs(writer[0] - watch.steps[steps - 1][0]).max() > 1e-3


def test_what_is_put_in_is_taken_out():
    model = rnnzoo.char_lstm(9, units=4, num_layers=1)
    model.compile(keras.optimizers.Adam(0.1, use_ema=True))
    inputs, targets, _ = runners.batch(model)
    for _ in range(3):
        model.train_on_batch(inputs, targets)
    before, average = weights_of(model), averages_of(model)
    with pytest.raises(KeyError), averaged_weights(model):
        assert_same(weights_of(model), average)
        raise KeyError
    assert_same(weights_of(model), before)
    assert_same(averages_of(model), average)
    model.compile(keras.optimizers.Adam(0.1))
    with averaged_weights(model):
        assert_same(weights_of(model), before)
    averaging = keras.optimizers.Adam(0.1, use_ema=True)  # as Keras wraps it for mixed_float16
    model.compile(keras.optimizers.LossScaleOptimizer(averaging, initial_scale=1.0))
    for _ in range(3):
        model.train_on_batch(inputs, targets)
    assert np.abs(averages_of(model)[0] - weights_of(model)[0]).max() > 1e-3


def test_the_average_of_a_short_training_is_of_its_last_ninth():
    """With Keras's own momentum of 0.999 it would still be the weights after the first batch."""
    model = rnnzoo.char_lstm(9, units=4, num_layers=1)
    model.compile(adam(0.1, use_ema=True, ema_momentum=0.999), run_eagerly=runners.UNTRACED)
    inputs, targets, _ = runners.batch(model)
    watch = Watch()
    for batch in range(12):
        model.train_on_batch(inputs, targets)
        watch.set_model(model)
        watch.on_train_batch_end(batch)
    average = expected_average(watch.steps, lambda batches: (1 + batches) / (10 + batches))
    assert_same(averages_of(model), average, atol=1e-5)
    last, first = watch.steps[-1][0], watch.steps[0][0]
    found = averages_of(model)[0]
    assert np.abs(found - last).mean() < 0.5 * np.abs(found - first).mean()


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    pytest.importorskip("tensorflow", reason="`train` reads its text by tf.data")
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("to be or not to be, " * 40)
    return path


@pytest.fixture
def unpublished(monkeypatch):
    """Ends a training before its results are measured and written."""
    monkeypatch.setattr("rnnzoo.publishing.train.write_artifact", lambda trained: trained.out)


def last(folder):
    return keras.saving.load_model(folder / "checkpoint" / "last.keras")


def test_the_best_weights_are_averages_and_the_last_are_both(text, unpublished, tmp_path):
    watch = Watch()
    out = train(FAST, text_file=text, out=tmp_path / "out", epochs=1, callbacks=[watch])
    model = last(out)
    assert_same(weights_of(model), watch.steps[-1])
    average = expected_average(watch.steps, growing)
    assert_same(averages_of(model), average, atol=1e-6)
    best = rnnzoo.LanguageModel.from_config(model.get_config())
    best.load_weights(out / "checkpoint" / "best.weights.h5")
    assert_same(weights_of(best), averages_of(model))
    assert np.abs(weights_of(best)[1] - watch.steps[-1][1]).max() > 1e-4


def test_a_resumed_training_is_one_that_was_not_cut_off(text, unpublished, tmp_path):
    whole = train(FAST, text_file=text, out=tmp_path / "whole", epochs=3)
    cut = CutOff()
    with pytest.raises(KeyboardInterrupt):
        train(FAST, text_file=text, out=tmp_path / "cut", epochs=3, callbacks=[cut])
    resumed = train(FAST, text_file=text, out=tmp_path / "cut", epochs=3, resume=True)
    mine, its = last(resumed), last(whole)
    assert_same(weights_of(mine), weights_of(its))
    assert_same(averages_of(mine), averages_of(its))


class CutOff(keras.callbacks.Callback):
    """Aborts a training in its second epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) > batch + 2:
            raise KeyboardInterrupt
