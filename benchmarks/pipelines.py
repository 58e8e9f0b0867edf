"""Measures the data pipelines: speed, memory over epochs, and a text file of 1 GB.

    python benchmarks/pipelines.py                      # all; about 15 minutes, 6 GB of disk
    python benchmarks/pipelines.py --parts speed memory # without the large file
    python benchmarks/pipelines.py --parts file --megabytes 95
    python benchmarks/pipelines.py --quick              # a try: 20 MB, few rounds, no RESULTS.md

Speed: the tokens that real data give when nothing but the pipeline runs (an epoch of its batches
is read from Python, once before and then timed), against the tokens that a small model trains on
(`fit` on some of the same batches, held in memory; timed from the end of its first step to the end
of its last). Both count targets without padding and take turns in one process. Memory: resident
after each of 5 epochs, each kind in a process of its own. The large file: tiny Shakespeare (or
random words where it is absent), its lines in ever new orders and some words replaced, is trained
on for 100 steps the way `train(text_file=...)` reads it, in a process of its own.
"""

import argparse
import gc
import os
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import _common
import _processes  # before rnnzoo: it finds the corpora
import _steps
import numpy as np
import tensorflow as tf

import rnnzoo
from rnnzoo import Vocabulary, recipes
from rnnzoo.data import corpora, document_batches, pair_batches, stream_batches, window_batches
from rnnzoo.data.encoded import encode_corpus
from rnnzoo.errors import InputError
from rnnzoo.tasks import language_model as language_model_task
from rnnzoo.tasks.splits import load_corpus

WORDS = 10_000
TIMES_THE_MODEL, FILE_MEMORY = 20, 500  # the targets: a factor, and MB above the imports
EPOCHS = 5
NOISE = 4  # MiB by which memory may differ from the second to the last epoch


# --- What is measured: batches of real data, and a model for them -------------------------------


def _characters():
    text = corpora.load("tiny_shakespeare").text
    return Vocabulary.from_text(text).encode(text)


def streams():
    """Streams of characters."""
    return stream_batches(_characters(), 50, 50), rnnzoo.char_lstm(65, units=128)


def mapped_streams():
    """Streams of characters that stay in a file."""
    corpus = corpora.load("tiny_shakespeare")
    folder = tempfile.mkdtemp(prefix="rnnzoo_ids_")
    ids = encode_corpus(corpus, Vocabulary.from_text(corpus.text), folder)
    (path,) = Path(folder).iterdir()
    path.unlink()  # stays readable as long as it is mapped
    os.rmdir(folder)
    return stream_batches(ids, 50, 50), rnnzoo.char_lstm(65, units=128)


def windows():
    """Shuffled windows of characters."""
    return window_batches(_characters(), 50, 50, stride=10), rnnzoo.char_lstm(65, units=128)


def documents():
    """Padded reviews, words."""
    texts = corpora.load("imdb_reviews", limit=2000).documents
    vocabulary = Vocabulary.from_text(texts, level="word", lowercase=True, size=WORDS)
    ids = vocabulary.encode_documents(texts)
    return document_batches(ids, 32, max_length=128), rnnzoo.word_lm(len(vocabulary), units=200)


def pairs():
    """Sentence pairs, words."""
    sides = zip(*corpora.load("multi30k_en_de").pairs, strict=True)
    vocabularies, ids = [], []
    for side in sides:
        vocabulary = Vocabulary.from_text(side, level="word", lowercase=True, size=WORDS)
        vocabularies.append(vocabulary)
        ids.append([vocabulary.encode(text) for text in side])
    start_id, end_id = vocabularies[1].start_id, vocabularies[1].end_id
    batches = pair_batches(*ids, 64, start_id=start_id, end_id=end_id)
    return batches, rnnzoo.gru_seq2seq(*map(len, vocabularies), units=256)


KINDS = {
    "streams": (streams, "char_lstm 2x128, 50 x 50"),
    "streams from a mapped file": (mapped_streams, "char_lstm 2x128, 50 x 50"),
    "windows": (windows, "char_lstm 2x128, 50 x 50"),
    "padded documents": (documents, "word_lm 200, 32 x at most 128"),
    "pairs": (pairs, "gru_seq2seq 256, 64 pairs"),
}


# --- Speed --------------------------------------------------------------------------------------


def targets_of(batch):
    """The number of targets of a batch, without padding."""
    return float(np.sum(batch[2])) if len(batch) == 3 else batch[1].numpy().size


def measure_speed(kind, rounds, steps):
    """Tokens a second of the pipeline and of the model, one number a round."""
    batches, model = KINDS[kind][0]()
    model.compile()
    some = batches.take(steps).cache()
    counts = [targets_of(batch) for batch in some]
    epoch = sum(map(targets_of, batches))  # an epoch always has the same tokens; and warms up
    clock = _steps.Steps()
    model.fit(some, verbose=0)  # traces
    rates = {"pipeline": [], "model": []}
    for _ in range(rounds):
        start, passes = time.perf_counter(), 0
        while (taken := time.perf_counter() - start) < 1:
            for _ in batches:
                pass
            passes += 1
        rates["pipeline"].append(passes * epoch / taken)
        model.fit(some, verbose=0, callbacks=[clock])
        rates["model"].append(sum(counts[1:]) / (clock.ends[-1] - clock.ends[0]))
    return rates


def speed(quick):
    rounds, steps = (2, 4) if quick else (5, 20)
    rows = []
    for kind, (_, model) in KINDS.items():
        rates = _processes.in_fresh_process(measure_speed, kind, rounds, steps)
        # `ratio` takes seconds a token
        seconds = {name: [1 / rate for rate in found] for name, found in rates.items()}
        factor = _common.ratio(seconds["model"], seconds["pipeline"])
        verdict = "yes" if factor >= TIMES_THE_MODEL else "**no**"
        middle = {name: f"{np.median(found):,.0f}" for name, found in rates.items()}
        rows.append([kind, model, *middle.values(), f"{factor:,.0f}", verdict])
    head = ["batches", "model", "pipeline, tokens/s", "model, tokens/s", "ratio"]
    return _common.table([*head, f"at least {TIMES_THE_MODEL}"], rows)


# --- Memory over epochs -------------------------------------------------------------------------


def measure_memory(kind):
    """Resident MiB after the data are read, and after each epoch of nothing but reading batches."""
    batches, _ = KINDS[kind][0]()
    found = []
    for epoch in range(EPOCHS + 1):
        if epoch:
            for _ in batches:
                pass
        gc.collect()
        found.append(_processes.resident()["total"])
    return found


def memory():
    rows = []
    for kind in KINDS:
        found = _processes.in_fresh_process(measure_memory, kind)
        growth = found[-1] - found[2]  # the first epochs make threads and buffers
        verdict = "no" if growth <= NOISE else "**yes**"
        rows.append([kind, *(f"{mib:,.1f}" for mib in found), f"{growth:+.1f}", verdict])
    head = ["batches", "before", *(f"epoch {number + 1}" for number in range(EPOCHS))]
    growth = f"MiB from epoch 2 to {EPOCHS}"
    return _common.table([*head, growth, f"grows (more than {NOISE})"], rows)


# --- A large file -------------------------------------------------------------------------------


def write_text(path, megabytes, seed=0):
    """Writes a text of this size: real lines in ever new orders, every 20th word another one."""
    chance = random.Random(seed)
    try:
        lines = corpora.load("tiny_shakespeare").text.split("\n")
        source = "tiny Shakespeare"
    except InputError:
        letters = "abcdefghijklmnopqrstuvwxyz"
        words = ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(5000)]
        lines = [" ".join(chance.choices(words, k=8)) for _ in range(40_000)]
        source = "random words"
    words = sorted({word for line in lines for word in line.split()})
    written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < megabytes * 1e6:
            chance.shuffle(lines)
            parts = "\n".join(lines).split(" ")
            for place in range(chance.randrange(20), len(parts), 20):
                if "\n" not in parts[place]:
                    parts[place] = chance.choice(words)
            written += file.write(" ".join(parts) + "\n")
    return source


def measure_file(path, steps, quick):
    """Trains on a text file; returns peaks above what the imports took, MiB, and seconds."""
    os.environ["KERAS_HOME"] = str(path.parent)  # the ids go there
    if quick:
        language_model_task.MEMORY_LIMIT = 1_000_000  # a small file takes the way of large ones too
    tf.constant(0)  # TensorFlow's own start
    seconds = {}
    with _processes.PeakMemory() as peak:
        start = time.perf_counter()
        recipe = replace(
            recipes.get("char_lstm_shakespeare"),
            builder_options={"units": 128, "num_layers": 2},
            batch_size=50,
            sequence_length=50,
        )
        corpus = load_corpus(recipe, text_file=path)
        task = language_model_task.LanguageModelTask(recipe, corpus)
        model = task.build("float32")
        model.compile()
        seconds["vocabulary and ids"] = time.perf_counter() - start
        after_encoding = _processes.resident()
        start = time.perf_counter()
        loss = model.fit(task.train, steps_per_epoch=steps, verbose=0).history["loss"][-1]
        model.evaluate(task.validation.take(steps), verbose=0)
        seconds[f"{steps} steps, {steps} validation batches"] = time.perf_counter() - start
    start = peak.before
    return {
        "start": start["total"],
        "encoding": after_encoding["peak"] - start["total"],
        "total": peak.total - start["total"],
        "anonymous": peak.anonymous - start["anonymous"],
        "seconds": seconds,
        "loss": loss,
    }


def file(megabytes, quick):
    with tempfile.TemporaryDirectory(prefix="rnnzoo_large_text_") as folder:
        path = Path(folder) / "large.txt"
        source = write_text(path, megabytes)
        size = path.stat().st_size / 1e6
        found = _processes.in_fresh_process(measure_file, path, 20 if quick else 100, quick)
    above = found["total"] * 1024**2 / 1e6
    rows = [
        ["resident after the imports (MiB)", f"{found['start']:,.0f}"],
        ["peak above it while vocabulary and ids are made (MiB)", f"{found['encoding']:,.0f}"],
        ["peak above it over all (MiB)", f"{found['total']:,.0f}"],
        ["of anonymous memory alone (MiB)", f"{found['anonymous']:,.0f}"],
        *([f"seconds: {what}", f"{taken:,.1f}"] for what, taken in found["seconds"].items()),
        ["training loss at the end (nats)", f"{found['loss']:.2f}"],
    ]
    verdict = "below" if above < FILE_MEMORY else "**not below**"
    return (
        f"A text of {size:,.0f} MB from {source}, char_lstm 2x128, 50 x 50: at most {above:,.0f} "
        f"MB above the imports, {verdict} {FILE_MEMORY} MB.\n\n" + _common.table(["", ""], rows)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=("speed", "memory", "file"))
    parser.add_argument("--megabytes", type=float, help="of the large file; 1000, quick 20")
    parser.add_argument("--quick", action="store_true", help="few rounds, RESULTS.md stays")
    args = parser.parse_args()
    show = _common.show if args.quick else _common.write_section
    megabytes = args.megabytes or (20 if args.quick else 1000)
    parts = args.parts or ("speed", "memory", "file")
    if "speed" in parts:
        show("Pipelines: speed", speed(args.quick))
    if "memory" in parts:
        show("Pipelines: resident memory over epochs, MiB", memory())
    if "file" in parts:
        show(f"Pipelines: a text file of {megabytes:,.0f} MB", file(megabytes, args.quick))


if __name__ == "__main__":
    main()
