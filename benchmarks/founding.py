"""The founding documents' way of doing their jobs against ours, in one table.

    python benchmarks/founding.py                       # some minutes; reads the runs in trained/
    python benchmarks/founding.py --runs trained --rounds 5
    python benchmarks/founding.py --quick               # tiny sizes: does it run at all?

- *Time to the same loss, final loss*: from the runs' folders (`scripts/run_founding_system.py`,
  `scripts/train_char_lstm.py`). The document's run ends with a loss, measured at its end with
  dropout off; ours has reached it at the first row of its log whose own loss is no higher (the mean
  training loss since the row before, dropout included). Of S3, whose SGD may lose again what it
  had, it is the lowest mean loss of one whole walk over the text in the document's log, against
  the first such mean of ours; the losses at the end are of the whole text, of either. Of S1 it is
  the share of right digits. S2 and ours read other held-out reviews: a hint, no measurement.
- *Peak memory*: a process of its own makes the training data and nothing else: all windows as
  one matrix, as the documents' examples do, against one walk over our pipeline. What the process
  held before is taken off. Our pipeline gives the same windows, as ids. S2's is the peak of a
  training's process, from its run.
- *Characters per second*: by argmax, batch 1, random weights, in turns. The documents run the
  network over a whole window for every character: S4 by `model.predict`, S0 by a compiled function
  (`predict_on_batch` here; both are shown for both). We carry the state in one compiled loop.
- *Updates*: S3 takes one chunk of 25 a step: in NumPy by hand (the tests' reference), in stock
  Keras by `train_on_batch` and by `fit`, and in rnnzoo's loop of 100 updates. S1's networks with
  stock Keras's recurrent layers, and with ours.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path
from unittest import mock

import _common
import _founding_runs
import _processes
import keras
import numpy as np
from _training import use_all_cores

from rnnzoo import Vocabulary
from rnnzoo.data import corpora, window_batches
from rnnzoo.founding import s0_lasagne_char_lstm as s0
from rnnzoo.founding import s1_models, s1_numbers
from rnnzoo.founding import s3_from_scratch as s3
from rnnzoo.founding import s4_alice as s4
from rnnzoo.founding.writing import Writer, write_by_sliding
from rnnzoo.layers import LSTM, SimpleRNN
from tests.founding.equations import NETWORKS

TITLE = "Founding systems: the documents' way and ours"


# --- Memory --------------------------------------------------------------------------------------


def s0_ids(limit):
    text = corpora.load("tiny_shakespeare").text[:limit]
    return Vocabulary.from_text(text).encode(text), len(set(text))


def s4_ids(limit):
    text = corpora.load("alice").text[:limit].lower()
    return Vocabulary.from_text(text).encode(text), len(set(text))


def memory_of(make, limit):
    """MiB that making the data takes beyond what the process held before."""
    ids, symbols = (s0_ids if make in (s0_matrix, s0_pipeline) else s4_ids)(limit)
    keras.ops.zeros(1)  # TensorFlow itself is no data
    with _processes.PeakMemory() as peak:
        make(ids, symbols)
    return peak.total - peak.before["total"]


def s0_matrix(ids, symbols):
    """All windows of a walk one-hot, a byte a number."""
    size = s0.DOCUMENT.seq_length
    starts = s0.walk(len(ids), size, s0.DOCUMENT.batch_size)
    starts = np.add.outer(starts, np.arange(s0.DOCUMENT.batch_size)).ravel()
    windows = np.zeros((len(starts), size, symbols), bool)
    targets = np.zeros((len(starts), symbols), bool)
    rows = np.arange(len(starts))
    for step in range(size):
        windows[rows, step, ids[starts + step]] = True
    targets[rows, ids[starts + size]] = True
    return windows, targets


def s0_pipeline(ids, symbols):
    for _ in s0.window_walk(ids, s0.DOCUMENT.seq_length, s0.DOCUMENT.batch_size):
        pass


def s4_matrix(ids, symbols):
    """All windows as lists, as one matrix of numbers from 0 to 1, and the targets one-hot."""
    size, ids = s4.DOCUMENT.window, ids.tolist()
    windows = [ids[at : at + size] for at in range(len(ids) - size)]
    targets = ids[size:]
    return np.reshape(windows, (len(windows), size, 1)) / symbols, np.eye(symbols)[targets]


def s4_pipeline(ids, symbols):
    for _ in window_batches(ids, s4.DOCUMENT.batch_size, s4.DOCUMENT.window, many_to_one=True):
        pass


def memory_table(limit):
    rows = []
    for label, matrix, pipeline in (
        ("S0: MiB of training data, all windows one-hot (a byte a number)", s0_matrix, s0_pipeline),
        ("S4: MiB of training data, all windows as numbers", s4_matrix, s4_pipeline),
    ):
        theirs, ours = (
            _processes.in_fresh_process(memory_of, way, limit) for way in (matrix, pipeline)
        )
        rows.append([label, f"{theirs:,.0f}", f"{ours:,.0f}", f"{theirs / max(ours, 1):,.1f}"])
    return rows


# --- Writing -------------------------------------------------------------------------------------


def speeds(calls, lengths, rounds):
    """Characters per second, and the median ratio to the last of the calls."""
    times = _common.alternate(calls, rounds)
    each = {name: [seconds / lengths[name] for seconds in times[name]] for name in calls}
    *_, ours = calls
    return {
        name: (1 / statistics.median(seconds), _common.ratio(seconds, each[ours]))
        for name, seconds in each.items()
    }


def writing_rows(label, model, vocabulary, window, quick, rounds):
    """Rows of the table for one network."""
    writer, phrase = Writer(model, vocabulary), (vocabulary.decode(range(65)) * 2)[:window]
    few, many = (2, 10) if quick else (10, 500)

    def slide(predict=None):
        return write_by_sliding(
            model, vocabulary, phrase, length=few, window=window, predict=predict
        )

    calls = {
        "`predict`": lambda: slide(lambda windows: model.predict(windows, verbose=0)),
        "a compiled call": slide,
        "carried": lambda: writer.write(phrase, many, sampler="greedy"),
    }
    *ways, ours = calls
    found = speeds(calls, {**dict.fromkeys(ways, few), ours: many}, rounds)
    return [
        [
            f"{label}: characters/s, {way} for each window",
            f"{found[way][0]:,.1f}",
            f"{found[ours][0]:,.0f}",
            f"{found[way][1]:,.0f}",
        ]
        for way in ways
    ]


def writing_table(quick, rounds):
    vocabulary = Vocabulary.from_text("".join(map(chr, range(40, 105))))  # 65 symbols
    first = replace(s0.DOCUMENT, n_hidden=8) if quick else s0.DOCUMENT
    last = replace(s4.DOCUMENT, units=(8, 6)) if quick else s4.DOCUMENT
    return [
        *writing_rows(
            "S0",
            s0.network(65, first),
            vocabulary,
            window=first.seq_length,
            quick=quick,
            rounds=rounds,
        ),
        *writing_rows(
            "S4", s4.network(65, last), vocabulary, window=last.window, quick=quick, rounds=rounds
        ),
    ]


# --- Updates -------------------------------------------------------------------------------------


def numpy_updates(name, inputs, targets, weights, constants):
    """SGD by hand, one chunk at a time, with the equations in NumPy."""
    for x, y in zip(inputs[:, 0], targets[:, 0], strict=True):
        _, gradients = NETWORKS[name](x, y, *weights)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= constants.learning_rate * np.clip(gradient, -constants.clip, constants.clip)


def s3_network(layer, constants, steps_per_execution=1):
    model = s3.network(65, constants, layer)
    model.compile(
        keras.optimizers.SGD(constants.learning_rate, clipvalue=constants.clip),
        loss=s3.summed_loss, steps_per_execution=steps_per_execution, jit_compile=False,
    )  # fmt: skip
    return model


def updates_table(quick, rounds):
    import tensorflow as tf

    rows = []
    constants = replace(s3.PART_1, hidden_units=8) if quick else s3.PART_1
    count = 200 if quick else 1000
    ids = np.random.default_rng(0).integers(65, size=count * constants.sequence_length + 1)
    inputs, targets = s3.chunks(ids.astype("int32"), constants.sequence_length, 1)
    chunks = tf.data.Dataset.from_tensor_slices((inputs, targets))
    for label, theirs, ours in (
        ("S3, RNN", keras.layers.SimpleRNN, SimpleRNN),
        ("S3, LSTM", keras.layers.LSTM, LSTM),
    ):
        stock = s3_network(theirs, constants)
        fitted, joined = s3_network(theirs, constants), s3_network(theirs, constants, 100)
        zoo = s3_network(ours, constants, steps_per_execution=100)
        weights = [np.array(keras.ops.convert_to_numpy(w)) for w in stock.trainable_weights]
        calls = {
            "NumPy by hand": lambda theirs=theirs, weights=weights: numpy_updates(
                theirs.__name__, inputs, targets, weights=weights, constants=constants
            ),
            "stock Keras, `train_on_batch`": lambda stock=stock: [
                stock.train_on_batch(x, y) for x, y in zip(inputs, targets, strict=True)
            ],
            "stock Keras, `fit`": lambda fitted=fitted: fitted.fit(
                chunks, shuffle=False, verbose=0
            ),
            "stock Keras, `fit` with steps_per_execution=100": lambda joined=joined: joined.fit(
                chunks, shuffle=False, verbose=0
            ),
            "rnnzoo": lambda zoo=zoo: zoo.fit(chunks, shuffle=False, verbose=0),
        }
        rows += _against_ours(f"{label}: updates/s", calls, count, rounds=rounds)
    return rows + numbers_table(quick, rounds)


def numbers_table(quick, rounds):
    """S1: samples per second of training, with stock recurrent layers and with ours."""
    rows, steps = [], 2 if quick else 20
    for label, build, constants in (
        ("S1, encoder-decoder", s1_models.encoder_decoder, s1_numbers.ENCODER_DECODER),
        ("S1, attention", s1_models.attention_decoder, s1_numbers.ATTENTION),
    ):
        if quick:
            constants = replace(constants, max_digits=2, min_digits=2, batch_size=10)
        batch = s1_numbers.get_batch(
            np.random.default_rng(0), constants.batch_size, constants.max_digits,
            min_digits=constants.min_digits,
        )  # fmt: skip
        fed = {"inputs": batch.inputs, "input_mask": batch.input_mask}
        calls = {}
        for name, layer in (("stock Keras layers", keras.layers.GRU), ("rnnzoo", s1_models.GRU)):
            with mock.patch.object(s1_models, "GRU", layer):
                model = build(**constants.shape)
            model.compile(
                s1_models.TwiceClippedAdam(constants.learning_rate, constants.clip),
                loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                jit_compile=False,
            )
            calls[name] = lambda model=model, fed=fed, batch=batch: [
                model.train_on_batch(fed, batch.targets) for _ in range(steps)
            ]
        count = steps * constants.batch_size
        rows += _against_ours(f"{label}: training samples/s", calls, count, rounds=rounds)
    return rows


def _against_ours(label, calls, count, rounds):
    """A row for each way but the last, which is ours."""
    found = speeds(calls, dict.fromkeys(calls, count), rounds)
    *others, ours = found
    return [
        [
            f"{label}, {name}",
            f"{found[name][0]:,.0f}",
            f"{found[ours][0]:,.0f}",
            f"{found[name][1]:,.1f}",
        ]
        for name in others
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("trained"), help="the runs' folders")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, RESULTS.md stays")
    args = parser.parse_args()
    cores, rounds = use_all_cores(), 1 if args.quick else args.rounds
    rows = [
        *_founding_runs.runs_table(args.runs),
        *_founding_runs.softmax_rows(args.runs),
        *memory_table(5_000 if args.quick else None),
        *writing_table(args.quick, rounds),
        *updates_table(args.quick, rounds),
    ]
    text = (
        "The last column is how many times less time or memory ours takes. *Minutes to the same "
        "loss*: what the document's run ends with, dropout off, against the first row of our log "
        "with a training loss no higher; of S3 means over a whole walk, of either. "
        "S2 and ours hold out other reviews: a hint, no measurement. Most runs had one core "
        "while another run had the other, ours in bfloat16 where it may: their minutes are rough. "
        f"The speeds were measured in turns, {cores} threads, float32, Keras "
        f"{keras.__version__}, medians of {rounds} rounds. *MiB of training data* are of a process "
        "that makes the data and nothing else. More at the head of the script.\n\n"
        + _common.table(["", "the document's way", "ours", "times"], rows)
    )
    (_common.show if args.quick else _common.write_section)(TITLE, text)


if __name__ == "__main__":
    main()
