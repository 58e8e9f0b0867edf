"""`Checkpoints` under plain `fit`: killed, run again, and compared with an unbroken training."""

import os
import resource
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnzoo import char_lstm, gru_seq2seq
from rnnzoo.callbacks import Checkpoints, SampleText
from rnnzoo.data.batches import pair_batches, stream_batches
from rnnzoo.data.resets import random_resets
from rnnzoo.errors import InputError
from rnnzoo.training import fit_checkpoints
from rnnzoo.training.snapshot import previous_of, write_snapshot
from rnnzoo.vocabulary import Vocabulary

TEXT = "to be or not to be, that is the question. " * 12


class Killed(Exception):
    """Stands for a SIGKILL inside this process."""


class KillAfter(keras.callbacks.Callback):
    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_begin(self, batch, logs=None):
        if self.left == 0:
            raise Killed
        self.left -= 1


def streams():
    vocabulary = Vocabulary.from_text(TEXT)
    model = char_lstm(vocabulary, units=4, num_layers=1, dropout=0.3)
    batches = stream_batches(vocabulary.encode(TEXT), 4, 16)
    return model, random_resets(batches, 0.5, seed=2)


def pairs():
    model = gru_seq2seq(9, 9, units=4, embedding_dim=4, dropout=0.3)
    ids = [[3 + (row + step) % 6 for step in range(2 + row % 3)] for row in range(40)]
    return model, pair_batches(ids, ids, batch_size=8, start_id=1, end_id=2, seed=3)


def shuffled():
    model = char_lstm(9, units=4, num_layers=1, dropout=0.3)
    ids = np.arange(24 * 6).reshape(24, 6) % 9
    data = tf.data.Dataset.from_tensor_slices((ids[:, :-1], ids[:, 1:]))
    return model, data.shuffle(24, seed=5).batch(4, drop_remainder=True)


def train(make, folder, *, kill_after=None, epochs=3, average=True):
    """The lines of a user, with a save after each batch; returns all that they leave."""
    keras.utils.set_random_seed(7)
    model, batches = make()
    model.compile(optimizer=keras.optimizers.Adam(0.01, use_ema=average, ema_momentum=0.9))
    patience = keras.callbacks.EarlyStopping("loss", patience=5)
    callbacks = [patience, Checkpoints(folder, every_seconds=0)]
    callbacks += [] if kill_after is None else [KillAfter(kill_after)]
    history = None
    try:
        history = model.fit(batches, epochs=epochs, callbacks=callbacks, verbose=0, shuffle=False)
    except Killed:
        pass
    values = [*model.weights, *model.optimizer.variables]
    return [np.asarray(value).tobytes() for value in values], history, patience


@pytest.fixture(autouse=True)
def always_due(monkeypatch):
    monkeypatch.setattr(fit_checkpoints, "SHARE", 1e9)


@pytest.mark.parametrize(
    "make",
    [
        streams,
        pytest.param(pairs, marks=pytest.mark.slow),
        pytest.param(shuffled, marks=pytest.mark.slow),
    ],
)
def test_the_same_lines_go_on_exactly(make, tmp_path, capsys):
    whole, history, patience = train(make, tmp_path / "whole")
    batches = len(make()[1])
    train(make, tmp_path / "cut", kill_after=2)
    assert "Going on" not in capsys.readouterr().out
    train(make, tmp_path / "cut", kill_after=batches)  # in the second epoch
    cut, last_history, last_patience = train(make, tmp_path / "cut")
    assert "1 epochs and 2 batches are trained" in capsys.readouterr().out
    assert cut == whole
    assert last_history.history["loss"] == history.history["loss"][1:]
    assert (last_patience.best, last_patience.wait) == (patience.best, patience.wait)


def test_a_finished_training_is_not_trained_again(tmp_path):
    whole, *_ = train(streams, tmp_path / "run", epochs=1)
    again, history, _ = train(streams, tmp_path / "run", epochs=1)
    assert again == whole and history.history == {}


def test_a_training_that_is_stopped_early(tmp_path, capsys):
    """The loss falls, so that by its maximum the first epoch is the best."""

    def stopped(folder, kill_after=None):
        keras.utils.set_random_seed(7)
        model, batches = streams()
        model.compile(optimizer=keras.optimizers.Adam(0.01))
        stop = keras.callbacks.EarlyStopping(
            "loss", mode="max", patience=2, restore_best_weights=True
        )
        callbacks = [Checkpoints(folder), stop]  # the order does not matter
        callbacks += [] if kill_after is None else [KillAfter(kill_after)]
        try:
            history = model.fit(batches, epochs=9, callbacks=callbacks, verbose=0).history
        except Killed:
            return None
        return [value.tobytes() for value in model.get_weights()], len(history.get("loss", []))

    steps = len(streams()[1])
    best, epochs = stopped(tmp_path / "whole")
    assert epochs == 3
    assert stopped(tmp_path / "cut", kill_after=2 * steps + 1) is None
    assert stopped(tmp_path / "cut") == (best, 1)
    assert stopped(tmp_path / "cut") == (best, 0)  # it is over, and stays so
    assert "EarlyStopping has ended this training" in capsys.readouterr().out


@pytest.mark.slow
def test_more_epochs_go_on(tmp_path):
    train(streams, tmp_path / "run")
    longer, *_ = train(streams, tmp_path / "run", epochs=4)
    assert longer == train(streams, tmp_path / "other", epochs=4)[0]


@pytest.mark.slow
def test_a_damaged_checkpoint_is_told_of_and_not_used(tmp_path, capsys):
    whole, *_ = train(streams, tmp_path / "whole")
    train(streams, tmp_path / "cut", kill_after=4)
    last = tmp_path / "cut" / "last.keras"
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes(content)
    assert train(streams, tmp_path / "cut")[0] == whole
    assert "is damaged: going on from the one before it" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits of a process")
def test_a_full_disk_leaves_the_checkpoints_whole(tmp_path):
    train(streams, tmp_path, kill_after=4)
    model, _ = streams()
    model.compile()
    last, before = tmp_path / "last.keras", previous_of(tmp_path / "last.keras")
    found = last.read_bytes(), before.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for size in (0, 1000, 20_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            with pytest.raises(InputError, match=r"cannot be (saved|written).*; .*free"):
                write_snapshot(last, model, state={"a": np.zeros(300)}, progress={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (last.read_bytes(), before.read_bytes()) == found
    assert sorted(tmp_path.iterdir()) == [last, before]


def test_what_cannot_be_resumed_is_refused(tmp_path):
    model, batches = shuffled()
    model.compile()
    arrays = np.zeros((4, 5), int)
    callback = Checkpoints(tmp_path / "run")
    for data, options, sentence in [
        ((arrays, arrays), {}, "a tf.data.Dataset, and the data are a ndarray"),
        ((batches,), {"steps_per_epoch": 2}, "leave out steps_per_epoch"),
        ((batches,), {"initial_epoch": 1}, "leave out initial_epoch"),
    ]:
        with pytest.raises(InputError, match=sentence):
            model.fit(*data, callbacks=[callback], verbose=0, **options)
    with pytest.raises(InputError, match="2 callbacks would resume"):
        model.fit(batches, callbacks=[callback, callback], verbose=0)
    with pytest.raises(InputError, match="`every_seconds` must be a number of seconds, not -1"):
        Checkpoints(tmp_path, every_seconds=-1)
    plain = keras.Sequential([keras.layers.Dense(1)])
    plain.compile(loss="mse")
    with pytest.raises(InputError, match="is for models of rnnzoo"):
        plain.fit(np.zeros((2, 1)), np.zeros((2, 1)), callbacks=[callback], verbose=0)


def test_the_checkpoint_of_another_model_is_refused(tmp_path):
    train(streams, tmp_path, kill_after=2)
    with pytest.raises(InputError, match="of another model or optimizer"):
        train(pairs, tmp_path)
    with pytest.raises(InputError, match="of another model or optimizer"):
        train(streams, tmp_path, average=False)


def test_other_callbacks_than_before_are_refused(tmp_path):
    model, batches = streams()
    model.compile()
    model.fit(batches, callbacks=[Checkpoints(tmp_path)], verbose=0)
    samples = SampleText("to", max_new_tokens=2, every_epochs=None)
    with pytest.raises(InputError, match="saved with 0 callbacks that count something, and now"):
        model.fit(batches, epochs=2, callbacks=[samples, Checkpoints(tmp_path)], verbose=0)
