"""S0: "Implementing an LSTM RNN with Lasagne" (`lstm_text_gen`), in today's Keras.

Windows of `SEQ_LENGTH` characters, one-hot; the target is the one character that follows: "M", "y",
" ", "n", "a" -> "m". Two LSTM layers, the slice of the last step, a dense softmax. Mean categorical
cross-entropy, AdaGrad, clipped gradients; every `PRINT_FREQ` steps the average loss and a sample
go to a file. A phrase of the user's is continued by argmax.

Where Keras differs:

- One-hot is an `Embedding` with the identity matrix, not trained: the same numbers, but a batch is
  (batch, SEQ_LENGTH) ids and not (batch, SEQ_LENGTH, vocab) floats. The softmax is in the loss.
- Lasagne's `grad_clipping` clips what flows back at every time step; Keras clips each element of
  the finished gradients (`clipvalue`).
- Lasagne's LSTM has peepholes (the gates see the cell); Keras's has none.

One walk over the text is an epoch. All walks have the same batches, and of `SEQ_LENGTH +
batch_size - 1` characters only `batch_size` are ever targets. Samples are written as in the
document, by argmax with a sliding window. What the same network writes when the phrase is read once
and the state carried on (`writing.py`) is shown beside the last of them, with the speed of both.

Our better version of the same job: `scripts/train_char_lstm.py`, which learns from every character
of the window and carries the state.
"""

import time
from dataclasses import dataclass

import keras
import numpy as np

from rnnzoo import Vocabulary
from rnnzoo.data import corpora
from rnnzoo.data.batches import in_background
from rnnzoo.errors import InputError, check_positive
from rnnzoo.founding.folder import Report, RunFolder, check_sizes, nats_after_windows, progress
from rnnzoo.founding.writing import Writer, write_by_sliding
from rnnzoo.layers import LSTM
from rnnzoo.training.schedule import TrainingClock, stop_on_interrupt


@dataclass(frozen=True)
class Constants:
    """The document's numbers, and below the line what it leaves out.

    Raises:
        InputError: If a size is not positive.
    """

    n_hidden: int = 512
    num_layers: int = 2
    sample_length: int = 200  # N
    # Chosen; most are those of the example in Lasagne's Recipes that bears the same names. The text
    # is tiny Shakespeare.
    seq_length: int = 20
    batch_size: int = 128
    learning_rate: float = 0.01
    grad_clip: float = 100.0
    num_epochs: int = 50
    print_freq: int = 200  # 1,000 there: with 7,587 steps a walk, a report every few minutes
    phrase: str = "First Citizen:\nBefore we proceed"  # the generation phrase
    loss_windows: int = 10_000  # for the loss at the end, evenly spaced over the text
    # Lasagne's defaults: weights of the LSTM from N(0, 0.1), its biases 0; the softmax from
    # Normal(), which is N(0, 0.01); AdaGrad adds 1e-6 under the root and starts from 0.
    lstm_scale: float = 0.1
    softmax_scale: float = 0.01
    epsilon: float = 1e-6

    def __post_init__(self):
        check_sizes(self)


DOCUMENT = Constants()
TINY = Constants(
    n_hidden=8, sample_length=10, seq_length=5, batch_size=16, num_epochs=2, print_freq=10,
    loss_windows=100,
)  # fmt: skip


def walk(text_length, seq_length, batch_size):
    """Where the batches of one walk over the text start.

    A batch has the `batch_size` windows that start at p, p + 1, ...; then p moves on by
    `seq_length + batch_size - 1`, behind the last character of the last window, and wraps to the
    start ("Carriage Return") where no whole batch is left.

    Args:
        text_length: Characters of the text.
        seq_length: Characters of a window.
        batch_size: Windows of a batch.

    Returns:
        The positions p, int64.

    Raises:
        InputError: If the text has no whole batch.

    Example:
        >>> walk(21, seq_length=5, batch_size=3).tolist()  # the third would need 22 characters
        [0, 7]
    """
    check_positive(seq_length=seq_length, batch_size=batch_size)
    last = text_length - seq_length - batch_size
    if last < 0:
        raise InputError(
            f"A batch of {batch_size} windows of {seq_length} characters needs "
            f"{seq_length + batch_size} characters, but the text has {text_length}."
        )
    return np.arange(0, last + 1, seq_length + batch_size - 1, dtype="int64")


def window_walk(ids, seq_length, batch_size):
    """The batches of one walk: windows (batch, seq_length) and the ids that follow, (batch,)."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        held = tf.constant(ids)
    offsets = np.add.outer(np.arange(batch_size), np.arange(seq_length + 1))  # (B, T + 1)

    def batch(position):
        windows = tf.gather(held, position + offsets)
        return windows[:, :-1], windows[:, -1]

    starts = tf.data.Dataset.from_tensor_slices(walk(len(ids), seq_length, batch_size))
    return in_background(starts.map(batch))


def network(vocabulary_size, constants):
    """Builds the network: ids (batch, time), both free, to logits (batch, vocabulary_size)."""

    def normal(scale):
        return keras.initializers.RandomNormal(stddev=scale)

    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(
                vocabulary_size, vocabulary_size, embeddings_initializer="identity",
                trainable=False, name="one_hot",
            ),
        ]
    )  # fmt: skip
    for number in range(1, constants.num_layers + 1):
        model.add(
            LSTM(
                constants.n_hidden,
                activation="tanh",
                kernel_initializer=normal(constants.lstm_scale),
                recurrent_initializer=normal(constants.lstm_scale),
                unit_forget_bias=False,
                return_sequences=number < constants.num_layers,  # the last gives its last step
                name=f"forward_{number}",
            )
        )
    softmax = normal(constants.softmax_scale)
    model.add(keras.layers.Dense(vocabulary_size, kernel_initializer=softmax, name="softmax"))
    return model


def adagrad(constants):
    """AdaGrad as in Lasagne, with the gradients clipped element by element."""
    return keras.optimizers.Adagrad(
        constants.learning_rate,
        initial_accumulator_value=0.0,
        epsilon=constants.epsilon,
        clipvalue=constants.grad_clip,
    )


def run(*, out, data_dir=None, max_minutes=None, seed=0, constants=DOCUMENT):
    """Runs the system; see `rnnzoo.founding.run` for the arguments."""
    folder = RunFolder("s0_lasagne_char_lstm", out, seed=seed, constants=constants)
    corpus = corpora.load("tiny_shakespeare", data_dir=data_dir)
    vocabulary = Vocabulary.from_text(corpus.text)
    ids = vocabulary.encode(corpus.text)
    phrase = constants.phrase

    model = network(len(vocabulary), constants)
    writer = Writer(model, vocabulary, shortest=constants.seq_length)
    writer.check(phrase)
    model.compile(
        optimizer=adagrad(constants),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )

    def write():
        return phrase + write_by_sliding(
            model, vocabulary, phrase, length=constants.sample_length, window=constants.seq_length
        )

    steps = len(walk(len(ids), constants.seq_length, constants.batch_size))
    clock = TrainingClock(constants.num_epochs, steps_per_epoch=steps, max_minutes=max_minutes)
    report = Report(folder, clock, constants.print_freq, write=write)
    carriage_return = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: folder.echo(f"Carriage Return, after {epoch + 1} walks")
    )
    folder.echo(
        f"{folder.name}: {model.count_params():,} parameters, {steps:,} steps a walk, "
        f"{constants.num_epochs} walks."
    )
    with stop_on_interrupt(clock):
        model.fit(
            window_walk(ids, constants.seq_length, constants.batch_size),
            epochs=constants.num_epochs,
            callbacks=[clock, report, carriage_return],
            shuffle=False,  # the walk is in the order of the text
            verbose=0,
        )
    training = progress(clock)

    folder.sample("the trained network, argmax with a sliding window", write())
    carried = writer.write(phrase, constants.sample_length, sampler="greedy")
    folder.sample("the same network, argmax with carried state", phrase + carried)
    folder.curve("loss", ylabel="nats per character")
    vocabulary.save(folder.path / "vocabulary.json")
    windows = len(ids) - constants.seq_length
    figures = {
        "nats_per_character": nats_after_windows(
            model, ids, constants.seq_length, count=constants.loss_windows
        ),
        "last_loss": report.losses[-1] if report.losses else None,
        "windows_per_second": constants.batch_size * training["steps_per_second"],
        **_writing_speed(writer, phrase, constants),
        # What the windows of the whole text would take, one-hot in float32, and what the ids take.
        "one_hot_windows_bytes": windows * constants.seq_length * len(vocabulary) * 4,
        "ids_bytes": ids.nbytes,
        "parameters": model.count_params(),
    }
    return folder.finish(model, data=corpus, training=training, figures=figures)


def _writing_speed(writer, phrase, constants):
    """Characters per second, by the compiled loop and by the document's sliding window."""
    ways = {
        "characters_per_second": lambda length: writer.write(phrase, length, sampler="greedy"),
        "characters_per_second_sliding": lambda length: write_by_sliding(
            writer.model, writer.vocabulary, phrase, length=length, window=constants.seq_length
        ),
    }
    found = {}
    for name, write in ways.items():
        write(1)  # compiles
        start = time.perf_counter()
        write(constants.sample_length)
        found[name] = constants.sample_length / (time.perf_counter() - start)
    return found
