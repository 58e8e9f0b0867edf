"""S2's literal softmax: one row for each of the word index's 88,587 ids, of which 10,000 occur.

The document makes its vocabulary `max(word_index.values())` after the shift by 3, though the ids
were loaded with `num_words=10000`. `s2_literal_softmax` trains both networks for some steps on the
same batches, each in a process of its own, and shows what the rows that are never a target cost:
parameters, seconds a step, memory. (Keras's index ends at 88,587; an index counted in the reviews
ends elsewhere, and the run says where.) Neither makes all logits of a batch at once
(`rnnzoo.layers.cross_entropy`): for 64 x 256 targets the document's are 5.4 GiB, and their gradient
as much again. The memory is the most that the process ever held, Python and TensorFlow included.

To train the literal network for longer: `s2_imdb_word_lm` with `vocabulary_size=88587`.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import keras
import numpy as np

from rnnzoo.errors import check_positive
from rnnzoo.founding import s2_imdb_word_lm as s2
from rnnzoo.founding.folder import RunFolder, progress
from rnnzoo.founding.s2_reviews import load_reviews
from rnnzoo.founding.sequence_loss import loss_weights
from rnnzoo.training.schedule import TrainingClock, stop_on_interrupt

MOST_BYTES = 6 * 2**30


@dataclass(frozen=True)
class Constants:
    """How long to train each; `document` is the small network and the batches of both.

    Raises:
        InputError: If a number cannot be.
    """

    steps: int = 10
    document: s2.Constants = s2.DOCUMENT

    def __post_init__(self):
        check_positive(steps=self.steps)


LITERAL = Constants()
TINY = Constants(steps=2, document=s2.TINY["s2_imdb_word_lm"])


def run_literal_softmax(*, out, data_dir=None, max_minutes=None, seed=0, constants=LITERAL):
    """Runs both; see `rnnzoo.founding.run` for the arguments. There is no model to keep.

    A script that calls it does so under `if __name__ == "__main__":`, since the new processes
    import the script.
    """
    folder = RunFolder("s2_literal_softmax", out, seed=seed, constants=constants)
    document = constants.document
    reviews = load_reviews(data_dir, document.num_words, document.sequence_length, test_reviews=1)
    train = reviews.train
    order = np.random.default_rng(seed).permutation(len(train.tokens))
    order = np.resize(order, constants.steps * document.batch_size)  # again and again, if need be
    literal = max(len(reviews.vocabulary) - 1, document.num_words)  # the highest id of the index
    occurs = np.bincount(train.targets.ravel(), minlength=literal) > 0

    clock = TrainingClock(1, steps_per_epoch=2 * constants.steps, max_minutes=max_minutes)
    clock.on_train_begin()
    figures = {}
    sizes = {"num_words": document.num_words, "literal": literal}
    with stop_on_interrupt(clock):
        for part, (name, size) in enumerate(sizes.items(), start=1):
            seconds = None if max_minutes is None else 60 * max_minutes * part / 2 - clock.seconds
            if clock.interrupted.is_set():
                seconds = 0  # a step of the other one too, to show both
            found = in_fresh_process(
                measure, replace(document, vocabulary_size=size), train.tokens[order],
                train.targets[order], train.is_word[order], seed, seconds,
            )  # fmt: skip
            clock.step += found["steps"]
            if found["steps"] < constants.steps:
                clock.stopped_by = "interrupt" if clock.interrupted.is_set() else "budget"
            found["vocabulary_size"] = size
            found["rows_never_a_target"] = float(1 - occurs[:size].mean())
            found["bytes_of_all_logits"] = document.batch_size * document.sequence_length * size * 4
            figures[name] = found
            folder.log(**found)
            folder.echo(
                f"{size:,} words: {found['parameters']:,} parameters, "
                f"{found['seconds_per_step']:.2f} s a step, "
                f"{_gib(found['peak_memory_bytes'])} GiB at most, "
                f"{found['rows_never_a_target']:.1%} of the softmax's rows never a target"
            )
    training = progress(clock)
    peak = figures["literal"]["peak_memory_bytes"]
    figures["literal_within_6_gib"] = None if peak is None else peak <= MOST_BYTES
    _draw(folder, [figures["num_words"], figures["literal"]])
    return folder.finish(None, data=reviews.corpus, training=training, figures=figures)


def in_fresh_process(function, *arguments):
    """Calls a function in a new process, whose memory is then its own.

    Ctrl-C reaches all processes of a terminal; there it does only what the function makes of it.
    """
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    with ProcessPoolExecutor(
        max_workers=1,
        mp_context=get_context("spawn"),
        initializer=exec,  # a function of this module would import Keras first
        initargs=(ignore,),
    ) as pool:
        return pool.submit(function, *arguments).result()


def measure(constants, tokens, targets, is_word, seed, seconds):
    """Trains on some batches, or until Ctrl-C.

    Args:
        constants: Those of `s2_imdb_word_lm`.
        tokens: The reviews of all batches; `targets` and `is_word` are theirs.
        targets: As `tokens`.
        is_word: As `tokens`.
        seed: Of the weights.
        seconds: When to stop after a step; `None`: after all batches.

    Returns:
        A dictionary of figures.
    """
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    before = peak_memory()
    model = s2.network(constants)
    weights = loss_weights(constants.loss_weights, targets, is_word)
    times, found = [], []
    clock = TrainingClock(1, steps_per_epoch=len(tokens) // constants.batch_size)
    with stop_on_interrupt(clock):
        for at in range(0, len(tokens), constants.batch_size):
            rows = slice(at, at + constants.batch_size)
            began = time.perf_counter()
            loss, *_ = model.train_on_batch(tokens[rows], targets[rows], weights[rows])
            model.reset_metrics()  # else the loss is the mean of all so far
            times.append(time.perf_counter() - began)
            found.append(float(loss))
            due = seconds is not None and time.perf_counter() - start >= seconds
            if due or clock.interrupted.is_set():
                break
    return {
        "parameters": model.count_params(),
        "steps": len(times),
        "seconds_per_step": float(np.median(times[1:] or times)),  # the first one compiles
        "first_loss": found[0],
        "last_loss": found[-1],
        "peak_memory_bytes": peak_memory(),
        "memory_before_bytes": before,  # of Python, Keras and TensorFlow
    }


def peak_memory():
    """The most memory that this process has held, in bytes; None where Linux does not tell.

    `getrusage` would not do: it also counts the process that this one was forked from.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


def _gib(size):
    return "?" if size is None else f"{size / 2**30:.2f}"


def _draw(folder, found):
    """Draws what the two cost, as far as it is known."""
    quantities = {
        "parameters": (1e6, "million parameters"),
        "seconds_per_step": (1, "seconds a step"),
        "peak_memory_bytes": (2**30, "GiB at most"),
    }
    if found[0]["peak_memory_bytes"] is None:
        del quantities["peak_memory_bytes"]
    with folder.picture("waste.png", panels=len(quantities)) as panels:
        for axes, (name, (unit, label)) in zip(panels, quantities.items(), strict=True):
            names = [f"{one['vocabulary_size']:,} words" for one in found]
            axes.barh(names, [one[name] / unit for one in found])
            axes.set(xlabel=label)
        panels[0].set(title=folder.name)
