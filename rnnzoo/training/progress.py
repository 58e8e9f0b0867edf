"""What a training shows of its progress."""

import sys

import keras

from rnnzoo.training.schedule import TrainingClock

FEW_BATCHES = 50  # a model that was trained on fewer has hardly begun
REFRESH = 0.5  # seconds between two states of the line


class ProgressLine(keras.callbacks.Callback):
    """Shows how far the training is and how much of its time is left, and a line for each epoch.

    On a terminal the line of the running epoch is kept up to date. An epoch that was cut short is
    told with the batches that it had.

    Args:
        clock: The `TrainingClock`, which stands before it among the callbacks.
        epochs: The maximum number of epochs.
    """

    def __init__(self, clock: TrainingClock, epochs: int):
        super().__init__()
        self.clock, self.epochs = clock, epochs
        self._shown = self._width = 0
        self._warned = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the batches of the epoch anew."""
        self._epoch, self._batches = epoch, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Shows the state, and warns early of a budget that allows few batches."""
        self._batches = batch + 1
        if not self._warned and self.clock.step >= 3:
            self._warned = True
            warn_of_few_batches(self.clock)
        if sys.stdout.isatty() and self.clock.now() - self._shown > REFRESH:
            self._shown = self.clock.now()
            left = _time(seconds_left(self.clock))
            self._rewrite(f"{self._head()}, {left} of the training left, {_values(logs)}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes the line of the epoch."""
        self._rewrite(f"{self._head()}, {_time(self.clock.seconds)}, {_values(logs)}", end="\n")

    def _head(self):
        of = self.clock.steps_per_epoch
        return f"Epoch {self._epoch + 1}/{self.epochs}: {self._batches:,}/{of:,} batches"

    def _rewrite(self, text, end=""):
        if sys.stdout.isatty():
            text = f"\r{text:{self._width}}"
        self._width = len(text) if not end else 0
        print(text, end=end, flush=True)


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
