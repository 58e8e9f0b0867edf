"""S4: "Text Generation with LSTM RNNs" (Keras): Alice in Wonderland, lower-cased.

`s4_alice_lstm` is the document's network. Every window of 100 characters (stride 1) predicts the
one that follows; a character goes in as one number from 0 to 1. LSTM 1000, dropout 0.5, LSTM 800,
dropout 0.5, softmax; categorical cross-entropy, Adam, batches of 64, 50 epochs, a checkpoint on
each better loss. From a random seed of 100 characters it writes 1,000. Where this differs:

- The numbers from 0 to 1 are an `Embedding` of width 1, not trained: id / (characters - 1). The
  windows are cut as they are needed, and the cross-entropy is the sparse one, from logits: the same
  numbers, without the matrices.
- One checkpoint file is overwritten; the document keeps one for each better loss.
- The seed is read once and the state carried on, in one compiled loop (`writing.py`). A first
  sample is written the document's way, by argmax with a sliding window and one `model.predict` for
  each character; it is short, since every character costs a window.

`s4_alice_better` is ours: ids, an embedding, a target at every step and state that is carried from
batch to batch, so that each character is read once an epoch and not in 100 windows. It stops at the
document's training loss of 0.5, measured over the whole training text with dropout off. On one book
that is a memory, not a skill: the validation loss, measured on the book's end, is lowest long
before and then rises, and the samples copy; both are in the report.

Both compare temperatures, and say of each sample how much it repeats itself, whether it is caught
in a loop (the document shows one) and, for ours, what it copies.
"""

import time
from dataclasses import dataclass

import keras
import numpy as np

from rnnzoo import Vocabulary, char_lstm
from rnnzoo.data import corpora, stream_batches, window_batches
from rnnzoo.errors import InputError, check_fraction, check_positive
from rnnzoo.evaluation.repetition import find_loop, longest_copy, repeated_ngrams
from rnnzoo.founding.folder import (
    Report,
    RunFolder,
    check_sizes,
    nats_after_windows,
    nats_of_stream,
    progress,
)
from rnnzoo.founding.writing import Writer, write_by_sliding
from rnnzoo.generation.samplers import get_sampler
from rnnzoo.hardware import resolve_dtype
from rnnzoo.layers import LSTM
from rnnzoo.training.schedule import TrainingClock, stop_on_interrupt


@dataclass(frozen=True)
class Constants:
    """The document's numbers, and below the line what it leaves out.

    Raises:
        InputError: If a number cannot be.
    """

    units: tuple = (1000, 800)
    dropout: float = 0.5
    window: int = 100
    batch_size: int = 64
    epochs: int = 50
    sample_length: int = 1000
    # Chosen: Adam as Keras has it, windows in a new order each epoch, as `fit` shuffles arrays.
    # Temperature 0 is argmax.
    learning_rate: float = 0.001
    temperatures: tuple = (0.0, 0.2, 0.5, 0.8, 1.0, 1.2)
    report_every: int = 25  # steps
    sliding_length: int = 100  # characters of the sample by the sliding window
    loss_windows: int = 2_000  # for the loss at the end, evenly spaced over the text

    def __post_init__(self):
        check_sizes(self)
        if not self.units:
            raise InputError("`units` must have the size of each layer, such as (8, 6), not ().")
        for size in self.units:
            check_positive(units=size)
        check_fraction(dropout=self.dropout)
        _check_temperatures(self.temperatures)


@dataclass(frozen=True)
class BetterConstants:
    """Our version's numbers; none of the document's but the loss and the samples.

    Raises:
        InputError: If a number cannot be.
    """

    units: int = 512
    num_layers: int = 2
    dropout: float = 0.0
    batch_size: int = 16
    sequence_length: int = 64
    learning_rate: float = 0.002
    dtype: str = "auto"  # bfloat16 matrix products where the device is fast at them
    validation_split: float = 0.1  # the end of the book
    training_loss: float = 0.5
    epochs: int = 200  # at most
    seed_length: int = 100
    sample_length: int = 1000
    temperatures: tuple = (0.0, 0.2, 0.5, 0.8, 1.0, 1.2)

    def __post_init__(self):
        check_sizes(self)
        check_fraction(dropout=self.dropout)
        _check_temperatures(self.temperatures)


def _check_temperatures(temperatures):
    for temperature in temperatures:
        get_sampler(temperature=temperature)  # raises for what cannot be


DOCUMENT = Constants()
BETTER = BetterConstants()
TINY = {
    "s4_alice_lstm": Constants(
        units=(8, 6), window=10, batch_size=32, epochs=2, sample_length=30,
        temperatures=(0.0, 1.0), report_every=5, sliding_length=5, loss_windows=50,
    ),
    "s4_alice_better": BetterConstants(
        units=8, batch_size=4, sequence_length=8, epochs=2, seed_length=10, sample_length=30,
        temperatures=(0.0, 1.0), dtype="float32",
    ),
}  # fmt: skip


def load_alice(data_dir):
    """Loads the book: the corpus, the vocabulary of its lower-cased characters, its ids."""
    corpus = corpora.load("alice", data_dir=data_dir)
    vocabulary = Vocabulary.from_text(corpus.text, lowercase=True)
    return corpus, vocabulary, vocabulary.encode(corpus.text)


def random_seed_text(vocabulary, ids, length, seed):
    """A passage of the text to go on from."""
    if length > len(ids):
        raise InputError(
            f"A seed of {length:,} characters is longer than the text it is drawn from, which has "
            f"{len(ids):,}; give a shorter one."
        )
    start = np.random.default_rng(seed).integers(len(ids) - length + 1)
    return vocabulary.decode(ids[start : start + length])


# --- The document's network --------------------------------------------------------------------


def network(vocabulary_size, constants):
    """Builds the network: ids (batch, time) to logits (batch, vocabulary_size)."""
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(vocabulary_size, 1, trainable=False, name="number"),
        ]
    )
    for number, units in enumerate(constants.units, start=1):
        model.add(LSTM(units, return_sequences=number < len(constants.units)))
        model.add(keras.layers.Dropout(constants.dropout))
    model.add(keras.layers.Dense(vocabulary_size, name="softmax"))
    model.layers[0].set_weights([np.linspace(0, 1, vocabulary_size)[:, None]])  # id / (V - 1)
    return model


def run_alice_lstm(*, out, data_dir=None, max_minutes=None, seed=0, constants=DOCUMENT):
    """Runs the document's system; see `rnnzoo.founding.run` for the arguments."""
    folder = RunFolder("s4_alice_lstm", out, seed=seed, constants=constants)
    corpus, vocabulary, ids = load_alice(data_dir)
    windows = window_batches(
        ids, constants.batch_size, constants.window, many_to_one=True, seed=seed
    )
    model = network(len(vocabulary), constants)
    model.compile(
        optimizer=keras.optimizers.Adam(constants.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    clock = TrainingClock(constants.epochs, steps_per_epoch=len(windows), max_minutes=max_minutes)
    report = Report(folder, clock, constants.report_every)
    best = folder.path / "best.weights.h5"
    best.unlink(missing_ok=True)  # of an earlier run
    checkpoint = keras.callbacks.ModelCheckpoint(
        best, monitor="loss", mode="min", save_best_only=True, save_weights_only=True, verbose=1
    )
    folder.echo(
        f"{folder.name}: {model.count_params():,} parameters, {len(windows):,} steps an epoch, "
        f"{constants.epochs} epochs."
    )
    with stop_on_interrupt(clock):
        history = model.fit(
            windows,
            epochs=constants.epochs,
            callbacks=[clock, report, checkpoint],
            shuffle=False,  # the windows come shuffled
            verbose=0,
        )
    training = progress(clock)
    if best.is_file():
        model.load_weights(best)
    writer = Writer(model, vocabulary, shortest=constants.window)
    seed_text = random_seed_text(vocabulary, ids, constants.window, seed=seed)

    def write(temperature):
        if temperature == 0:
            return writer.write(seed_text, constants.sample_length, sampler="greedy")
        return writer.write(seed_text, constants.sample_length, temperature=temperature, seed=seed)

    speeds = _writing_speed(folder, writer, seed_text, constants=constants)
    folder.curve("loss", ylabel="nats per character, with dropout")
    vocabulary.save(folder.path / "vocabulary.json")
    count = len(ids) - constants.window
    figures = {
        # of whole epochs, or of the part of one that there was time for; with dropout, as Keras's
        "best_epoch_loss": min(history.history["loss"], default=None),
        "nats_per_character": nats_after_windows(
            model, ids, constants.window, count=constants.loss_windows
        ),
        "last_loss": report.losses[-1] if report.losses else None,
        "windows_per_second": constants.batch_size * training["steps_per_second"],
        **speeds,
        "window_matrix_bytes": count * constants.window * 4,  # one float32 a character
        "ids_bytes": ids.nbytes,
        "parameters": model.count_params(),
        "samples": compare_temperatures(folder, constants.temperatures, seed_text, write=write),
    }
    return folder.finish(model, data=corpus, training=training, figures=figures)


def _writing_speed(folder, writer, seed_text, constants):
    """Writes a sample the document's way; characters per second so and by the compiled loop."""

    def slide(length):
        return write_by_sliding(
            writer.model, writer.vocabulary, seed_text, length=length, window=constants.window,
            predict=lambda windows: writer.model.predict(windows, verbose=0),
        )  # fmt: skip

    def carry(length):
        return writer.write(seed_text, length, sampler="greedy")

    found = {}
    for name, write, length in (
        ("characters_per_second", carry, constants.sample_length),
        ("characters_per_second_sliding", slide, constants.sliding_length),
    ):
        write(1)  # compiles
        start = time.perf_counter()
        text = write(length)
        found[name] = length / (time.perf_counter() - start)
    folder.sample("sliding window, argmax", f"[{seed_text}]{text}")
    return found


# --- Ours --------------------------------------------------------------------------------------


class MeasureLosses(keras.callbacks.Callback):
    """Measures training and validation loss after every epoch, dropout off, and stops at a loss.

    Both texts are read as streams with carried state, in as many rows as the training has.

    Args:
        folder: The `RunFolder`, whose log it writes.
        clock: The `TrainingClock`.
        streams: `{"training": stream, "validation": stream}`.
        stop_at: The training loss in nats at which training ends.

    Attributes:
        reached_minutes: When the loss was reached; `None` if it was not.
    """

    def __init__(self, folder, clock, streams, stop_at):
        super().__init__()
        self.folder, self.clock, self.streams, self.stop_at = folder, clock, streams, stop_at
        self.reached_minutes = None

    def on_epoch_end(self, epoch, logs=None):
        """Measures."""
        minutes = self.clock.minutes
        losses = {
            f"{name}_loss": nats_of_stream(self.model, stream)
            for name, stream in self.streams.items()
        }
        # The clock leaves time for one.
        self.clock.validation_seconds = 60 * (self.clock.minutes - minutes)
        self.folder.log(
            epoch=epoch + 1, step=self.clock.step, minutes=round(minutes, 3), loss=logs["loss"],
            **losses,
        )  # fmt: skip
        self.folder.echo(
            f"epoch {epoch + 1}, {minutes:.1f} minutes: training loss "
            f"{losses['training_loss']:.4f}, validation loss {losses['validation_loss']:.4f}"
        )
        if losses["training_loss"] <= self.stop_at:
            self.reached_minutes = minutes
            self.clock.stopped_by = f"a training loss of at most {self.stop_at}"
            self.model.stop_training = True


def in_float32(model):
    """A copy of a model that computes in float32, compiled to be measured."""
    copy = model.copy_in_dtype("float32")
    copy.compile()
    return copy


def run_alice_better(*, out, data_dir=None, max_minutes=None, seed=0, constants=BETTER):
    """Runs our version; see `rnnzoo.founding.run` for the arguments."""
    folder = RunFolder("s4_alice_better", out, seed=seed, constants=constants)
    corpus, vocabulary, ids = load_alice(data_dir)
    train, validation = stream_batches(
        ids, constants.batch_size, constants.sequence_length,
        validation_split=constants.validation_split,
    )  # fmt: skip
    training_ids = ids[: int(len(ids) * (1 - constants.validation_split))]
    seed_text = random_seed_text(vocabulary, training_ids, constants.seed_length, seed=seed)
    dtype, _ = resolve_dtype(constants.dtype)
    model = char_lstm(
        vocabulary,
        units=constants.units,
        num_layers=constants.num_layers,
        dropout=constants.dropout,
        dtype=dtype,
    )
    model.compile(optimizer=keras.optimizers.Adam(constants.learning_rate, global_clipnorm=1.0))
    clock = TrainingClock(constants.epochs, steps_per_epoch=len(train), max_minutes=max_minutes)
    streams = {"training": train, "validation": validation}
    measure = MeasureLosses(folder, clock, streams, stop_at=constants.training_loss)
    folder.echo(
        f"{folder.name}: {model.count_params():,} parameters in {dtype}, {len(train):,} steps an "
        f"epoch, at most {constants.epochs} epochs."
    )
    with stop_on_interrupt(clock):
        model.fit(
            train, epochs=constants.epochs, callbacks=[clock, measure], shuffle=False, verbose=0
        )
    training = progress(clock)
    model = in_float32(model)
    losses = {f"{name}_loss": nats_of_stream(model, stream) for name, stream in streams.items()}

    def write(temperature):
        sampler, temperature = ("greedy", None) if temperature == 0 else (None, temperature)
        return model.generate(
            seed_text, constants.sample_length, sampler=sampler, temperature=temperature, seed=seed
        )

    folder.curve("training_loss", "validation_loss", x="minutes", ylabel="nats per character")
    book = vocabulary.decode(training_ids)
    write(0)  # compiles
    start = time.perf_counter()
    written = write(0)
    writing_seconds = time.perf_counter() - start
    best = min(folder.rows, key=lambda row: row["validation_loss"])
    figures = {
        **losses,
        "minutes_to_training_loss": measure.reached_minutes,
        "best_validation_loss": best["validation_loss"],
        "training_loss_at_best_validation": best["training_loss"],
        "epoch_of_best_validation": best["epoch"],
        "characters_per_second": len(written) / writing_seconds,
        "trained_in": dtype,
        "parameters": model.count_params(),
        "samples": compare_temperatures(
            folder, constants.temperatures, seed_text, write=write, book=book
        ),
    }
    return folder.finish(model, data=corpus, training=training, figures=figures)


# --- The report on samples ---------------------------------------------------------------------


def compare_temperatures(folder, temperatures, seed_text, write, book=None):
    """Writes a sample at every temperature, and says how each repeats itself.

    Args:
        folder: The `RunFolder`; gets samples and `repetition.png`.
        temperatures: The temperatures; 0 is argmax.
        seed_text: What the samples go on from.
        write: Function from a temperature to a text.
        book: The training text, to look for copies in.

    Returns:
        A dictionary of figures for each temperature.
    """
    found = {}
    for temperature in temperatures:
        text = write(temperature)
        figures = {"repeated_10grams": repeated_ngrams(text, 10)}
        loop = find_loop(text)
        figures["loop"] = loop and text[loop.start : loop.start + loop.period]
        figures["loop_share"] = loop.length / len(text) if loop else 0.0
        notes = [f"{figures['repeated_10grams']:.0%} of its 10-grams stood in it before"]
        if loop:
            notes.append(f"from character {loop.start} {loop.times:.1f} times {figures['loop']!r}")
        else:
            notes.append("no loop")
        if book is not None:
            copy = longest_copy(text, book)
            figures["longest_copy"] = len(copy)
            notes.append(f"its longest copy of the book has {len(copy)} characters")
        name = "argmax" if temperature == 0 else f"temperature {temperature}"
        folder.sample(f"{name}: {'; '.join(notes)}", f"[{seed_text}]{text}")
        folder.echo(f"{name}: {'; '.join(notes)}")
        found[name] = figures
    with folder.picture("repetition.png") as axes:
        bars = {name: figures["repeated_10grams"] for name, figures in found.items()}
        axes.bar([name.replace("temperature ", "") for name in bars], list(bars.values()))
        axes.set(
            xlabel="temperature", ylabel="share of repeated 10-grams", ylim=(0, 1),
            title=folder.name,
        )  # fmt: skip
    return found
