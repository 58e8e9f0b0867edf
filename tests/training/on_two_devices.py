"""Trains on two logical CPUs and on one, in a process of its own; `test_devices.py` reads the rest.

usage: python on_two_devices.py FOLDER CASE
"""

import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

import rnnzoo  # noqa: E402
from rnnzoo import recipes  # noqa: E402
from rnnzoo.data import document_batches, random_resets, stream_batches  # noqa: E402
from rnnzoo.errors import InputError  # noqa: E402
from rnnzoo.publishing.train import train  # noqa: E402
from rnnzoo.replicas import scope_over  # noqa: E402

SGD = keras.optimizers.SGD
RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(0, 30, 4 * 5 * 25 + 1)
DOCUMENTS = [RANDOM.integers(0, 1100, length) for length in RANDOM.integers(2, 12, 27)]


def fitted(devices, optimizer, documents=False, vocabulary=30, **options):
    """The weights and the losses of two epochs."""
    keras.utils.set_random_seed(0)
    if documents:  # of unequal length, so that the devices' tokens differ in number
        data = document_batches(DOCUMENTS, 6, shuffle=False)
    else:
        # 25 batches, in each epoch with the same resets on two devices as on one
        data = random_resets(stream_batches(IDS, 4, 5), 0.3)
    with scope_over(devices):
        model = rnnzoo.LanguageModel(vocabulary, units=6, cell="gru", **options)
        model.compile(optimizer=optimizer and optimizer())
    valid = None if optimizer else stream_batches(IDS, 4, 5)  # which takes long to trace
    curve = model.fit(data, epochs=2, verbose=0, validation_data=valid).history
    return model.get_weights(), curve


def check_equal(optimizer, tolerance, **options):
    (one, curve), (two, other) = (fitted(n, optimizer, **options) for n in (1, 2))
    for mine, its in zip(one, two, strict=True):
        np.testing.assert_allclose(its, mine, atol=tolerance)
    del curve["loss"]  # Keras counts the rows of a part batch, not its tokens
    for name, values in curve.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-2 if optimizer is None else 1e-5)


def streams(folder):
    check_equal(lambda: SGD(0.5), 1e-5)
    for devices, rows, words in ((3, 4, "TensorFlow sees 2 CPUs"), (2, 5, "multiple of 2")):
        try:
            with scope_over(devices):
                model = rnnzoo.LanguageModel(30, units=6)
                model.compile()
            model.fit(stream_batches(IDS, rows, 5), verbose=0)
        except InputError as error:
            assert words in str(error), error
        else:
            raise AssertionError(f"{words}: not refused")


def documents(folder):
    check_equal(lambda: SGD(0.5), 1e-5, documents=True, vocabulary=1100)


def penalties(folder):
    """AR and TAR count as much on two devices as on one, with logits and without."""
    for vocabulary in (30, 1100):
        check_equal(
            lambda: SGD(0.5), 1e-5, vocabulary=vocabulary, activation_regularization=2.0,
            temporal_regularization=1.0,
        )  # fmt: skip


def adam(folder):
    check_equal(None, 1e-3)  # clipped by the norm of the whole gradient


def recipe(folder):
    """A whole training, cut off and resumed, equals one that was not."""
    from rnnzoo.training import checkpoints
    from tests.training.test_exact_resume import RECIPES, KillAfter, Killed, result

    checkpoints.SAVE_EVERY, checkpoints.SHARE = -1, 1e9
    (folder / "text.txt").write_text("to be or not to be, that is the question. " * 30)
    given = {"text_file": folder / "text.txt", "devices": "all"}
    chosen = replace(RECIPES["streams"], validation_batch_size=4)
    whole = train(chosen, out=folder / "whole", **given)
    assert "Trained by 2 devices" in (whole / "card.md").read_text()
    assert rnnzoo.load(whole).generate("to be", 5, seed=1)
    try:
        train(chosen, out=folder / "cut", callbacks=[KillAfter(11)], **given)
    except Killed:
        pass
    train(chosen, out=folder / "cut", resume=True, **given)
    for one, other in zip(result(whole), result(folder / "cut"), strict=True):
        assert one == other
    assert recipes.get("char_lstm_tiny")  # the registry is as it was


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    for case in sys.argv[2:]:
        globals()[case](Path(sys.argv[1]))
