"""S1: spelled-out numbers, "one two five" -> "125#", without and with attention.

The document's two systems in today's Keras: a generator of numbers, a network (`s1_models`),
training with a validation every 5,000 samples, and its plots (`s1_report`). The validation runs
free because everything does: no target symbol goes into either decoder.

Constants that the document leaves out: the initial weights (here Keras's: Glorot, orthogonal, a
forget bias of 1; Lasagne's are normal with a deviation of 0.1) and the order of the letters among
the 27 symbols, which changes nothing.

Where Keras must differ, or does: its GRU is Lasagne's with z for 1 - z and a second bias; its LSTM
has no peepholes; the softmax stands in the cost (from logits); inputs are padded to the longest
possible rather than the longest of the batch, so that the loops unroll.

The exercises are constants: `min_digits=1` (targets of variable length with a masked cost),
`bidirectional`, `trainable_embedding` and `bridge`; `s1_exercises` has each as a system.
"""

from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import keras
import numpy as np

from rnnzoo.data.corpus import Corpus
from rnnzoo.errors import InputError, check_positive
from rnnzoo.founding.folder import RunFolder, progress
from rnnzoo.founding.s1_models import (
    TwiceClippedAdam,
    attention_decoder,
    attention_of,
    encoder_decoder,
)
from rnnzoo.founding.s1_report import (
    Validation,
    plot_attention,
    plot_mean_attention,
    plot_training,
    predict,
    write,
)
from rnnzoo.training.schedule import LearningRate, TrainingClock, stop_on_interrupt

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
END = "#"
SYMBOLS = "0123456789" + END + "".join(sorted(set(" ".join(WORDS))))  # 27; targets use 11
_ID_OF_BYTE = np.zeros(128, "int32")
_ID_OF_BYTE[np.frombuffer(SYMBOLS.encode(), "uint8")] = np.arange(len(SYMBOLS))


@dataclass(frozen=True)
class Constants:
    """The document's numbers, and its exercises.

    Args:
        encoder_units: `NUM_UNITS_ENC`.
        decoder_units: `NUM_UNITS_DEC`.
        max_digits: `MAX_DIGITS`, the most digits of a number.
        min_digits: `MIN_DIGITS`, the fewest. Fewer than the most is an exercise: the cost is then
            masked where targets are padded.
        batch_size: Samples of a batch.
        learning_rate: Of Adam.
        final_fraction: The last rate as a fraction of the first, along half a cosine; 1 is the
            document's constant rate.
        clip: The most that each gradient element, and then the norm of all, may be.
        samples: Samples to train on; they are drawn anew, not repeated.
        validate_every: Samples between validations.
        validation_samples: Held-out samples.
        bidirectional: Exercise: `"concat"`, `"sum"` or `"product"` of two directions.
        trainable_embedding: Exercise: train the embedding that starts as one-hot.

    Raises:
        InputError: If a number cannot be.
    """

    encoder_units: int = 10
    decoder_units: int = 10
    max_digits: int = 20
    min_digits: int = 20
    batch_size: int = 100
    learning_rate: float = 0.005
    final_fraction: float = 1.0
    clip: float = 3.0
    samples: int = 300_000
    validate_every: int = 5_000
    validation_samples: int = 5_000
    bidirectional: str | None = None
    trainable_embedding: bool = False

    def __post_init__(self):
        sizes = {name: value for name, value in asdict(self).items() if type(value) is int}
        check_positive(**sizes)
        if self.min_digits > self.max_digits:
            raise InputError(
                f"`min_digits` ({self.min_digits}) must not exceed `max_digits` "
                f"({self.max_digits})."
            )
        if self.samples % self.validate_every or self.validate_every % self.batch_size:
            raise InputError(
                f"`samples` ({self.samples}) must be a multiple of `validate_every` "
                f"({self.validate_every}), and that one of `batch_size` ({self.batch_size})."
            )

    @property
    def shape(self):
        """Arguments of the models: input length, decode steps and the units on both sides."""
        return {
            "input_length": longest_input(self.max_digits),
            "decode_steps": self.max_digits + 1,
            "encoder_units": self.encoder_units,
            "decoder_units": self.decoder_units,
            "bidirectional": self.bidirectional,
            "trainable_embedding": self.trainable_embedding,
        }


@dataclass(frozen=True)
class EncoderDecoderConstants(Constants):
    """Those of model 1; `bridge` is as for `s1_models.encoder_decoder`, an exercise."""

    bridge: str = "repeat"


@dataclass(frozen=True)
class AttentionConstants(Constants):
    """Those of model 2, with the units in which the decoder's state and the input are compared."""

    samples: int = 150_000
    alignment_units: int = 20


ENCODER_DECODER = EncoderDecoderConstants()
ATTENTION = AttentionConstants()
BETTER = AttentionConstants(
    encoder_units=64, decoder_units=64, alignment_units=64, final_fraction=0.02
)
_TINY = {
    "max_digits": 2,
    "min_digits": 1,
    "batch_size": 20,
    "samples": 400,
    "validate_every": 200,
    "validation_samples": 50,
}
TINY = {
    "s1_numbers_encoder_decoder": replace(ENCODER_DECODER, **_TINY),
    "s1_numbers_attention": replace(ATTENTION, **_TINY),
    "s1_numbers_better": replace(BETTER, **_TINY),
}


# --- The data ----------------------------------------------------------------------------------


class Numbers(NamedTuple):
    """A batch: ids, what is real in them (`True`) and what is padding, and the texts."""

    inputs: np.ndarray  # (B, input_length) int32
    input_mask: np.ndarray  # (B, input_length) bool
    targets: np.ndarray  # (B, decode_steps) int32
    target_mask: np.ndarray  # (B, decode_steps) bool
    text_inputs: list[str]
    text_targets: list[str]


def longest_input(max_digits):
    """Symbols of the longest input: 5 letters for a digit, and a space between two."""
    return 6 * max_digits - 1


def get_batch(random, batch_size=100, max_digits=20, min_digits=20):
    """Makes random numbers.

    Args:
        random: A `numpy.random.Generator`.
        batch_size: How many.
        max_digits: The most digits; lengths are drawn uniformly.
        min_digits: The fewest.

    Returns:
        `Numbers`.

    Example:
        >>> get_batch(np.random.default_rng(0), batch_size=1, max_digits=3, min_digits=3)[4:]
        (['eight six five'], ['865#'])
    """
    lengths = random.integers(min_digits, max_digits, size=batch_size, endpoint=True)
    digits = [random.integers(10, size=length) for length in lengths]
    text_inputs = [" ".join(WORDS[digit] for digit in number) for number in digits]
    text_targets = ["".join(map(str, number)) + END for number in digits]
    inputs, input_mask = encode(text_inputs, longest_input(max_digits))
    targets, target_mask = encode(text_targets, max_digits + 1)
    return Numbers(
        inputs,
        input_mask,
        targets,
        target_mask=target_mask,
        text_inputs=text_inputs,
        text_targets=text_targets,
    )


def encode(texts, length):
    """Turns texts into ids and their mask, padded on the right to a length.

    Args:
        texts: A list of texts.
        length: The length of all rows.

    Returns:
        Ids, int32 `(len(texts), length)`, and the mask, bool, of the same shape.

    Raises:
        InputError: If a text is empty, too long, or has a symbol that spells no digit.

    Example:
        >>> encode(["98#"], 4)[0].tolist()
        [[9, 8, 10, 0]]
    """
    ids, mask = np.zeros((len(texts), length), "int32"), np.zeros((len(texts), length), bool)
    for row, text in enumerate(texts):
        if not 1 <= len(text) <= length or not set(text) <= set(SYMBOLS):
            raise InputError(
                f"{text!r} cannot be encoded: give 1 to {length} symbols of {SYMBOLS!r}."
            )
        ids[row, : len(text)] = _ID_OF_BYTE[np.frombuffer(text.encode(), "uint8")]
        mask[row, : len(text)] = True
    return ids, mask


def decode(ids):
    """Turns written ids into text, up to and including the first '#'."""
    text = "".join(SYMBOLS[index] for index in ids)
    return text[: text.index(END) + 1] if END in text else text


def training_data(constants, seed):
    """Makes the endless `tf.data.Dataset` of new numbers that training reads.

    Its elements are the model's inputs, the targets and, as the weights of the cost, their mask.
    """
    import tensorflow as tf

    from rnnzoo.data.batches import in_background

    random = np.random.default_rng([seed, 0])
    size = constants.batch_size

    def batches():
        while True:
            batch = get_batch(random, size, constants.max_digits, min_digits=constants.min_digits)
            inputs = {"inputs": batch.inputs, "input_mask": batch.input_mask}
            yield inputs, batch.targets, batch.target_mask.astype("float32")

    example = get_batch(random, size, constants.max_digits, min_digits=constants.min_digits)
    ids, targets = example.inputs.shape, example.targets.shape
    signature = (
        {"inputs": tf.TensorSpec(ids, tf.int32), "input_mask": tf.TensorSpec(ids, tf.bool)},
        tf.TensorSpec(targets, tf.int32),
        tf.TensorSpec(targets, tf.float32),
    )
    return in_background(tf.data.Dataset.from_generator(batches, output_signature=signature))


# --- The systems -------------------------------------------------------------------------------


def run_encoder_decoder(
    *,
    out,
    data_dir=None,
    max_minutes=None,
    seed=0,
    constants=ENCODER_DECODER,
    name="s1_numbers_encoder_decoder",
):
    """Runs the document's model 1, a GRU encoder and a GRU decoder.

    Args:
        out: The folder to write.
        data_dir: Not used: the numbers are generated.
        max_minutes: Ends the training early, after a validation.
        seed: Of the weights and the numbers.
        constants: `EncoderDecoderConstants`.
        name: What the run is called.

    Returns:
        The path of the folder.

    Raises:
        InputError: If a constant is not valid or the folder cannot be written.
    """
    keras.utils.set_random_seed(seed)  # and the model first: a wrong constant leaves no folder
    model = encoder_decoder(**constants.shape, bridge=constants.bridge)
    folder = RunFolder(name, out, seed=seed, constants=constants)
    held_out, training = _train(model, constants, folder, max_minutes=max_minutes)
    return _finish(model, folder, held_out, training=training)


def run_attention(
    *,
    out,
    data_dir=None,
    max_minutes=None,
    seed=0,
    constants=ATTENTION,
    name="s1_numbers_attention",
):
    """Runs the document's model 2, a GRU encoder and an LSTM decoder with attention and feedback.

    Args:
        out: The folder to write.
        data_dir: Not used: the numbers are generated.
        max_minutes: Ends the training early, after a validation.
        seed: Of the weights and the numbers.
        constants: `AttentionConstants`.
        name: What the run is called.

    Returns:
        The path of the folder.

    Raises:
        InputError: If a constant is not valid or the folder cannot be written.
    """
    keras.utils.set_random_seed(seed)
    model = attention_decoder(**constants.shape, alignment_units=constants.alignment_units)
    folder = RunFolder(name, out, seed=seed, constants=constants)
    held_out, training = _train(model, constants, folder, max_minutes=max_minutes)
    weights = predict(attention_of(model), held_out)  # (samples, decode_steps, input_length)
    plot_mean_attention(weights.mean(axis=0), folder)
    source, written = held_out.text_inputs[0], decode(write(model, held_out)[0])
    plot_attention(weights[0, : len(written), : len(source)], source, written, folder=folder)
    return _finish(model, folder, held_out, training=training)


def run_better(*, out, data_dir=None, max_minutes=None, seed=0, constants=BETTER):
    """Runs model 2 with 64 units for 10 and a falling rate, our better version of S1.

    It runs as free as the others; see `run_attention`. With `max_minutes` the rate is fitted to
    them.
    """
    return run_attention(
        out=out, max_minutes=max_minutes, seed=seed, constants=constants, name="s1_numbers_better"
    )


def _train(model, constants, folder, max_minutes):
    """Trains a model; returns the held-out numbers and how far it came."""
    model.compile(
        optimizer=TwiceClippedAdam(constants.learning_rate, constants.clip),
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True,
            reduction="mean_with_sample_weight",  # over the real symbols alone
        ),
    )
    count, digits = constants.validation_samples, (constants.max_digits, constants.min_digits)
    held_out = get_batch(np.random.default_rng([folder.seed, 1]), count, *digits)
    folder.echo(
        f"{folder.name}: {model.count_params():,} parameters, {constants.samples:,} samples of "
        f"{constants.min_digits} to {constants.max_digits} digits, seed {folder.seed}."
    )
    epochs = constants.samples // constants.validate_every
    steps = constants.validate_every // constants.batch_size
    clock = TrainingClock(epochs, steps_per_epoch=steps, max_minutes=max_minutes)
    rate = LearningRate(
        clock, peak=constants.learning_rate, final_fraction=constants.final_fraction
    )
    validation = Validation(held_out, clock, constants.batch_size, folder=folder)
    with stop_on_interrupt(clock):
        model.fit(
            training_data(constants, folder.seed),
            epochs=epochs,
            steps_per_epoch=steps,
            callbacks=[clock, rate, validation],
            shuffle=False,  # the numbers come in a random order already
            verbose=0,
        )
    training = progress(clock)
    plot_training(folder)
    return held_out, training


def _finish(model, folder, held_out, training):
    """Writes samples and what every run leaves; returns the folder."""
    some = Numbers(*(part[:10] for part in held_out))
    written = [decode(row) for row in write(model, some)]
    for source, text, target in zip(some.text_inputs, written, some.text_targets, strict=True):
        right = "right" if text == target else f"should be {target}"
        folder.sample(source, f"-> {text} ({right})")
    data = Corpus(
        name="spelled_numbers",
        kind="pairs",
        source=f"Generated with seed {folder.seed}, training samples without end; the hash is that "
        f"of the {len(held_out.text_inputs):,} held-out samples.",
        terms="Generated; free of any terms.",
        splits={"validation": list(zip(held_out.text_inputs, held_out.text_targets, strict=True))},
    )
    return folder.finish(model, data=data, training=training, figures=folder.rows[-1])
