"""Time: the learning rate over it, and when to stop."""

from __future__ import annotations

import array
import contextlib
import math
import os
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from rnnzoo.errors import check_positive

if TYPE_CHECKING:
    import tensorflow as tf


def learning_rate_at(
    progress: float, *, step: int, peak: float, warmup_steps: int = 0, final_fraction: float = 0.0
) -> float:
    """The learning rate: a linear warm-up by steps, times half a cosine by progress.

    Args:
        progress: The part of the training that is over, from 0 to 1.
        step: Batches before this one.
        peak: The highest rate.
        warmup_steps: Batches over which the rate rises from zero.
        final_fraction: The rate at progress 1, as a fraction of the peak.

    Returns:
        The rate.

    Example:
        >>> learning_rate_at(0.0, step=0, peak=1.0, warmup_steps=4)
        0.25
        >>> round(learning_rate_at(0.5, step=50, peak=1.0, final_fraction=0.1), 3)
        0.55

    Reference:
        Loshchilov and Hutter, "SGDR", ICLR 2017 (arXiv:1608.03983), without restarts.
    """
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return peak * warm * (final_fraction + (1 - final_fraction) * cosine)


class TrainingClock(keras.callbacks.Callback):
    """Knows how far the training is, and ends it when its minutes are over.

    Put it first among the callbacks: the others read it. The minutes count from the start of `fit`
    and include validation; a resumed training goes on counting. It ends at a batch, early enough
    for the validation that follows.

    Args:
        epochs: The maximum number of epochs.
        steps_per_epoch: Batches of an epoch.
        max_minutes: The maximum minutes, or `None`.
        validation_seconds: How long a validation takes, as long as none was made (then: as long as
            the last one took).
        minutes_before: Minutes that were spent before this `fit`.
        steps_before: Batches that were trained before this `fit`.
        rates: A file that the progress at the start of each batch is noted in, if minutes are
            limited. What is noted there already is taken from there, so that a resumed training
            has the learning rates that it had.
        more_minutes: Whether there are more minutes than when the rates were noted: then new
            batches may be less far than those before.
        now: The clock, in seconds.

    Attributes:
        step: Batches trained so far, since the first epoch.
        batches: Those of the running epoch.
        minutes: Minutes spent so far.
        progress: The part of the training that is over, by steps or by minutes, from 0 to 1.
        stopped_by: Why the training was ended early: `"budget"` or `"interrupt"` by this clock;
            `train` adds `"patience"`. `None` for all of its epochs.

    Raises:
        InputError: If a size is not positive.
    """

    def __init__(
        self,
        epochs: int,
        *,
        steps_per_epoch: int,
        max_minutes: float | None = None,
        validation_seconds: float = 0.0,
        minutes_before: float = 0.0,
        steps_before: int = 0,
        rates: str | os.PathLike | None = None,
        more_minutes: bool = False,
        now: Callable[[], float] = time.monotonic,
    ):
        super().__init__()
        check_positive(epochs=epochs, steps_per_epoch=steps_per_epoch)
        self.steps_per_epoch = steps_per_epoch
        self.total_steps = epochs * steps_per_epoch
        self.max_seconds = None if max_minutes is None else 60 * max_minutes
        self.seconds_before = 60 * minutes_before
        self.now = now
        self.start = None
        self.step = 0
        self.stopped_by = None
        self.validation_seconds = validation_seconds
        self.interrupted = threading.Event()
        self.steps_before = steps_before
        self.rates = None
        if rates is not None and max_minutes is not None:
            self.rates = _Rates(rates, goes_back=more_minutes)
        self._first, self._step_seconds = None, 0.0
        self._at_batch, self._epoch_start = None, 0

    @property
    def batches(self) -> int:
        """Batches trained so far in the running epoch."""
        return self.step - self._epoch_start

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self.seconds_before + (0.0 if self.start is None else self.now() - self.start)

    @property
    def minutes(self) -> float:
        """Minutes of training so far."""
        return self.seconds / 60

    @property
    def progress(self) -> float:
        """The part of the training that is over, by steps or by minutes, whichever is more."""
        if self._at_batch is not None:
            return self._at_batch
        by_steps = self.step / self.total_steps
        if self.max_seconds is None:
            return min(1.0, by_steps)
        available = max(self.max_seconds - self.validation_seconds, 1e-9)
        return min(1.0, max(by_steps, self.seconds / available))

    def batches_allowed(self) -> int:
        """How many batches epochs and minutes allow in all, as far as it is known by now."""
        if self.max_seconds is None:
            return self.total_steps
        left = max(self.max_seconds - self.validation_seconds - self.seconds, 0.0)
        if not self._step_seconds:  # nothing is known yet but that there is no time at all
            return self.total_steps if left else self.step
        return min(self.total_steps, self.step + int(left / self._step_seconds))

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Starts the clock."""
        self.start = self.now()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the steps of the epochs before, and those of this one before a resume."""
        self._epoch_start, self._first = epoch * self.steps_per_epoch, None
        self._fit_start = self.step = max(self._epoch_start, self.steps_before)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Notes how far the training is, or reads what was noted of this batch before."""
        if self.rates is not None:
            self._at_batch = None
            self._at_batch = self.rates.at(self.step, self.progress)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Counts the batch and stops when there is no more time."""
        self.step = self._fit_start + batch + 1
        now = self.now()
        if self._first is None:
            self._first = (now, batch)  # after the first batch, whose time is mostly tracing
        else:
            self._step_seconds = (now - self._first[0]) / (batch - self._first[1])
        self._stop_if_due()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Measures validation."""
        self._test_start = self.now()

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Measures validation."""
        self.validation_seconds = self.now() - self._test_start

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Stops after an epoch when stopped by hand, or when there is no time for another batch."""
        self._stop_if_due()

    def _stop_if_due(self):
        if self.step >= self.total_steps:
            return
        needed = self._step_seconds + self.validation_seconds
        if self.interrupted.is_set():
            self.stopped_by, self.model.stop_training = "interrupt", True
        elif self.max_seconds and self.seconds + needed >= self.max_seconds:
            self.stopped_by = self.stopped_by or "budget"
            self.model.stop_training = True


class _Rates:
    """The progress at the start of each batch, a float64 each, in a file that grows."""

    def __init__(self, path, goes_back):
        self.path, self.goes_back = Path(path), goes_back
        found = self.path.read_bytes() if self.path.is_file() else b""
        self.noted = array.array("d", found[: len(found) // 8 * 8])
        self.file = None

    def at(self, step, progress):
        """Returns what was noted of a step; notes the progress where it is a new one."""
        if step < len(self.noted):
            return self.noted[step]
        if self.file is None:
            self.file = open(self.path, "wb")  # what was torn off at its end is written anew
            self.noted.tofile(self.file)
        if self.noted and not self.goes_back:
            progress = max(progress, self.noted[-1])  # a resume must not go back
        self.goes_back = False
        while len(self.noted) <= step:  # of batches that older code trained, nothing is known
            self.noted.append(progress)
            self.file.write(struct.pack("=d", progress))
        self.file.flush()
        return progress


class LearningRate(keras.callbacks.Callback):
    """Sets the optimizer's learning rate before each batch, by `learning_rate_at`.

    Args:
        clock: The `TrainingClock`.
        peak: The highest rate.
        warmup_steps: Batches over which the rate rises from zero.
        final_fraction: The last rate as a fraction of the peak.
        scale: A factor of the rate, given the epoch and the batch in it; 1 when left out.
    """

    def __init__(
        self,
        clock: TrainingClock,
        *,
        peak: float,
        warmup_steps: int = 0,
        final_fraction: float = 0.0,
        scale: Callable[[int, int], float] | None = None,
    ):
        super().__init__()
        self.scale = scale
        self.clock, self.peak = clock, peak
        self.warmup_steps, self.final_fraction = warmup_steps, final_fraction

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Sets the rate of this batch."""
        clock = self.clock
        rate = learning_rate_at(
            clock.progress,
            step=clock.step,
            peak=self.peak,
            warmup_steps=self.warmup_steps,
            final_fraction=self.final_fraction,
        )
        if self.scale is not None:
            rate *= self.scale(*divmod(clock.step, clock.steps_per_epoch))
        self.model.optimizer.learning_rate = rate


def measure_validation(model: keras.Model, batches: tf.data.Dataset, sample: int = 4) -> float:
    """Estimates how many seconds a validation takes, from a few of its batches.

    Args:
        model: A compiled model.
        batches: The `tf.data.Dataset` of the validation.
        sample: How many batches to read.

    Returns:
        Seconds.
    """
    some = batches.take(sample)
    model.evaluate(some, verbose=0)  # traces
    start = time.monotonic()
    model.evaluate(some, verbose=0)
    return (time.monotonic() - start) * max(1.0, len(batches) / sample)


@contextlib.contextmanager
def stop_on_interrupt(clock: TrainingClock) -> Iterator[None]:
    """Lets the first Ctrl-C end a training cleanly; the second one aborts it.

    Args:
        clock: The `TrainingClock` of the training. Outside the main thread nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number, frame):
        if clock.interrupted.is_set():
            raise KeyboardInterrupt
        clock.interrupted.set()
        print("\nStopping after this batch, then validating and saving; Ctrl-C again aborts.")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
