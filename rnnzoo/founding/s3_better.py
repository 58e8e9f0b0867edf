"""S3's job as rnnzoo does it: an LSTM of as many units, many rows at a time, with carried state.

Where the document updates after each chunk of 25 characters and forgets what came before it, this
reads 50 rows of the text side by side, each on from where it stopped, and learns with Adam and a
falling rate. Half of the time a row forgets, too, so that it also learns to start from nothing. It
trains on the first nine tenths of the text and is measured on the last one too.
"""

from dataclasses import dataclass

import keras

from rnnzoo import Vocabulary, char_lstm
from rnnzoo.data import corpora, random_resets, stream_batches
from rnnzoo.founding.folder import Report, RunFolder, check_sizes, nats_of_stream, progress
from rnnzoo.founding.s3_from_scratch import nats_per_character
from rnnzoo.generation.inputs import encode_prompts
from rnnzoo.training.schedule import LearningRate, TrainingClock, stop_on_interrupt


@dataclass(frozen=True)
class Constants:
    """The units and samples are the document's, all else is ours.

    Raises:
        InputError: If a size is not positive.
    """

    hidden_units: int = 100
    epochs: int = 20
    sample_length: int = 100
    sample_start: str = "\n"
    batch_size: int = 50
    sequence_length: int = 25
    reset_probability: float = 0.5
    learning_rate: float = 0.005
    final_fraction: float = 0.02  # the last rate over the first, along half a cosine
    validation_split: float = 0.1  # the end of the text
    sample_every: int = 20  # steps
    chunk: int = 25  # the document's chunks, in which its networks are measured

    def __post_init__(self):
        check_sizes(self)


BETTER = Constants()
TINY = Constants(
    hidden_units=8, epochs=2, sample_length=20, batch_size=4, sequence_length=8, sample_every=10,
    chunk=5,
)  # fmt: skip


def run(*, out, data_dir=None, max_minutes=None, seed=0, constants=BETTER):
    """Runs the system; see `rnnzoo.founding.run` for the arguments."""
    folder = RunFolder("s3_better", out, seed=seed, constants=constants)
    corpus = corpora.load("tiny_shakespeare", data_dir=data_dir)
    vocabulary = Vocabulary.from_text(corpus.text)
    ids = vocabulary.encode(corpus.text)
    train, validation = stream_batches(
        ids, constants.batch_size, constants.sequence_length,
        validation_split=constants.validation_split,
    )  # fmt: skip
    model = char_lstm(vocabulary, units=constants.hidden_units, num_layers=1)
    encode_prompts(model, constants.sample_start)  # raises for what it cannot go on from
    model.compile(optimizer=keras.optimizers.Adam(constants.learning_rate, global_clipnorm=1.0))
    clock = TrainingClock(constants.epochs, steps_per_epoch=len(train), max_minutes=max_minutes)
    rate = LearningRate(
        clock, peak=constants.learning_rate, final_fraction=constants.final_fraction
    )
    report = Report(
        folder,
        clock,
        constants.sample_every,
        write=lambda: model.generate(
            constants.sample_start, constants.sample_length, seed=clock.step
        ),
    )
    folder.echo(
        f"{folder.name}: {model.count_params():,} parameters, {clock.total_steps:,} steps to come."
    )
    with stop_on_interrupt(clock):
        model.fit(
            random_resets(train, constants.reset_probability, seed=seed),
            epochs=constants.epochs,
            callbacks=[clock, rate, report],
            shuffle=False,  # the batches go on where the last ones ended
            verbose=0,
        )
    training = progress(clock)

    folder.curve("loss", x="minutes", ylabel="nats per character")
    figures = {
        "training_loss": nats_of_stream(model, train),
        "validation_loss": nats_of_stream(model, validation),
        # of the whole text, each chunk from a zero state, as the document's networks are measured
        "nats_per_character": nats_per_character(model, ids, constants.chunk),
        "last_loss": report.losses[-1] if report.losses else None,
        "parameters": model.count_params(),
    }
    return folder.finish(model, data=corpus, training=training, figures=figures)
