"""S3: "Introducing RNNs and LSTMs", the networks written from their equations.

Part 1, the vanilla RNN: h_t = tanh(U x_t + W h_{t-1} + b_h), y_t = softmax(V h_t + b_y). Part 2 is
the same with an LSTM (gates i, f, o, candidate, cell). Both read tiny Shakespeare in chunks of 25
that do not overlap, one chunk a step (batch 1), each from a zero state, with the loss summed over
the chunk: about 446,000 updates in 10 epochs. Part 3 is the vanilla RNN in batches of 8 x 25. Part
4, sequences of different lengths, is `different_lengths.py`. Our better version is `s3_better.py`.

The document differentiates the equations with autograd, and PyTorch in part 3. Here they are the
layers of `rnnzoo.layers`; `tests/founding` proves them equal to the equations and to a backward
pass by hand, in NumPy. Where Keras differs:

- The one-hot input is an `Embedding` with the identity matrix, not trained: the same numbers.
- The softmax is inside the loss (`from_logits`), which is the document's stable softmax.
- 100 updates run as one compiled loop (`steps_per_execution`), else Python would take most of the
  time. Each is an update by one chunk all the same.

N(0, 0.01) is read as a standard deviation of 0.01.
"""

from dataclasses import dataclass, replace

import keras
import numpy as np
from keras import ops

from rnnzoo import Vocabulary
from rnnzoo.data import corpora
from rnnzoo.data.batches import in_background
from rnnzoo.errors import InputError
from rnnzoo.founding.folder import Report, RunFolder, check_sizes, progress
from rnnzoo.founding.writing import Writer
from rnnzoo.generation.samplers import get_sampler
from rnnzoo.layers import LSTM, SimpleRNN
from rnnzoo.training.schedule import TrainingClock, stop_on_interrupt


@dataclass(frozen=True)
class Constants:
    """The document's numbers, and below the line what it leaves out.

    Raises:
        InputError: If a size is not positive or the temperature cannot be.
    """

    hidden_units: int = 100
    sequence_length: int = 25
    batch_size: int = 1
    epochs: int = 10
    learning_rate: float = 0.01
    clip: float = 5.0  # each gradient element, to +-5
    weight_scale: float = 0.01  # standard deviation of the first weights
    sample_every: int = 100  # steps
    sample_length: int = 100  # characters
    # Chosen: biases start at zero, those of the forget gate too; samples go on from a line end.
    sample_start: str = "\n"
    sample_temperature: float = 1.0

    def __post_init__(self):
        check_sizes(self)
        get_sampler(temperature=self.sample_temperature)  # raises for what cannot be


PART_1 = PART_2 = Constants()
# In part 3 the rows of a batch are consecutive: row 2 goes on where row 1 ends. The loss is summed
# over the steps and averaged over the rows, as PyTorch's NLLLoss does. Chosen: no clipping is
# mentioned for it, so the limit of parts 1 and 2 stays.
PART_3 = Constants(batch_size=8, epochs=5, learning_rate=0.001, sample_every=500)


@dataclass(frozen=True)
class ExplodingConstants:
    """What the demonstration runs; the document says "above 0.1", all else is chosen.

    Raises:
        InputError: If a size is not positive.
    """

    hidden_units: int = 100
    sequence_length: int = 25
    weight_scale: float = 0.01
    learning_rate: float = 0.15
    clip: float = 5.0
    steps: int = 2000

    def __post_init__(self):
        check_sizes(self)


EXPLODING = ExplodingConstants()
_TINY = Constants(hidden_units=8, sequence_length=5, epochs=1, sample_every=10, sample_length=20)
TINY = {
    "s3_vanilla_rnn": _TINY,
    "s3_lstm": _TINY,
    "s3_batched_rnn": replace(_TINY, batch_size=4, epochs=2, learning_rate=0.001),
    "s3_exploding_gradients": ExplodingConstants(hidden_units=8, sequence_length=5, steps=20),
}


# --- Data, network and loss --------------------------------------------------------------------


def chunks(ids, sequence_length, batch_size):
    """Cuts a text into consecutive chunks that do not overlap.

    Args:
        ids: (N,) ids of the text.
        sequence_length: T, the characters of a chunk.
        batch_size: B, the chunks of a batch, one after the other.

    Returns:
        The inputs and, one character further on, the targets: (batches, B, T) each. What does not
        fill a last batch is left out.

    Example:
        >>> inputs, targets = chunks(np.arange(9), sequence_length=2, batch_size=2)
        >>> inputs.tolist(), targets.tolist()
        ([[[0, 1], [2, 3]], [[4, 5], [6, 7]]], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    """
    shape = (-1, batch_size, sequence_length)
    used = (len(ids) - 1) // (batch_size * sequence_length) * batch_size * sequence_length
    return ids[:used].reshape(shape), ids[1 : used + 1].reshape(shape)


def network(vocabulary_size, constants, layer=SimpleRNN, **options):
    """Builds the network: U, W and b_h are in the recurrent layer, V and b_y in the last one.

    Args:
        vocabulary_size: Different characters.
        constants: `hidden_units` and `weight_scale` are read.
        layer: `SimpleRNN` or `LSTM`.
        **options: Further arguments of the layer.

    Returns:
        A model from ids (batch, time) to logits (batch, time, vocabulary_size).
    """

    def normal():
        return keras.initializers.RandomNormal(stddev=constants.weight_scale)

    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(
                vocabulary_size, vocabulary_size, embeddings_initializer="identity",
                trainable=False, name="one_hot",
            ),
            layer(
                constants.hidden_units, kernel_initializer=normal(),
                recurrent_initializer=normal(), return_sequences=True, name="hidden", **options,
            ),
            keras.layers.Dense(vocabulary_size, kernel_initializer=normal(), name="output"),
        ]
    )  # fmt: skip


def summed_loss(targets, logits):
    """Cross-entropy in nats, summed over the steps of a chunk: (batch, time) to (batch,)."""
    nats = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    return ops.sum(nats, axis=-1)


# --- Parts 1, 2 and 3 --------------------------------------------------------------------------


def run_vanilla_rnn(*, out, data_dir=None, max_minutes=None, seed=0, constants=PART_1):
    """Part 1: the vanilla RNN, one chunk a step; see `rnnzoo.founding.run` for the arguments."""
    return _run(
        "s3_vanilla_rnn",
        constants,
        out,
        data_dir=data_dir,
        max_minutes=max_minutes,
        seed=seed,
        layer=SimpleRNN,
    )


def run_lstm(*, out, data_dir=None, max_minutes=None, seed=0, constants=PART_2):
    """Part 2: the LSTM, one chunk a step; see `rnnzoo.founding.run` for the arguments."""
    options = {"unit_forget_bias": False}
    return _run(
        "s3_lstm",
        constants,
        out,
        data_dir=data_dir,
        max_minutes=max_minutes,
        seed=seed,
        layer=LSTM,
        **options,
    )


def run_batched_rnn(*, out, data_dir=None, max_minutes=None, seed=0, constants=PART_3):
    """Part 3: the vanilla RNN in batches; see `rnnzoo.founding.run` for the arguments."""
    return _run(
        "s3_batched_rnn",
        constants,
        out,
        data_dir=data_dir,
        max_minutes=max_minutes,
        seed=seed,
        layer=SimpleRNN,
    )


def _run(name, constants, out, data_dir, max_minutes, seed, layer, **options):
    import tensorflow as tf

    folder = RunFolder(name, out, seed=seed, constants=constants)
    corpus = corpora.load("tiny_shakespeare", data_dir=data_dir)
    vocabulary = Vocabulary.from_text(corpus.text)
    ids = vocabulary.encode(corpus.text)
    inputs, targets = chunks(ids, constants.sequence_length, constants.batch_size)
    batches = in_background(tf.data.Dataset.from_tensor_slices((inputs, targets)))

    model = network(len(vocabulary), constants, layer, **options)
    model.compile(
        optimizer=keras.optimizers.SGD(constants.learning_rate, clipvalue=constants.clip),
        loss=summed_loss,
        steps_per_execution=min(constants.sample_every, len(inputs)),
        jit_compile=False,
    )
    writer = Writer(model, vocabulary)
    writer.check(constants.sample_start)

    def write():
        return writer.write(
            constants.sample_start, constants.sample_length,
            temperature=constants.sample_temperature, seed=clock.step,
        )  # fmt: skip

    clock = TrainingClock(constants.epochs, steps_per_epoch=len(inputs), max_minutes=max_minutes)
    report = Report(folder, clock, constants.sample_every, write=write)
    folder.echo(
        f"{name}: {model.count_params():,} parameters, {clock.total_steps:,} updates to come."
    )
    with stop_on_interrupt(clock):
        model.fit(
            batches,
            epochs=constants.epochs,
            callbacks=[clock, report],
            shuffle=False,  # the chunks come in the order of the text
            verbose=0,
        )
    training = progress(clock)

    folder.curve("loss", ylabel=f"nats per chunk of {constants.sequence_length}")
    vocabulary.save(folder.path / "vocabulary.json")
    figures = {
        "nats_per_character": nats_per_character(model, ids, constants.sequence_length),
        **lowest(folder.rows, constants.sequence_length),
        "last_loss": report.losses[-1] if report.losses else None,
        "parameters": model.count_params(),
    }
    return folder.finish(model, data=corpus, training=training, figures=figures)


def lowest(rows, sequence_length, count=10):
    """Where the logged loss was lowest, as the mean of a few rows: SGD at this rate may lose it."""
    if len(rows) < count:
        return {}
    losses = np.array([row["loss"] for row in rows])
    means = np.convolve(losses, np.full(count, 1 / count), "valid")
    at = int(means.argmin())
    return {
        "lowest_nats_per_character": means[at] / sequence_length,
        "minutes_to_lowest": rows[at + count - 1]["minutes"],
        "step_of_lowest": rows[at + count - 1]["step"],
    }


def nats_per_character(model, ids, sequence_length):
    """The loss of the trained network over the whole text, each chunk from a zero state."""
    inputs, targets = (part[:, 0] for part in chunks(ids, sequence_length, 1))
    model.compile(loss=summed_loss, jit_compile=False)
    found = model.evaluate(inputs, targets, batch_size=500, verbose=0, return_dict=True)
    return found["loss"] / sequence_length


# --- The exploding gradient --------------------------------------------------------------------


def run_exploding_gradients(*, out, data_dir=None, max_minutes=None, seed=0, constants=EXPLODING):
    """Part 1's warning as a picture: the gradient's norm with and without clipping.

    Vanilla RNNs start from the same weights and see the same chunks at a high learning rate: one
    without clipping, one with each element of the gradient clipped, as in the document, and one
    with the norm of the whole gradient clipped, which keeps its direction (Pascanu et al. 2013).
    `gradients.png` shows the norm of the gradient as it comes out of back-propagation, before any
    clipping, and the loss. See `rnnzoo.founding.run` for the arguments.
    """
    if keras.config.backend() != "tensorflow":
        raise InputError(
            "s3_exploding_gradients reads its gradients from TensorFlow, but Keras runs on "
            f"{keras.config.backend()}; set KERAS_BACKEND=tensorflow."
        )
    folder = RunFolder("s3_exploding_gradients", out, seed=seed, constants=constants)
    corpus = corpora.load("tiny_shakespeare", data_dir=data_dir)
    vocabulary = Vocabulary.from_text(corpus.text)
    ids = vocabulary.encode(corpus.text)
    batches = chunks(ids, constants.sequence_length, 1)
    ways = {
        "not clipped": {},
        "elements clipped": {"clipvalue": constants.clip},
        "norm clipped": {"global_clipnorm": constants.clip},
    }
    clock = TrainingClock(1, steps_per_epoch=len(ways) * constants.steps, max_minutes=max_minutes)
    clock.on_train_begin()
    figures = {}
    with stop_on_interrupt(clock):
        for part, (name, clipping) in enumerate(ways.items(), start=1):
            keras.utils.set_random_seed(seed)
            model = network(len(vocabulary), constants)
            until = (clock.max_seconds or np.inf) * part / len(ways)
            norms, losses = _norms(
                model, batches, clipping, constants=constants, clock=clock, until=until
            )
            for step, (norm, loss) in enumerate(zip(norms, losses, strict=True)):
                folder.log(run=name, step=step, norm=norm, loss=loss)
            key = name.replace(" ", "_")
            figures[f"steps_{key}"] = len(norms)
            figures[f"largest_norm_{key}"] = max(norms)
            figures[f"last_loss_{key}"] = float(np.mean(losses[-100:]))
            folder.echo(
                f"{name}: largest norm {max(norms):.3g}, last loss {np.mean(losses[-100:]):.4g} "
                f"nats per chunk in {len(norms):,} steps."
            )
    training = progress(clock)
    _draw(folder, ways, constants)
    return folder.finish(None, data=corpus, training=training, figures=figures)


def _norms(model, batches, clipping, constants, clock, until):
    """Trains a while; returns the norms of the gradients before clipping, and the losses."""
    import tensorflow as tf

    optimizer = keras.optimizers.SGD(constants.learning_rate, **clipping)
    optimizer.build(model.trainable_variables)

    @tf.function
    def update(inputs, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(summed_loss(targets, model(inputs)))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return tf.linalg.global_norm(gradients), loss

    norms, losses = [], []
    for inputs, targets in zip(*(part[: constants.steps] for part in batches), strict=True):
        norm, loss = update(inputs, targets)
        clock.step += 1
        if not np.isfinite(norm):
            clock.stopped_by = "a gradient was no longer a number"
            break
        norms.append(float(norm))
        losses.append(float(loss))
        if clock.interrupted.is_set() or clock.seconds > until:
            clock.stopped_by = "interrupt" if clock.interrupted.is_set() else "budget"
            break
    return norms, losses


def _draw(folder, names, constants):
    with folder.picture("gradients.png", panels=2) as (above, below):
        for name in names:
            rows = [row for row in folder.rows if row["run"] == name]
            steps = [row["step"] for row in rows]
            above.plot(steps, [row["norm"] for row in rows], label=name, linewidth=0.7)
            below.plot(steps, [row["loss"] for row in rows], label=name, linewidth=0.7)
        above.axhline(constants.clip, color="black", linestyle=":", label="limit")
        above.set(
            yscale="log", ylabel="norm of the gradient",
            title=f"vanilla RNN, learning rate {constants.learning_rate}",
        )  # fmt: skip
        below.set(yscale="log", xlabel="step", ylabel="nats per chunk")
        above.legend()
