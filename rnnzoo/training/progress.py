"""What a training shows of its progress."""

import os
import sys
from typing import Any, Self

import keras

from rnnzoo.training.schedule import TrainingClock

FEW_BATCHES = 50  # a model that was trained on fewer has hardly begun


class ProgressLine(keras.callbacks.Callback):
    """Prints a line for each epoch, as a log has it.

    An epoch that was cut short is told with the batches that it had.

    Args:
        clock: The `TrainingClock`, which stands before it among the callbacks.
        epochs: The maximum number of epochs.
    """

    def __init__(self, clock: TrainingClock, epochs: int):
        super().__init__()
        self.clock, self.epochs = clock, epochs
        self._batches = 0
        self._warned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        pass

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the batches of the epoch anew."""
        self._epoch, self._batches = epoch, self.clock.batches

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the batch, and warns early of a budget that allows few batches."""
        self._batches = self.clock.batches
        if not self._warned and self.clock.step >= 3:
            self._warned = True
            warn_of_few_batches(self.clock)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes the line of the epoch."""
        of, spent = self.clock.steps_per_epoch, _time(self.clock.seconds)
        print(
            f"{self._name()}: {self._batches:,}/{of:,} batches, {spent}, {_values(logs)}",
            flush=True,
        )

    def _name(self):
        return f"Epoch {self._epoch + 1}/{self.epochs}"


class ProgressBar(ProgressLine):
    """Shows on a terminal a bar of the running epoch, the time left of the training and the loss.

    What is printed meanwhile, a line for each epoch and the samples, goes above the bar. It is
    shown while it is entered (`with`), so that a training that fails leaves the terminal as it was.

    Args:
        clock: The `TrainingClock`, which stands before it among the callbacks.
        epochs: The most epochs.
    """

    def __init__(self, clock: TrainingClock, epochs: int):
        from rich import progress

        super().__init__(clock, epochs)
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn(
                "{task.completed:,.0f}/{task.total:,.0f} batches, {task.fields[left]}"
            ),
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("Starting", total=clock.steps_per_epoch, left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._bar.stop()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Moves the bar."""
        super().on_train_batch_end(batch, logs)
        left = f"{_time(seconds_left(self.clock))} of the training left, {_values(logs)}"
        self._bar.update(self._task, description=self._name(), completed=self._batches, left=left)


def progress_shown(clock: TrainingClock, epochs: int) -> ProgressLine:
    """Returns a `ProgressBar` where a person sees it, and a `ProgressLine` in a log."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    if terminal and os.environ.get("TERM") not in ("dumb", "unknown"):
        return ProgressBar(clock, epochs)
    return ProgressLine(clock, epochs)


def seconds_left(clock: TrainingClock) -> float:
    """Estimates how many seconds of the whole training are left, from its progress so far."""
    done = clock.progress
    return clock.seconds * (1 - done) / done if done else 0.0


def warn_of_few_batches(clock: TrainingClock) -> None:
    """Prints a warning if the epochs, or the minutes as far as it is known, allow few batches."""
    allowed = clock.batches_allowed()
    if allowed < FEW_BATCHES:
        print(
            f"Warning: about {allowed} batches will be trained, too few to learn much "
            f"(under {FEW_BATCHES}); give more --max-minutes, more --epochs or a longer text.",
            flush=True,
        )


def _time(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _values(logs):
    shown = {name: value for name, value in (logs or {}).items() if name != "learning_rate"}
    return ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in shown.items())
