"""Checkpoints for plain `fit`: the same lines, run again, go on where they were cut off."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.files import check_output
from rnnzoo.models.base import ZooModel
from rnnzoo.training.checkpoints import SAVE_EVERY, SHARE
from rnnzoo.training.snapshot import newest_whole, read_snapshot, write_snapshot
from rnnzoo.training.state import (
    has_run_out,
    read_best_weights,
    read_counts,
    read_state,
    write_best_weights,
    write_counts,
    write_state,
)


class Checkpoints(keras.callbacks.Callback):
    """Saves a training while it runs, and goes on exactly where it was cut off.

    Run the same lines again after a crash or a kill. `fit` then ends with the weights of a training
    that was never cut off, bit for bit on one machine. What is saved: weights, optimizer, averages,
    the states of all seed generators (which Keras's `BackupAndRestore` leaves out), the state that
    streams carry, the metrics of the epoch, the place in the data, and what other callbacks
    remember: those of rnnzoo, `EarlyStopping`, `ReduceLROnPlateau` and `ModelCheckpoint`, wherever
    they stand in the list. A training that `EarlyStopping` has ended goes on when it is given more
    patience.

    The last two checkpoints are kept, each with its own checksum. A damaged one is found; then the
    one before it is used, with a message.

    The data must come in the same order when the lines are run again: those of `rnnzoo.data` do,
    and so does a `tf.data.Dataset` that is shuffled with a seed.

    Args:
        folder: The folder for the checkpoints. One folder is for one training.
        every_seconds: Save so often within an epoch, or less often where that would take over 2 %
            of the time. Every epoch is saved at its end; where the number of batches is not known,
            only then.

    Raises:
        InputError: If the folder cannot be written, or `every_seconds` is below 0. From `fit`:
            if the model is not one of rnnzoo, the data are no `tf.data.Dataset`, or the checkpoints
            are of another model.

    Example:
        ```python
        model.fit(train, epochs=20, callbacks=[rnnzoo.callbacks.Checkpoints("runs/romeo")])
        ```
    """

    def __init__(self, folder: str | os.PathLike, *, every_seconds: float = SAVE_EVERY):
        super().__init__()
        if not every_seconds >= 0:
            raise InputError(
                f"`every_seconds` must be a number of seconds, not {every_seconds!r}; give 60."
            )
        check_output(folder, option="folder")
        self.path = Path(folder) / "last.keras"
        self.every_seconds = every_seconds
        self._epoch = self._batch = 0
        self._batches, self._state, self._took = None, {}, 0.0
        self.is_over = False

    def resume(
        self, model: keras.Model, batches: Any, *, callbacks: Sequence[keras.callbacks.Callback]
    ) -> tuple[int, int]:
        """Puts back what was saved, for `fit`.

        Args:
            model: The compiled model.
            batches: The data.
            callbacks: All callbacks of `fit`.

        Returns:
            The epoch, and how many of its batches were trained already. 0, 0 for a new training.

        Raises:
            InputError: As the class says.
        """
        if not hasattr(batches, "element_spec"):
            raise InputError(
                f"Checkpoints goes on within the epochs of a tf.data.Dataset, and the data are a "
                f"{type(batches).__name__}; make one of them, as `rnnzoo.data.batches` does."
            )
        length = int(batches.cardinality())
        self._batches = length if length > 0 else None
        self._epoch = self._batch = 0
        self._beside, self.is_over = list(callbacks), False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Makes the metrics, which go on within an epoch. Without them `fit` would build model and
        # metrics from a batch of its data (on JAX, on several devices), and so begin an epoch more.
        model.evaluate(_blank(batches), verbose=0)
        newest = newest_whole(self.path)
        if newest is None:
            return 0, 0
        self._state, progress = read_snapshot(newest)
        self._put_back(model, keras.saving.load_model(newest), newest=newest)
        self._epoch, self._batch = progress["epoch"], progress["batch"]
        print(
            f"Going on from {newest}: {self._epoch} epochs and {self._batch} batches are trained."
        )
        self._put_back_counts()
        self.is_over = any(map(has_run_out, self._beside))
        if self.is_over:
            print("EarlyStopping has ended this training; more patience goes on.")
        return self._epoch, self._batch

    def _put_back(self, model, saved, newest):
        pairs = list(zip(model.weights, saved.weights, strict=False))
        pairs += zip(model.optimizer.variables, saved.optimizer.variables, strict=False)
        counts = [len(each.weights) + len(each.optimizer.variables) for each in (model, saved)]
        if len(set(counts)) > 1 or any(old.shape != new.shape for old, new in pairs):
            raise InputError(
                f"{newest} is a checkpoint of another model or optimizer than the one that is "
                "trained; give Checkpoints another folder, or delete this one."
            )
        for variable, value in pairs:
            variable.assign(value)

    def set_model(self, model: keras.Model) -> None:
        """Notes the model, which `fit` of another class could not go on with."""
        if not isinstance(model, ZooModel):
            raise InputError(
                f"Checkpoints is for models of rnnzoo, and {model.name!r} is a "
                f"{type(model).__name__}; take keras.callbacks.BackupAndRestore for it."
            )
        super().set_model(model)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts waiting for the next save. What others count, they have begun anew."""
        self._saved_at = time.monotonic()
        self._put_back_counts()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Puts the state back, at the start of the first epoch after a resume."""
        if self._state:
            write_state(self.model, self._state)
            self._put_back_counts()
            self._state = {}

    def _put_back_counts(self):
        if self._state:
            write_counts(self._beside, json.loads(str(self._state["callbacks"])))
            write_best_weights(self._beside, self._state)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Saves within a long epoch."""
        self._batch += 1
        due = time.monotonic() - self._saved_at > max(self.every_seconds, self._took / SHARE)
        # Not after the last batch of an epoch, whose validation is still to come.
        if due and self._batches and self._batch < self._batches and not self.model.stop_training:
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Saves the end of an epoch."""
        self._epoch, self._batch = epoch + 1, 0
        self._save()

    def _save(self):
        start = time.monotonic()
        state = read_state(self.model)
        if not self._batch:  # the next epoch starts the metrics anew
            state = {name: value for name, value in state.items() if "metrics/" not in name}
        counts = read_counts(self._beside, within=self._batch > 0)
        write_snapshot(
            self.path,
            self.model,
            state={
                **state,
                **read_best_weights(self._beside),
                "callbacks": np.array(json.dumps(counts, default=float)),
            },
            progress={"epoch": self._epoch, "batch": self._batch},
        )
        self._saved_at = time.monotonic()
        self._took = self._saved_at - start


def _blank(batches):
    """One batch of zeros, with as many rows and steps as `batches` has, or 1 where that is open."""
    import tensorflow as tf

    def zeros(spec):
        return tf.zeros([size or 1 for size in spec.shape], spec.dtype)

    batch = tf.nest.map_structure(zeros, batches.element_spec)
    return tf.data.Dataset.from_tensors(batch)
