"""Validation loss on tiny Shakespeare after equal minutes: rnnzoo against nanoGPT's CPU setting.

    python benchmarks/equal_time.py                     # 1, 3 and 10 minutes; about half an hour
    python benchmarks/equal_time.py --minutes 3 --seeds 0 1 2
    python benchmarks/equal_time.py --quick             # a try: half a minute each, no RESULTS.md

Both train on the first 90 % of the characters, one after the other, each alone in a process of its
own, with whatever threads its framework takes. The minutes are of the wall clock:

- nanoGPT (PyTorch, float32, eager as its README has it for a CPU; `_nanogpt.py`): from the making
  of the network to the end of the last step, without any evaluation. Its decay is fitted to the
  time by the clock.
- rnnzoo: `train(recipe)` from its call to the end of `fit`: reading the text, building, tracing,
  the samples, and every validation (which chooses the weights) count. How long it takes up to
  `fit` is found in a short run before, and the recipe's minutes are what is left. It goes first;
  should it take longer than its minutes, nanoGPT gets that time too.

nanoGPT's settings are those that it gives; ours, which `rnnzoo train --text-file` chooses for so
few minutes (`rnnzoo/recipes/fitting.py`), were tried out on the validation text.

Not counted for either: importing, the evaluation below, and what rnnzoo writes after training.

Validation is on the last 10 %, three ways: nanoGPT's protocol (200 random batches of 12 blocks of
64, each from the zero state; the same blocks for both), all blocks of 64 one after the other, each
from the zero state, and, for the recurrent network, read on with carried state (in the rows of the
recipe's validation), as a model of a whole text is used.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from statistics import mean

import _common
import _processes
import numpy as np

BLOCK, BATCH, BATCHES = 64, 12, 200  # nanoGPT's protocol

QUICK = {"builder_options": {"units": 32, "num_layers": 1}, "batch_size": 16}


def variant(minutes, seed, quick):
    """The recipe for so many minutes."""
    from rnnzoo import recipes
    from rnnzoo.recipes.fitting import in_minutes

    changes = QUICK if quick else in_minutes(minutes)
    # so many epochs that the minutes end the training, and one short sample an epoch
    changes = {"epochs": 1000, "sample_length": 50, "seed": seed, **changes}
    return replace(recipes.get("char_lstm_shakespeare"), **changes)


# --- Validation ---------------------------------------------------------------------------------


def split_text():
    """The ids of the training part and of the validation part, and the number of symbols."""
    from rnnzoo import Vocabulary
    from rnnzoo.data import corpora

    text = corpora.load("tiny_shakespeare").text
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    cut = int(0.9 * len(ids))
    return ids[:cut], ids[cut:], len(vocabulary)


def random_blocks(ids):
    """Blocks of nanoGPT's protocol, (2400, 65), always the same."""
    starts = np.random.default_rng(1337).integers(0, len(ids) - BLOCK, (BATCHES * BATCH, 1))
    return ids[starts + np.arange(BLOCK + 1)]


def all_blocks(ids):
    """Blocks of 65, each of which starts with the last of the one before."""
    starts = np.arange(0, len(ids) - BLOCK, BLOCK)[:, None]
    return ids[starts + np.arange(BLOCK + 1)]


# --- Contestants --------------------------------------------------------------------------------


def nanogpt(seconds, seed):
    import _nanogpt

    ids, held, symbols = split_text()
    network, steps, seconds = _nanogpt.train(ids, symbols, seconds, seed=seed)
    return {
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "steps": steps,
        "characters": steps * _nanogpt.BATCH * _nanogpt.BLOCK,
        "seconds": seconds,
        "random blocks": _nanogpt.nats(network, random_blocks(held)),
        "all blocks": _nanogpt.nats(network, all_blocks(held)),
    }


def run_recipe(recipe, minutes, folder):
    """Walks the recipe; returns the seconds from the call to the start and to the end of `fit`."""
    import keras

    from rnnzoo.publishing.train import train
    from rnnzoo.tasks import language_model

    language_model.BLOCK_BATCHES = 1  # the report's own estimate, a minute or two, is not used here
    marks = []

    class Marks(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            marks.append(time.perf_counter() - start)

        def on_train_end(self, logs=None):
            marks.append(time.perf_counter() - start)

    start = time.perf_counter()
    train(recipe, out=folder, max_minutes=minutes, callbacks=[Marks()])
    return marks


def rnnzoo(recipe, minutes, folder):
    seconds = run_recipe(recipe, minutes, folder)[1]
    import json
    from pathlib import Path

    from rnnzoo import load

    record = json.loads((Path(folder) / "metrics.json").read_text())
    model, (_, held, _) = load(folder), split_text()
    batch_size, length = recipe.batch_size, recipe.sequence_length
    return {
        "parameters": model.count_params(),
        "steps": record["training"]["steps"],
        "characters": record["training"]["steps"] * batch_size * length,
        "seconds": seconds,
        "random blocks": zero_state_nats(model, random_blocks(held)),
        "all blocks": zero_state_nats(model, all_blocks(held)),
        "carried": record["figures"]["nats_per_character"],
        "dtype": record["training"]["dtype"],
    }


def zero_state_nats(model, chunks):
    """Mean nats of the targets of (N, T + 1) ids, each row from the zero state."""
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    logits = model.predict(chunks[:, :-1], batch_size=64, verbose=0)
    return float(loss(chunks[:, 1:], logits))


def in_minutes(recipe, minutes, folder):
    """Trains a recipe in `folder/whole`, so many minutes from its call to the end of `fit`."""
    before = _processes.in_fresh_process(run_recipe, recipe, 0.01, f"{folder}/short")[0]
    left = minutes - before / 60
    return _processes.in_fresh_process(rnnzoo, recipe, left, f"{folder}/whole")


def compare(minutes, seed, quick):
    """Both contestants, one after the other."""
    recipe = variant(minutes, seed, quick)
    with tempfile.TemporaryDirectory(prefix="rnnzoo_equal_time_") as folder:
        ours = in_minutes(recipe, minutes, folder)
    seconds = max(60 * minutes, ours["seconds"])
    found = {"nanoGPT": _processes.in_fresh_process(nanogpt, seconds, seed), "rnnzoo": ours}
    options = recipe.builder_options
    size = (
        f"{options['num_layers']}x{options['units']} {options.get('cell', 'lstm')}, "
        f"{options.get('block', 'plain')} blocks, dropout {options.get('dropout', 0)}"
    )
    dtype = found["rnnzoo"]["dtype"]
    found["rnnzoo"]["what"] = (
        f"{size}, {recipe.batch_size} x {recipe.sequence_length}, rate {recipe.learning_rate:g}, "
        f"resets {recipe.reset_probability:g}, {dtype}"
    )
    found["nanoGPT"]["what"] = "4 layers, 4 heads, 128 wide, 12 x 64, rate 0.001, float32"
    return found


# --- Report -------------------------------------------------------------------------------------


def rows_of(runs):
    """Two rows; losses are means over the seeds, with the spread."""
    rows = []
    for name in ("nanoGPT", "rnnzoo"):
        ours = [run[name] for run in runs]
        parts = [f"{mean(one[key] for one in ours):,.0f}" for key in ("parameters", "steps")]
        parts.append(f"{mean(one['characters'] for one in ours) / 1e6:.1f}")
        parts.append(f"{max(one['seconds'] for one in ours):.1f}")
        for key in ("random blocks", "all blocks", "carried"):
            losses = [one[key] for one in ours if key in one]
            text = f"{mean(losses):.4f}" if losses else "-"
            if len(losses) > 1:
                text += f" ({min(losses):.4f} to {max(losses):.4f})"
            parts.append(text)
        rows.append([f"{name}: {ours[0]['what']}", *parts])
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 3, 10])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--quick", action="store_true", help="half a minute, RESULTS.md stays")
    args = parser.parse_args()
    show = _common.show if args.quick else _common.write_section
    head = ["model", "parameters", "steps", "million characters seen", "seconds (most)"]
    head += ["200 random batches, zero state", "all blocks of 64, zero state", "all, carried state"]
    for minutes in [0.5] if args.quick else args.minutes:
        runs = [compare(minutes, seed, args.quick) for seed in args.seeds]
        verdicts = [
            verdict(runs, "random blocks", "random blocks", how="by nanoGPT's protocol"),
            verdict(runs, "all blocks", "carried", how="each over the whole text as it is used"),
        ]
        text = (
            f"Nats per character on the last 10 %; seeds {', '.join(map(str, args.seeds))}. rnnzoo "
            f"is {' and '.join(verdicts)}.\n\n{_common.table(head, rows_of(runs))}"
        )
        show(f"Equal time: tiny Shakespeare, {minutes:g} min, against nanoGPT", text)


def verdict(runs, theirs, ours, how):
    """By how much rnnzoo's loss is the lower one."""
    gap = mean(run["nanoGPT"][theirs] - run["rnnzoo"][ours] for run in runs)
    return f"{abs(gap):.4f} {'ahead' if gap > 0 else '**behind**'} {how}"


if __name__ == "__main__":
    main()
