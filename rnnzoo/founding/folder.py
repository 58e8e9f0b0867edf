"""What the founding systems share: the folder that a run leaves, and the reports on its way."""

import contextlib
import csv
import json
import math
import sys
import time
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from rnnzoo.errors import check_positive
from rnnzoo.files import atomic_path, check_output, check_replaces_nothing, write_atomically
from rnnzoo.hardware import machine, versions

SHOW_SECONDS = 5.0  # a run may report faster than anybody reads: it prints that often at most


def check_sizes(constants):
    """Checks that every constant that is a whole number is at least 1.

    Args:
        constants: The dataclass of a system's constants.

    Raises:
        InputError: If one is not.
    """
    sizes = [field.name for field in fields(constants) if field.type is int]
    check_positive(**{name: getattr(constants, name) for name in sizes})


class RunFolder:
    """The folder of one run: log.csv, samples.txt, pictures, model.keras and summary.json.

    Results of an earlier run in the same folder are taken away before the first one of this run is
    written: a run that cannot begin leaves the folder as it was. summary.json is written last: a
    folder that has one is complete. It also sets the seed of Keras, NumPy and Python.

    Args:
        name: The system.
        out: The folder.
        seed: The seed of the run.
        constants: The dataclass of its constants.

    Raises:
        InputError: If the folder cannot be written.

    Example:
        ```python
        folder = RunFolder("s3_lstm", "trained/s3_lstm", seed=0, constants=constants)
        folder.log(step=100, loss=2.5)
        folder.finish(model, data=corpus, figures={"loss": 2.5})
        ```
    """

    def __init__(self, name, out, *, seed, constants):
        self.name, self.seed, self.constants = name, seed, constants
        self._out = Path(out)
        check_output(self._out)
        check_replaces_nothing(self._out, overwrite=True)  # what is published stays
        keras.utils.set_random_seed(seed)
        self.rows = []
        self._start, self._shown = time.monotonic(), -math.inf

    @cached_property
    def path(self):
        """The folder, which is made and cleared of an earlier run when it is first needed."""
        self._out.mkdir(parents=True, exist_ok=True)
        for stale in ("summary.json", "log.csv", "samples.txt", "model.keras"):
            (self._out / stale).unlink(missing_ok=True)
        return self._out

    def echo(self, text):
        """Prints."""
        print(text, flush=True)

    def log(self, **row):
        """Adds a row to log.csv; all rows have the columns of the first."""
        with open(self.path / "log.csv", "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.rows[0] if self.rows else row))
            if not self.rows:
                writer.writeheader()
            writer.writerow(row)
        self.rows.append(row)

    def sample(self, title, text):
        """Adds a sample to samples.txt, and prints it if the last one has been read by now."""
        block = f"--- {title} ---\n{text}\n"
        with open(self.path / "samples.txt", "a", encoding="utf-8") as file:
            file.write(f"{block}\n")
        now = time.monotonic()
        if now - self._shown >= SHOW_SECONDS:
            self._shown = now
            self.echo(block)

    @contextlib.contextmanager
    def picture(self, filename, panels=1):
        """Gives matplotlib axes (a list of them for several panels) and then writes the picture."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 1 + 3 * panels), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots(panels)
        yield axes
        for one in [axes] if panels == 1 else axes:
            one.grid(alpha=0.3)
        with atomic_path(self.path / filename) as path:
            canvas.print_png(path)

    def curve(self, *columns, ylabel, x="step", filename="curve.png"):
        """Draws columns of the log against another one."""
        with self.picture(filename) as axes:
            for name in columns:
                rows = [row for row in self.rows if row.get(name) is not None]
                axes.plot([row[x] for row in rows], [row[name] for row in rows], label=name)
            axes.set(xlabel=x, ylabel=ylabel, title=self.name)
            axes.legend()

    def finish(self, model, *, data, training, figures):
        """Writes model.keras and, last of all, summary.json.

        Args:
            model: The Keras model, saved without its optimizer; `None`: there is none to keep.
            data: The `Corpus`.
            training: `progress(clock)`, as it was right after the training.
            figures: What was measured, by name.

        Returns:
            The path of the folder.
        """
        if model is not None:
            clean = type(model).from_config(model.get_config())
            clean.set_weights(model.get_weights())
            with atomic_path(self.path / "model.keras") as path:
                clean.save(path)
        summary = {
            "system": self.name,
            "figures": {name: _plain(value) for name, value in figures.items()},
            "training": training,
            "seconds": round(time.monotonic() - self._start, 1),
            "peak_memory_bytes": _peak_memory(),
            "seed": self.seed,
            "constants": asdict(self.constants),
            "data": {"name": data.name, "source": data.source, "sha256": data.sha256},
            "machine": machine(),
            "versions": versions(),
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        }
        content = json.dumps(summary, indent=2, ensure_ascii=False)
        write_atomically(self.path / "summary.json", f"{content}\n")
        self.echo(_how_far(training))
        self.echo("\n".join(f"{name}: {value}" for name, value in summary["figures"].items()))
        self.echo(f"Written to {self.path}.")
        return self.path


class Report(keras.callbacks.Callback):
    """Reports every so many batches: the mean loss since the last report, and a sample.

    Args:
        folder: The `RunFolder`.
        clock: The `TrainingClock`, which stands before it among the callbacks.
        every: Batches between two reports of an epoch. With a `steps_per_execution` that divides
            it, the reports come exactly then.
        write: Function of no arguments that writes a sample; `None`: the loss alone is reported.
    """

    def __init__(self, folder, clock, every, write=None):
        super().__init__()
        self.folder, self.clock, self.every, self.write = folder, clock, every, write
        self.losses = []

    def on_epoch_begin(self, epoch, logs=None):
        """Starts anew: Keras gives the mean loss since here."""
        self._epoch, self._batches, self._summed = epoch, 0, 0.0

    def on_train_batch_end(self, batch, logs=None):
        """Reports when it is time."""
        # The last execution of several steps counts steps beyond the epoch's end.
        batches = min(batch + 1, self.clock.steps_per_epoch)
        if batches - self._batches < self.every:
            return
        summed = float(logs["loss"]) * batches
        loss = (summed - self._summed) / (batches - self._batches)
        self._batches, self._summed = batches, summed
        self.losses.append(loss)
        step = self._epoch * self.clock.steps_per_epoch + batches
        epochs = round(step / self.clock.steps_per_epoch, 3)
        self.folder.log(step=step, epochs=epochs, minutes=round(self.clock.minutes, 4), loss=loss)
        title = f"step {step:,}, epoch {epochs:.2f}: average loss {loss:.4f}"
        if self.write is None:
            self.folder.echo(title)
        else:
            self.folder.sample(title, self.write())


def progress(clock):
    """How far a training has come by now, for summary.json.

    Args:
        clock: Its `TrainingClock`.

    Returns:
        A dictionary.
    """
    steps = min(clock.step, clock.total_steps)  # the last execution of several steps goes beyond
    return {
        "steps": steps,
        "steps_planned": clock.total_steps,
        "epochs": round(steps / clock.steps_per_epoch, 3),
        "share": round(steps / clock.total_steps, 4),
        "minutes": round(clock.minutes, 2),
        "max_minutes": None if clock.max_seconds is None else clock.max_seconds / 60,
        "steps_per_second": steps / clock.seconds,
        "stopped_by": clock.stopped_by,
    }


def nats_after_windows(model, ids, window, count):
    """The loss of a network that reads windows, over a whole text, dropout off.

    Args:
        model: A network from windows (batch, window) to logits (batch, vocabulary), compiled with
            the mean cross-entropy as its loss.
        ids: (N,) ids of the text.
        window: Characters of a window.
        count: How many windows to read, evenly spaced over the text.

    Returns:
        Nats per character that follows a window.
    """
    starts = np.linspace(0, len(ids) - window - 1, count).astype(int)
    windows = ids[starts[:, None] + np.arange(window)]  # (count, window)
    return model.evaluate(windows, ids[starts + window], batch_size=250, verbose=0)


def nats_of_stream(model, stream):
    """The loss of a `LanguageModel` over `stream_batches`, nats per character, dropout off."""
    found = model.evaluate(stream, verbose=0, return_dict=True)
    return found["bits_per_character"] * math.log(2)


def _how_far(training):
    why = {
        None: "the whole run",
        "budget": "stopped by its budget",
        "interrupt": "stopped by hand",
    }.get(training["stopped_by"], training["stopped_by"])
    return (
        f"Came as far as {training['steps']:,} of {training['steps_planned']:,} steps "
        f"({100 * training['share']:.1f} %) in {training['minutes']:.1f} minutes: {why}."
    )


def _plain(value):
    """A value that JSON can hold: Python's numbers, and None for what is not a number."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _peak_memory():
    """The most memory this process has held, in bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
