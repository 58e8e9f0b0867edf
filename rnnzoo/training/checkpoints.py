"""What a training keeps on disk while it runs, so that it can be resumed."""

import csv
import json
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rnnzoo.archive import parse_json
from rnnzoo.errors import InputError
from rnnzoo.files import atomic_path, write_atomically
from rnnzoo.hardware import machine
from rnnzoo.models.checked_file import load_model_file
from rnnzoo.training.averaging import averaged_weights
from rnnzoo.training.finite import FiniteLoss
from rnnzoo.training.processes import alone
from rnnzoo.training.schedule import TrainingClock
from rnnzoo.training.snapshot import newest_whole, previous_of, read_snapshot, write_snapshot
from rnnzoo.training.state import read_counts, read_state, write_counts, write_state

SAVE_EVERY = 60  # seconds between checkpoints in a long epoch; a validation may come on top
SHARE = 0.02  # of the time, at most, that saving within an epoch may take


class Checkpoint:
    """The folder with a training's last and best state, and its progress.

    `last.keras` is the model with its optimizer and all that an exact resume needs, and
    `previous.last.keras` the one before it; `best.weights.h5` are the weights with the lowest
    validation loss, `progress.json` says how far it is, `log.csv` and `samples.txt` grow with it,
    and `rates.f64` notes the progress at each batch of a training that is limited by minutes.

    Args:
        folder: The folder.
        writes: Whether this process writes it; of several that train together one does.

    Attributes:
        progress: The content of progress.json; empty for a training that has saved nothing.
        state: What a resumed training is to go on with, arrays by name.
    """

    def __init__(self, folder: str | os.PathLike, *, writes: bool = True):
        self.folder, self.writes = Path(folder), writes
        self.progress, self.state = {}, {}
        path = self.folder / "progress.json"
        if path.is_file():
            try:
                progress = parse_json(path.read_bytes(), finite=False)
            except InputError as error:
                raise _damaged(path, error) from None
            self.progress = _checked(progress, path)

    @property
    def last(self) -> Path:
        """Path of the last model, with its optimizer."""
        return self.folder / "last.keras"

    @property
    def best(self) -> Path:
        """Path of the best weights."""
        return self.folder / "best.weights.h5"

    @property
    def log(self) -> Path:
        """Path of the log."""
        return self.folder / "log.csv"

    @property
    def samples(self) -> Path:
        """Path of the samples."""
        return self.folder / "samples.txt"

    @property
    def rates(self) -> Path:
        """Path of the progress at each batch, which sets its learning rate."""
        return self.folder / "rates.f64"

    def check(self, resume: bool, overwrite: bool = False) -> None:
        """Checks, before anything is read, that a training can begin or go on here.

        Args:
            resume: Whether to go on with the training in the folder.
            overwrite: Whether a training in the folder may be given up for a new one.

        Raises:
            InputError: If there is none to resume, or one that would be lost.
        """
        saved = self.last.is_file() or previous_of(self.last).is_file()
        if resume and not (self.progress and saved):
            raise InputError(
                f"There is no training to resume in {self.folder}; leave out --resume to start one."
            )
        if not resume and not overwrite and saved:
            minutes = self.progress.get("minutes", 0.0)
            how = "was finished" if self.progress.get("finished") else "was cut off"
            raise InputError(
                f"{self.folder} holds a training that {how} after {minutes:.1f} minutes; go on "
                "with it by --resume, give another --out, or --overwrite to give it up."
            )

    def begin(self, resume: bool, **identity: Any) -> None:
        """Begins a training in the folder, or goes on with the one that is there.

        Args:
            resume: Whether to go on.
            **identity: What must then be as it was, such as `recipe="imdb_lm"`.

        Raises:
            InputError: If the training in the folder is of something else.
        """
        if not resume:
            if self.writes:
                self._empty()
            self.progress = {}
            self.note(**identity, epoch=0, step=0, minutes=0.0, finished=False)
            return
        self.check_identity(**identity)
        if self.writes:
            self._forget_what_was_lost()

    def _empty(self):
        if self.folder.is_symlink():
            self.folder.unlink()  # what it points to is not ours
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def load(self) -> keras.Model:
        """Loads the last model that is whole, and takes up its state and its progress."""
        path = newest_whole(self.last)
        self.state, progress = read_snapshot(path)
        if progress is not None:
            self.progress = {**_checked(progress, path), "finished": self.progress["finished"]}
        return load_model_file(path)

    def check_identity(self, **identity: Any) -> None:
        """Refuses to go on with a training of something else; see `begin`."""
        for name, value in identity.items():
            noted = self.progress.get(name, "")
            if noted != value and name == "corpus_sha256":
                raise InputError(
                    f"The training in {self.folder} was begun on another text (SHA-256 "
                    f"{noted[:12]}...; the one given has {value[:12]}...); resume it with the text "
                    "that it began with, or train on this one with another --out."
                )
            if noted != value:
                raise InputError(
                    f"The training in {self.folder} has another {name} ({noted}, not {value}); "
                    "give the same arguments to resume it, or another --out."
                )

    def _forget_what_was_lost(self):
        """Takes out of the log and the samples what tells of batches after the last save."""
        lines = self.log_lines()
        saved = self.progress.get("log_lines", len(lines))  # older code noted none
        if saved < len(lines):
            write_atomically(self.log, "".join(lines[:saved]))
        if self.samples.is_file() and "samples_bytes" in self.progress:
            os.truncate(self.samples, min(self.samples_bytes(), self.progress["samples_bytes"]))

    def samples_bytes(self) -> int:
        """The size of the samples."""
        return self.samples.stat().st_size if self.samples.is_file() else 0

    def log_lines(self) -> list[str]:
        """The lines of the log, its head too; none where there is no log yet."""
        if not self.log.is_file():
            return []
        return self.log.read_text(encoding="utf-8").splitlines(keepends=True)

    def begin_segment(self, steps_per_epoch: int, **told: Any) -> None:
        """Notes where and from when on the training runs now: `progress["segments"]` has them all.

        It is written with the next save. A segment that is cut off before has left nothing.

        Args:
            steps_per_epoch: Batches of an epoch, to tell how many of one that was cut short are
                trained again; none of a training that is resumed exactly.
            **told: What else to note of it: the command, the commit of the code, the dtype.
        """
        before = self.progress.get("segments", [])
        if not before and self.progress["step"]:  # a training that older code began
            before = [{"minutes": 0.0, "machine": None, "dtype": None, "repeated": None}]
        new = {
            **told,
            "minutes": self.progress["minutes"],
            "machine": machine(),
            "exact": bool(self.state),
            "repeated": 0
            if self.state
            else self.progress["step"] - self.progress["epoch"] * steps_per_epoch,
        }
        self.progress["segments"] = [*before, new]
        self.progress["finished"] = False

    def note(self, **changes: Any) -> None:
        """Changes the progress and writes it."""
        self.progress |= changes
        if not self.writes:
            return
        text = json.dumps(self.progress, indent=2) + "\n"
        write_atomically(self.folder / "progress.json", text)


# The types of what a training's progress has, the first four always.
_KINDS = {
    "epoch": int, "step": int, "minutes": int | float, "finished": bool, "recipe": str, "seed": int,
    "corpus_sha256": str, "began": dict, "segments": list,
}  # fmt: skip
_ALWAYS = ("epoch", "step", "minutes", "finished")


def _checked(progress, path):
    """The progress that a file has, if it is one."""
    if not isinstance(progress, dict):
        raise _damaged(path, "it is no JSON object")
    for name, kind in _KINDS.items():
        if (name in progress or name in _ALWAYS) and not isinstance(progress.get(name), kind):
            raise _damaged(path, f"its {name!r} is {str(progress.get(name))[:40]!r}")
    if not all(isinstance(one, dict) for one in progress.get("segments", ())):
        raise _damaged(path, "its 'segments' are no list of objects")
    return progress


def _damaged(path, why):
    return InputError(f"{path} is damaged ({why}); delete the folder {path.parent} and train anew.")


class SaveCheckpoints(keras.callbacks.Callback):
    """Keeps the best weights by validation, and the last model with its optimizer.

    Where the optimizer averages the weights, the best ones are averages; the last model has its own
    weights, and the averages in its optimizer.

    The last model is saved after every epoch, and every minute within one, or less often where that
    would take over 2 % of the time. With it goes all that a training needs to go on as if it had
    never stopped: seeds, carried state, metrics, and what the other callbacks remember. Put it last
    among the callbacks.

    Args:
        checkpoint: The `Checkpoint`.
        clock: The `TrainingClock`.
        monitor: Name of the validation metric; the lower the better, unless the model says that
            `larger_is_better`.
        beside: The other callbacks, what they count is kept too.
        finite: What looks at the weights before they are saved, if anything.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        clock: TrainingClock,
        monitor: str,
        *,
        beside: Sequence[keras.callbacks.Callback] = (),
        finite: FiniteLoss | None = None,
    ):
        super().__init__()
        self.finite = finite
        self.checkpoint, self.clock, self.monitor = checkpoint, clock, monitor
        self.beside = list(beside)
        self._took, self._state = 0.0, None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts waiting for the next save."""
        self.saved_at = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Takes up what was saved, at the start of the first epoch after a resume."""
        state, self.checkpoint.state = self.checkpoint.state, {}
        if state:
            counts = json.loads(str(state.pop("callbacks")))
            write_state(self.model, state)
            write_counts(self.beside, counts)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Saves within a long epoch."""
        if self.model.stop_training:  # a validation comes, which takes the metrics for itself
            self._state = read_state(self.model)
        # After the last batch of an epoch its validation is still to come: saved then, it would
        # be left out.
        elif (
            self.clock.batches < self.clock.steps_per_epoch
            and time.monotonic() - self.saved_at > (max(SAVE_EVERY, self._took / SHARE))
        ):
            self._save_last()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Saves the last model, and the weights if they are the best yet."""
        self.keep_best(logs)
        self._save_last()

    def keep_best(self, logs: dict[str, float]) -> None:
        """Saves the weights if they are the best yet."""
        value, best = logs[self.monitor], self.checkpoint.progress.get("best")
        sign = -1 if self.model.larger_is_better else 1
        if best is None or sign * value < sign * best or best != best:  # all is better than NaN
            with averaged_weights(self.model):
                if self.checkpoint.writes:
                    with alone(), atomic_path(self.checkpoint.best) as path:
                        self.model.save_weights(path)
            where = {"best": float(value), "best_step": self.clock.step}
            self.checkpoint.note(**where, best_epoch=round(self._epochs(), 2))

    def _epochs(self):
        return self.clock.step / self.clock.steps_per_epoch

    def _save_last(self):
        if self.finite is not None:
            self.finite.check_weights()
        if not self.checkpoint.writes:
            return
        start, checkpoint = time.monotonic(), self.checkpoint
        state, self._state = self._state or read_state(self.model), None
        within = self.clock.step % self.clock.steps_per_epoch != 0
        if not within:  # the next epoch starts them anew
            state = {name: value for name, value in state.items() if "metrics/" not in name}
        counts = read_counts(self.beside, within=within)
        checkpoint.progress |= {
            "epoch": int(self._epochs()),
            "step": self.clock.step,
            "epochs": self.clock.total_steps // self.clock.steps_per_epoch,
            "minutes": self.clock.minutes,
            "log_lines": len(checkpoint.log_lines()),
            "samples_bytes": checkpoint.samples_bytes(),
            "stopped_by": "patience"
            if self.model.stop_training and not self.clock.stopped_by
            else self.clock.stopped_by,
        }
        with alone():
            write_snapshot(
                checkpoint.last,
                self.model,
                state=state | {"callbacks": np.array(json.dumps(counts, default=float))},
                progress=checkpoint.progress,
            )
        checkpoint.note()
        self.saved_at = time.monotonic()
        self._took = self.saved_at - start


class TrainingLog(keras.callbacks.Callback):
    """Writes a table: twenty times an epoch the training loss, after it the validation too.

    Args:
        path: The CSV file; rows are added to one that exists. `None`: nothing is written.
        clock: The `TrainingClock`.
    """

    remembered, remembered_within = (), ("seen", "total")  # as `SampleText`

    def __init__(self, path: str | os.PathLike | None, clock: TrainingClock):
        super().__init__()
        self.path, self.clock = path and Path(path), clock
        self.every = max(1, clock.steps_per_epoch // 20)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the means anew, as Keras does."""
        self.epoch, self.seen, self.total = epoch, 0, 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Adds a row with the mean loss since the last one."""
        batches = self.clock.batches
        if batches % self.every == 0:
            # Keras gives the mean over the epoch so far; take out what was seen before.
            total = logs["loss"] * batches
            self._write(loss=(total - self.total) / (batches - self.seen))
            self.seen, self.total = batches, total

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Adds the row of the epoch."""
        self._write(**{name: value for name, value in logs.items() if name != "learning_rate"})

    def _write(self, **values):
        metric = self.model.default_metric().name  # in each of several processes, as JAX wants it
        columns = ["epoch", "step", "minutes", "learning_rate", "loss", metric]
        columns += ["val_loss", f"val_{metric}"]
        row = {
            "epoch": self.epoch + 1,
            "step": self.clock.step,
            "minutes": round(self.clock.minutes, 3),
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
        }
        row |= {name: round(float(value), 5) for name, value in values.items() if name in columns}
        if self.path is None:
            return
        new = not self.path.exists() or self.path.stat().st_size == 0
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            if new:
                writer.writeheader()
            writer.writerow(row)
