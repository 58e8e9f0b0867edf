"""Measures the large softmax: memory of the full IMDB vocabulary, and what chunks cost in time.

    python benchmarks/softmax.py                        # both; some minutes, up to 6 GiB
    python benchmarks/softmax.py --parts time --rounds 15
    python benchmarks/softmax.py --quick                # a try: small sizes, no RESULTS.md

Memory: the peak of a process that trains the IMDB model (88,600 words, embedding 297, LSTM 200, a
softmax layer of its own, RMSprop 1e-4, float32) on batches of 64 x 256 with the loss and metric
that `compile` gives by default. Time: training steps of a model of 10,000 words (LSTM 512, 64 x 64)
compiled with the defaults, chunked and with perplexity, against the same model compiled with
Keras's own loss and no metric, which makes the logits of the whole batch. Equal weights, the same
batch, taking turns in one process. The ids are drawn at random, the frequent ones more often, since
neither time nor memory depends on them.
"""

import argparse

import _common
import _processes
import _steps
import keras
import numpy as np
import tensorflow as tf

from rnnzoo import LanguageModel, word_lm

MOST_GIB, MOST_TIME = 6, 1.15  # the targets
IMDB = {"vocabulary": 88_600, "units": 200, "embedding_dim": 297, "batch": 64, "time": 256}
WORD_LM = {"vocabulary": 10_000, "units": 512, "embedding_dim": 256, "batch": 64, "time": 64}
QUICK = {"vocabulary": 2_000, "units": 32, "embedding_dim": 32, "batch": 8, "time": 32}


def draw_tokens(size):
    """Inputs and targets, (batch, time) each, by Zipf's law."""
    chance = 1 / np.arange(1, size["vocabulary"] + 1)
    shape = (size["batch"], size["time"] + 1)
    ids = np.random.default_rng(0).choice(size["vocabulary"], shape, p=chance / chance.sum())
    return ids[:, :-1].astype("int32"), ids[:, 1:].astype("int32")


# --- Memory -------------------------------------------------------------------------------------


def measure_memory(size, steps):
    """Trains for some steps; returns peaks in MiB, the nats of each step and its seconds."""
    tokens, targets = draw_tokens(size)
    with _processes.PeakMemory() as peak:
        model = LanguageModel(
            size["vocabulary"],
            units=size["units"],
            embedding_dim=size["embedding_dim"],
            dtype="float32",
        )
        model.compile(keras.optimizers.RMSprop(1e-4))
        batches = tf.data.Dataset.from_tensors((tokens, targets)).repeat(steps)
        clock = _steps.Steps()
        model.fit(batches, verbose=0, callbacks=[clock])
    return {
        "parameters": model.count_params(),
        "start": peak.before["total"],
        "total": peak.total,
        "anonymous": peak.anonymous,
        "seconds": float(np.median(np.diff(clock.ends))),
        "nats": clock.losses,
    }


def memory(size, steps):
    found = _processes.in_fresh_process(measure_memory, size, steps)
    gib = found["total"] / 1024
    logits = size["batch"] * size["time"] * size["vocabulary"] * 4 / 1024**3
    rows = [
        ["parameters", f"{found['parameters']:,}"],
        ["one copy of all logits (GiB), for comparison", f"{logits:.2f}"],
        ["resident after the imports (GiB)", f"{found['start'] / 1024:.2f}"],
        ["peak resident (GiB)", f"{gib:.2f}"],
        ["of anonymous memory alone (GiB)", f"{found['anonymous'] / 1024:.2f}"],
        ["seconds a step (median, without the first)", f"{found['seconds']:.2f}"],
        [
            "loss of the steps, averaged so far (nats)",
            ", ".join(map("{:.4f}".format, found["nats"])),
        ],
    ]
    verdict = "within" if gib <= MOST_GIB else "**not within**"
    return (
        f"{described(size)}, float32, RMSprop: peak {gib:.2f} GiB, {verdict} {MOST_GIB} GiB.\n\n"
        + _common.table(["", ""], rows)
    )


def described(size):
    return (
        f"{size['vocabulary']:,} words, embedding {size['embedding_dim']}, LSTM {size['units']}, "
        f"batch {size['batch']} x {size['time']}"
    )


# --- Time ---------------------------------------------------------------------------------------


def step(size, dtype, tied, full):
    """A training step of the word model, as a function of no arguments."""
    keras.utils.set_random_seed(0)
    model = word_lm(
        size["vocabulary"],
        units=size["units"],
        embedding_dim=size["embedding_dim"],
        tie_embedding_weights=tied,
        dtype=dtype,
    )
    if full:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(loss=loss, weighted_metrics=[])
    else:
        model.compile()
    batch = draw_tokens(size)
    return lambda: model.train_on_batch(*batch)


def measure_time(size, dtype, tied, rounds, seconds):
    """Seconds a step of both, one number a round, and how far their first losses lie apart."""
    steps = {name: step(size, dtype, tied, full=name == "full") for name in ("full", "chunked")}
    first = [float(np.ravel(call())[0]) for call in steps.values()]
    return _common.alternate(steps, rounds, seconds), abs(first[0] - first[1]) / first[0]


def time_table(size, rounds, seconds):
    rows = []
    for dtype in ("float32", "mixed_bfloat16"):
        for tied in (True, False):
            args = (size, dtype, tied, rounds, seconds)
            times, apart = _processes.in_fresh_process(measure_time, *args)
            cost = 1 / _common.ratio(times["full"], times["chunked"])
            verdict = "yes" if cost <= MOST_TIME else "**no**"
            middle = [f"{np.median(times[name]) * 1000:,.1f}" for name in ("full", "chunked")]
            head = "tied" if tied else "of its own"
            rows.append([dtype, head, *middle, f"{cost:.2f}", verdict, f"{apart:.1e}"])
    columns = ["dtype", "softmax layer", "full, ms a step", "chunked, ms a step"]
    columns += ["chunked / full", f"at most {MOST_TIME}", "first losses differ by (relative)"]
    return f"{described(size)}, Adam, clipping.\n\n" + _common.table(columns, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=("memory", "time"))
    parser.add_argument("--steps", type=int, default=3, help="of the memory test")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small sizes, RESULTS.md stays")
    args = parser.parse_args()
    show = _common.show if args.quick else _common.write_section
    parts = args.parts or ("memory", "time")
    if "memory" in parts:
        text = memory(QUICK if args.quick else IMDB, max(2, args.steps))
        show("Softmax: memory of the IMDB model", text)
    if "time" in parts:
        rounds, seconds = (2, 0) if args.quick else (args.rounds, 2)
        text = time_table(QUICK if args.quick else WORD_LM, rounds, seconds)
        show("Softmax: chunked against full", text)


if __name__ == "__main__":
    main()
