"""S2: "Hackathon 9" (TensorFlow 1): a word language model of the IMDB reviews, ids as in Keras.

`s2_imdb_word_lm` runs what the document ran: the ids of `keras.datasets.imdb` with 10,000 words (0
`<PAD>`, 1 `<START>`, 2 `<UNK>`, 3 `<UNUSED>`), 25,000 reviews for training and as many for the
test. A review is padded behind its end to 256 and cut at its start: a long one keeps its last 256
words and loses `<START>`. Targets are the inputs moved on by one, filled up with `<START>`. The
network is an embedding of int(sqrt(vocabulary)), an LSTM of 200 from a zero state and a softmax at
every step; RMSProp at 1e-4, batches of 64, greedy generation from `<START>`.

The loss is the uniform `sequence_loss`, which counts padding as words. The summary shows what that
costs: how much of the targets and of the steps is padding, and the loss per word beside the loss
over all targets, which is what training shows. The same run with a loss of words alone:
`loss_weights="mask"`; the steps are still spent, since the padding is still read.

Options that the document names are constants here: `loss_weights` (`"by_position"`, `"by_word"`,
`"mask"`; `sequence_loss.py` says what they are) and `trainable_initial_state`. Its vocabulary was
`max(word_index.values())`, of which 10,000 words occur: `vocabulary_size=88587` trains that, and
`s2_literal_softmax` shows its waste. `s2_imdb_attention_wrapper` is the exercise: two LSTM layers,
each step attending over the layer's own last outputs.

Where Keras differs:

- The ids are made from the reviews and Keras's own word index, by the rule that gives Keras's
  ids; where that index is not at hand, an index is counted in the reviews. The run says which.
- The softmax and its loss are computed a few words at a time (`rnnzoo.layers.cross_entropy`): the
  same numbers, in a fraction of the memory.
- RMSProp starts its mean squares from 0, and those of words that a batch lacks fall too; TensorFlow
  1 started from 1 and left them as they were.
- The recurrent matrix starts orthogonal and the forget gate's bias is a weight that starts at 1;
  in TensorFlow 1 the 1 was added.

Our better version of the same job is the recipe `imdb_lm`: no padding, no `<START>` lost, the
embedding shared with the softmax.
"""

import math
from dataclasses import dataclass, replace

import keras
import numpy as np

from rnnzoo import Vocabulary
from rnnzoo.errors import InputError, check_positive, unknown_name
from rnnzoo.founding.folder import Report, RunFolder, progress
from rnnzoo.founding.s2_model import WordModel
from rnnzoo.founding.s2_reviews import (
    PAD,
    SPECIAL,
    START,
    UNKNOWN,
    Batchable,
    decode_review,
    load_reviews,
)
from rnnzoo.founding.sequence_loss import WEIGHTS, loss_weights, sequence_loss
from rnnzoo.training.schedule import TrainingClock, stop_on_interrupt


@dataclass(frozen=True)
class Constants:
    """The document's numbers and options, and below the line what it leaves out.

    Raises:
        InputError: If a number or name cannot be.
    """

    num_words: int = 10_000
    vocabulary_size: int = 10_000  # of the softmax and the embedding; 88,587 in the document
    sequence_length: int = 256
    units: tuple = (200,)
    batch_size: int = 64
    learning_rate: float = 1e-4
    loss_weights: str = "uniform"
    trainable_initial_state: bool = False
    attention_length: int | None = None
    # Chosen: RMSProp as TensorFlow 1 had it by default; reviews in a new order each epoch.
    rho: float = 0.9
    epsilon: float = 1e-10
    epochs: int = 10
    sample_length: int = 50
    report_every: int = 25  # steps
    held_out_every: int = 50  # steps
    held_out_reviews: int = 128  # of the test reviews, measured during training
    test_reviews: int = 2_500  # measured at the end

    def __post_init__(self):
        sizes = ("num_words", "sequence_length", "batch_size", "epochs", "sample_length")
        sizes += ("report_every", "held_out_every", "held_out_reviews", "test_reviews")
        check_positive(**{name: getattr(self, name) for name in sizes})
        if self.loss_weights not in WEIGHTS:
            raise unknown_name("loss weight", self.loss_weights, WEIGHTS)
        if not len(SPECIAL) < self.num_words <= self.vocabulary_size:
            raise InputError(
                f"`num_words` ({self.num_words}) must be more than {len(SPECIAL)} and at most "
                f"`vocabulary_size` ({self.vocabulary_size})."
            )

    @property
    def embedding_dim(self):
        """int(sqrt(vocabulary))."""
        return math.isqrt(self.vocabulary_size)


DOCUMENT = Constants()
# The exercise names neither size: two layers like the one above, each looking back ten words.
ATTENTION = Constants(units=(200, 200), attention_length=10)
_TINY = {
    "num_words": 40,
    "vocabulary_size": 40,
    "sequence_length": 12,
    "batch_size": 4,
    "epochs": 2,
    "sample_length": 5,
    "report_every": 2,
    "held_out_every": 2,
    "held_out_reviews": 4,
    "test_reviews": 6,
}
TINY = {
    "s2_imdb_word_lm": replace(DOCUMENT, units=(8,), **_TINY),
    "s2_imdb_attention_wrapper": replace(ATTENTION, units=(8, 8), **{**_TINY, "epochs": 1}),
}


# --- The systems -------------------------------------------------------------------------------


def run_word_lm(*, out, data_dir=None, max_minutes=None, seed=0, constants=DOCUMENT):
    """Runs the document's system; see `rnnzoo.founding.run` for the arguments."""
    return _run(
        "s2_imdb_word_lm", constants, out, data_dir=data_dir, max_minutes=max_minutes, seed=seed
    )


def run_attention_wrapper(*, out, data_dir=None, max_minutes=None, seed=0, constants=ATTENTION):
    """Runs the exercise, two layers with attention; see `rnnzoo.founding.run`."""
    return _run(
        "s2_imdb_attention_wrapper",
        constants,
        out,
        data_dir=data_dir,
        max_minutes=max_minutes,
        seed=seed,
    )


def network(constants):
    """Builds and compiles the network."""
    model = WordModel(
        constants.vocabulary_size,
        embedding_dim=constants.embedding_dim,
        units=constants.units,
        attention_length=constants.attention_length,
        trainable_initial_state=constants.trainable_initial_state,
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(
            constants.learning_rate, rho=constants.rho, epsilon=constants.epsilon
        )
    )
    return model


def _run(name, constants, out, data_dir, max_minutes, seed):
    folder = RunFolder(name, out, seed=seed, constants=constants)
    reviews = load_reviews(
        data_dir,
        constants.num_words,
        constants.sequence_length,
        test_reviews=constants.test_reviews,
    )
    train, test, vocabulary = reviews.train, reviews.test, reviews.vocabulary
    model = network(constants)

    def write():
        return decode_review(vocabulary, model.write(START, constants.sample_length))

    steps = math.ceil(len(train.tokens) / constants.batch_size)
    clock = TrainingClock(constants.epochs, steps_per_epoch=steps, max_minutes=max_minutes)
    report = Report(folder, clock, constants.report_every, write=write)
    watched = Batchable(*(part[: constants.held_out_reviews] for part in test))
    held_out = HeldOut(
        folder, clock, constants.held_out_every, reviews=watched, batch_size=constants.batch_size
    )
    folder.echo(
        f"{name}: {model.count_params():,} parameters, {len(train.tokens):,} reviews, {steps:,} "
        f"steps an epoch; word index: {reviews.word_index}."
    )
    with stop_on_interrupt(clock):
        model.fit(
            train.tokens,
            train.targets,
            sample_weight=loss_weights(constants.loss_weights, train.targets, train.is_word),
            batch_size=constants.batch_size,
            epochs=constants.epochs,
            callbacks=[clock, report, held_out],
            verbose=0,
        )
    training = progress(clock)

    folder.sample("the trained network, greedy from <START>", write())
    folder.curve("loss", ylabel=f"nats per target, weights: {constants.loss_weights}")
    held_out.draw()
    nats = model.nats(test.tokens, test.targets, constants.batch_size)
    _draw_positions(folder, nats, test)
    size = min(constants.num_words, len(vocabulary))
    kept = Vocabulary(vocabulary.tokens[:size], "word", lowercase=True, punctuation="strip")
    kept.save(folder.path / "vocabulary.json")
    figures = {
        **losses(nats, test),
        "test_reviews": f"{len(test.tokens):,} of {reviews.test_split}",
        "word_index": reviews.word_index,
        "last_loss": report.losses[-1] if report.losses else None,
        **padding_figures(train),
        "minutes_spent_on_padding": training["minutes"] * float((train.tokens == PAD).mean()),
        "tokens_per_second": training["steps_per_second"]
        * constants.batch_size
        * constants.sequence_length,
        "held_out": held_out.rows,
        "parameters": model.count_params(),
    }
    return folder.finish(model, data=reviews.corpus, training=training, figures=figures)


# --- What padding costs ------------------------------------------------------------------------


def losses(nats, rows):
    """The loss of rows, counted in the document's way and per word.

    Args:
        nats: Of every target, `(reviews, sequence_length)`.
        rows: Their `Batchable`.

    Returns:
        A dictionary of nats, and the perplexity that either suggests. A loss of what does not
        occur is None.
    """

    def loss(which):
        if not which.any():
            return None
        return float(sequence_loss(nats, rows.targets, which.astype("float32")))

    every = np.ones_like(rows.is_word)
    found = {
        "loss_per_target": loss(every),  # what the document shows
        "loss_per_word": loss(rows.is_word),
        "loss_per_padding": loss(rows.targets == PAD),
        "loss_of_last_start": loss(~rows.is_word & (rows.targets == START)),
    }
    for name in ("target", "word"):
        found[f"perplexity_per_{name}"] = math.exp(found[f"loss_per_{name}"])
    return found


def padding_figures(rows):
    """How much of the training is about padding: shares of targets and of steps.

    A step costs the same whatever it reads, so that the share of the steps that read padding is
    that of the computation.
    """
    return {
        "words_of_targets": float(rows.is_word.mean()),
        "padding_of_targets": float((rows.targets == PAD).mean()),
        "unknown_of_words": float((rows.targets[rows.is_word] == UNKNOWN).mean()),
        "padding_of_steps": float((rows.tokens == PAD).mean()),
        "reviews_cut": float(rows.was_cut.mean()),
    }


class HeldOut(keras.callbacks.Callback):
    """Measures held-out reviews every so many batches: the loss per word and per target.

    Args:
        folder: The `RunFolder`.
        clock: The `TrainingClock`, which stands before it among the callbacks.
        every: Batches between two measurements.
        reviews: Their `Batchable`.
        batch_size: Reviews at a time.

    Attributes:
        rows: What was measured, dictionaries.
    """

    def __init__(self, folder, clock, every, reviews, batch_size):
        super().__init__()
        self.folder, self.clock, self.every = folder, clock, every
        self.reviews, self.batch_size = reviews, batch_size
        self.rows = []

    def on_train_batch_end(self, batch, logs=None):
        """Measures when it is time."""
        if self.clock.step % self.every:
            return
        nats = self.model.nats(self.reviews.tokens, self.reviews.targets, self.batch_size)
        found = losses(nats, self.reviews)
        row = {name: found[name] for name in ("loss_per_word", "loss_per_target")}
        row = {"step": self.clock.step, "minutes": round(self.clock.minutes, 3), **row}
        self.rows.append(row)
        self.folder.echo(
            f"step {row['step']:,}: held-out loss per word {row['loss_per_word']:.4f}, per target "
            f"{row['loss_per_target']:.4f}"
        )

    def draw(self):
        """Draws both."""
        with self.folder.picture("held_out.png") as axes:
            for name in ("loss_per_word", "loss_per_target"):
                steps = [row["step"] for row in self.rows]
                axes.plot(steps, [row[name] for row in self.rows], label=name.replace("_", " "))
            axes.set(xlabel="step", ylabel="nats, held-out reviews", title=self.folder.name)
            axes.legend()


def _draw_positions(folder, nats, rows):
    """Draws the loss by position, over all targets and over the words among them."""
    with folder.picture("positions.png") as axes:
        for label, which in (("all targets", np.ones_like(rows.is_word)), ("words", rows.is_word)):
            weights = which.astype("float32")
            line = sequence_loss(nats, rows.targets, weights, average_across_timesteps=False)
            line = np.where(which.any(axis=0), keras.ops.convert_to_numpy(line), np.nan)
            axes.plot(line, label=label)
        axes.set(xlabel="position", ylabel="nats per target, test reviews", title=folder.name)
        axes.legend()
