"""Dropout and weight decay by epochs, under `fit` with a compiled step."""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.callbacks import RegularizationSchedule
from rnnzoo.errors import InputError
from tests import runners


class Watch(keras.callbacks.Callback):
    """Notes the loss of each epoch, and the embedding of a token that no text has."""

    def on_train_begin(self, logs=None):
        self.losses, self.unused = [], []

    def on_epoch_end(self, epoch, logs=None):
        if keras.config.backend() == "jax":
            self.model.jax_state_sync()
        self.losses.append(logs["loss"])
        self.unused.append(ops.convert_to_numpy(self.model.embedding.embeddings)[8].copy())


@pytest.mark.slow
def test_the_rates_of_an_epoch_are_those_of_the_schedule():
    keras.utils.set_random_seed(0)
    model = rnnzoo.word_lm(
        9, units=4, embedding_dim=4, dropout=0.5, weight_drop=0.5, embedding_dropout=0.5,
        tie_embedding_weights=False,
    )  # fmt: skip
    model.compile(keras.optimizers.SGD(1e-6, weight_decay=1e5))  # a decay of 0.1, no learning
    inputs, targets, _ = runners.batch(model, batch_size=4)
    inputs, targets = inputs % 8, targets % 8
    for weight in model.trainable_variables:
        weight.assign(10 * weight)  # so that it matters what is dropped
    start = ops.convert_to_numpy(model.embedding.embeddings)[8].copy()
    watch = Watch()
    schedule = RegularizationSchedule(
        dropout=lambda epoch: [0.0, 0.0, 1.0][epoch],
        weight_decay=lambda epoch: [0.0, 1.0, 0.0][epoch],
    )
    without = model.evaluate(inputs, targets, verbose=0, return_dict=True)["loss"]
    model.fit(inputs, targets, 4, epochs=3, verbose=0, callbacks=[schedule, watch])
    assert watch.losses[0] == pytest.approx(without, rel=1e-5)
    whole = model.evaluate(inputs, targets, verbose=0, return_dict=True)["loss"]
    assert abs(watch.losses[2] - whole) > 1e-3  # of the same weights, without dropout
    decayed = [start, 0.9 * start, 0.9 * start]
    for found, expected in zip(watch.unused, decayed, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert model.optimizer.weight_decay == pytest.approx(1e5)
    assert model.recurrent.blocks[0].rate == 0.5 and model.embedding_dropout.rate == 0.5
    assert model.recurrent.recurrent_layers[0].weight_drop == 0.5


def test_what_a_schedule_cannot_do_is_refused():
    model = rnnzoo.char_lstm(9, units=4, num_layers=1)
    model.compile(keras.optimizers.SGD(), run_eagerly=runners.UNTRACED)
    inputs, targets, _ = runners.batch(model)
    for options, message in (
        ({"dropout": lambda epoch: 1.0}, "has no dropout for a schedule"),
        ({"weight_decay": lambda epoch: 1.0}, "no weight decay for a schedule"),
    ):
        with pytest.raises(InputError, match=message):
            model.fit(inputs, targets, verbose=0, callbacks=[RegularizationSchedule(**options)])
    model = rnnzoo.char_lstm(9, units=4, num_layers=1, dropout=0.5)
    model.compile(keras.optimizers.SGD(), run_eagerly=runners.UNTRACED)
    double = RegularizationSchedule(dropout=lambda epoch: 2.0)
    with pytest.raises(InputError, match=r"makes 1\.0 of the rate 0\.5"):
        model.fit(inputs, targets, verbose=0, callbacks=[double])


class Interrupt(keras.callbacks.Callback):
    """Ends a training as Ctrl-C does in a notebook: the callbacks hear of no end."""

    def on_epoch_begin(self, epoch, logs=None):
        self.rates = [block.rate for block in self.model.recurrent.blocks]
        raise KeyboardInterrupt


def test_an_interrupted_training_leaves_no_rates_behind():
    model = rnnzoo.char_lstm(9, units=4, num_layers=1, dropout=0.5)
    model.compile(keras.optimizers.SGD(weight_decay=0.1), run_eagerly=runners.UNTRACED)
    inputs, targets, _ = runners.batch(model)
    for factor, rate in ((0.0, 0.0), (0.5, 0.25), (0.5, 0.25)):  # a new one each time
        factors = {"dropout": lambda _, f=factor: f, "weight_decay": lambda _, f=factor: f}
        callbacks = [RegularizationSchedule(**factors), Interrupt()]
        with pytest.raises(KeyboardInterrupt):
            model.fit(inputs, targets, verbose=0, callbacks=callbacks)
        assert callbacks[1].rates == [rate]


class Saves(keras.callbacks.Callback):
    """Saves the model at the end of an epoch, as Keras's ModelCheckpoint does."""

    def __init__(self, path):
        super().__init__()
        self.path, self.rates = path, []

    def on_epoch_end(self, epoch, logs=None):
        self.model.save(self.path)
        self.rates.append((self.model.embedding_dropout.rate, self.model.optimizer.weight_decay))


def test_a_file_of_any_epoch_has_the_rates_as_they_were_built(tmp_path):
    model = rnnzoo.word_lm(9, units=4, embedding_dim=4, embedding_dropout=0.5)
    model.compile(keras.optimizers.SGD(weight_decay=0.1), run_eagerly=runners.UNTRACED)
    inputs, targets, _ = runners.batch(model)
    saves = Saves(tmp_path / "model.keras")
    schedules = [  # two of them: neither forgets what the other has changed
        RegularizationSchedule(dropout=lambda epoch: 0.5),
        RegularizationSchedule(weight_decay=lambda epoch: 0.0),
    ]
    model.fit(inputs, targets, verbose=0, callbacks=[*schedules, saves])
    assert saves.rates == [(0.25, 0.0)]  # they are those of the epoch again
    saved = keras.saving.load_model(saves.path)
    for one in (saved, model):
        assert one.embedding_dropout.rate == 0.5
        assert one.optimizer.weight_decay == pytest.approx(0.1)
