"""One of several processes that train together; `test_processes.py` starts them.

usage: python in_a_process.py FOLDER CASE PROCESSES PROCESS_ID PORT
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

import rnnzoo
from rnnzoo.data import document_batches, stream_batches
from rnnzoo.training.processes import is_first, join, own_rows, together

RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(0, 30, 8 * 5 * 25 + 1)
DOCUMENTS = [RANDOM.integers(0, 1100, length) for length in RANDOM.integers(2, 12, 27)]


def fit(folder):
    """50 steps on a stream, and documents whose last batch the processes cannot share evenly."""
    keras.utils.set_random_seed(0)
    with together():
        model = rnnzoo.LanguageModel(30, units=6, cell="gru")
        model.compile(keras.optimizers.SGD(0.5))
        stream = own_rows(stream_batches(IDS, 8, 5))  # 25 batches
        model.fit(stream, epochs=2, verbose=0, validation_data=stream)
        words = rnnzoo.LanguageModel(1100, units=6, cell="gru")
        words.compile(keras.optimizers.SGD(0.5))
        words.fit(own_rows(document_batches(DOCUMENTS, 8, shuffle=False)), epochs=2, verbose=0)
        weights = [*model.get_weights(), *words.get_weights()]
    if is_first():
        np.savez(folder / "weights.npz", *weights)


class KillLast(keras.callbacks.Callback):
    """Kills the last process, as a machine that fails would be lost."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0 and sys.argv[3] == str(int(sys.argv[4]) + 1):
            os.kill(os.getpid(), signal.SIGKILL)


def recipe(folder, kill_after=None, **options):
    from rnnzoo.publishing.train import train
    from rnnzoo.training import checkpoints
    from tests.training.test_exact_resume import RECIPES

    checkpoints.SAVE_EVERY, checkpoints.SHARE = -1, 1e9
    callbacks = [] if kill_after is None else [KillLast(kill_after)]
    text = folder.parent / "text.txt"
    train(RECIPES["streams"], out=folder, text_file=text, callbacks=callbacks, **options)


def killed(folder):
    recipe(folder, kill_after=11)


def resumed(folder):
    recipe(folder, resume=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    out, case, *numbers = sys.argv[1:]
    processes, process_id, port = map(int, numbers)
    join(processes, process_id=process_id, coordinator=f"127.0.0.1:{port}")
    globals()[case](Path(out))
