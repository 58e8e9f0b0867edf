"""What the checkpoints of a training cost: the seconds of one, over the seconds between two.

    python benchmarks/checkpoint.py

A character LSTM of 2 x 512 with its optimizer is trained on random ids and saved after each batch,
as `rnnzoo.callbacks.Checkpoints` and `rnnzoo train` save it once a minute: written, flushed to the
disk, signed and renamed, in the folder for temporary files. Training waits meanwhile, so the wall
clock over 60 seconds is the cost.
"""

import argparse
import tempfile
import time

import _common  # before Keras
import keras
import numpy as np
from _training import use_all_cores

import rnnzoo
from rnnzoo.callbacks import Checkpoints
from rnnzoo.data import stream_batches
from rnnzoo.training import fit_checkpoints

VOCABULARY, ROWS, LENGTH = 65, 32, 64


class Timed(Checkpoints):
    """Notes what each save takes: seconds of the wall clock, and of the processors."""

    def __init__(self, folder):
        super().__init__(folder, every_seconds=0)
        self.took = []

    def _save(self):
        start = time.monotonic(), time.process_time()
        super()._save()
        self.took.append((time.monotonic() - start[0], time.process_time() - start[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--saves", type=int, default=15)
    parser.add_argument("--units", type=int, default=512)
    args = parser.parse_args()
    cores = use_all_cores()
    share, fit_checkpoints.SHARE = fit_checkpoints.SHARE, 1e9  # save however long it takes
    keras.utils.set_random_seed(0)
    ids = np.random.default_rng(0).integers(0, VOCABULARY, ROWS * LENGTH * (args.saves + 1) + 1)
    model = rnnzoo.char_lstm(VOCABULARY, units=args.units, num_layers=2, dropout=0.4)
    model.compile()
    with tempfile.TemporaryDirectory() as folder:
        saves = Timed(folder)
        model.fit(stream_batches(ids, ROWS, LENGTH), callbacks=[saves], verbose=0)
        megabytes = saves.path.stat().st_size / 1e6
    wall, processor = np.array(saves.took[1:]).T
    every = fit_checkpoints.SAVE_EVERY
    row = [
        f"{args.units}", f"{model.count_params():,}", f"{megabytes:.1f}",
        *(f"{value:.2f}" for value in (np.median(wall), wall.max(), np.median(processor))),
        f"{np.median(wall) / every:.2%}", f"{wall.max() / every:.2%}",
    ]  # fmt: skip
    head = ["units", "parameters", "MB", "seconds", "slowest", "processor seconds"]
    _common.write_section(
        "Checkpoints",
        f"float32, Adam, Keras {keras.__version__}, {cores} threads, {len(wall)} saves, one after "
        f"each batch; the share is that of one save in the {every} seconds between two. A save "
        f"that took more than {share:.0%} of them makes the next one wait longer.\n\n"
        + _common.table([*head, "share", "slowest's share"], [row]),
    )


if __name__ == "__main__":
    main()
