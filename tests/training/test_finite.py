"""A training that diverges ends in a sentence, and keeps the weights that it had before."""

import json
import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from rnnzoo import zoo
from rnnzoo.errors import InputError
from rnnzoo.models import char_lstm
from rnnzoo.publishing.train import train
from rnnzoo.training import checkpoints
from rnnzoo.training.finite import FiniteLoss
from tests.training.test_exact_resume import RECIPES


class Poison(keras.callbacks.Callback):
    """Makes a weight NaN before a batch."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.batch:
            variable = self.model.trainable_variables[0]
            variable.assign(variable * math.nan)


def test_a_loss_that_is_not_finite(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SAVE_EVERY", -1)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question. " * 30)
    sentence = (
        r"After batch 5 \(5 of its epoch\) the loss is nan: the training has diverged; those of "
        r"batch 4 are in .*out/checkpoint/last.keras, and a learning_rate below .* may help\."
    )
    with pytest.raises(InputError, match=sentence):
        train(
            RECIPES["streams"], out=tmp_path / "out", text_file=tmp_path / "text.txt",
            callbacks=[Poison(4)],
        )  # fmt: skip
    folder = tmp_path / "out" / "checkpoint"
    assert json.loads((folder / "progress.json").read_text())["step"] == 4
    model = zoo.load(folder / "last.keras")
    assert all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)
    assert not (tmp_path / "out" / "model.keras").exists()
    damaged = json.loads((folder / "progress.json").read_text())
    for progress in ([], {**damaged, "step": "4"}, {**damaged, "minutes": None}, {"epoch": 1}):
        (folder / "progress.json").write_text(json.dumps(progress))
        with pytest.raises(InputError, match=r"progress.json is damaged \(it"):
            checkpoints.Checkpoint(folder)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = char_lstm(9, units=2)
    model.compile()
    clock = SimpleNamespace(step=7, batches=7)
    finite = FiniteLoss(clock, SimpleNamespace(progress={}, last=tmp_path))
    finite.set_model(model)
    finite.check_weights()
    finite.on_train_batch_end(6, {"loss": 1e30})
    model.head.bias.assign(np.full(9, np.inf))
    with pytest.raises(InputError, match=r"the weight .*head/bias is nan.* no weights were saved"):
        finite.check_weights()
    with pytest.raises(InputError, match="the loss is inf"):
        finite.on_train_batch_end(6, {"loss": math.inf})
