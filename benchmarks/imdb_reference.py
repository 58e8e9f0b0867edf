"""What a word model of the IMDB reviews is measured against, on the same tokens.

    python benchmarks/imdb_reference.py                      # both parts, about an hour and a half
    python benchmarks/imdb_reference.py --parts kneser_ney   # a few minutes
    python benchmarks/imdb_reference.py --parts pytorch      # one side of `first_epoch`, kept in
    python benchmarks/imdb_reference.py --parts rnnzoo       # trained/imdb_reference/, the other
    python benchmarks/imdb_reference.py --quick              # a try on few reviews, no RESULTS.md

`kneser_ney`: interpolated modified Kneser-Ney models of the recipe's training reviews, scored on
the 25,000 test reviews, beside the recipe's published model where the zoo has it.

`first_epoch`: the recipe's model after one epoch, trained by `train(recipe)`, and a plain PyTorch
LSTM of the same size after the same epoch: the same ids in the same batches with carried state, the
same Adam, clipping, learning rates (the decay is fitted to the epoch), dropout and dtype, weights
that start as in PyTorch's word language model (Keras's start otherwise). Each is alone in a process
of its own; minutes count training alone. Both are then measured in float32 on the validation
reviews, every one from an empty state. The sides are kept as JSON, and not made again while their
files are there, so that they may be run one by one.
"""

import argparse
import json
import math
import os
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import _common
import _processes

from rnnzoo.files import write_atomically
from rnnzoo.hardware import resolve_dtype

ORDERS = (2, 3, 4, 5)
SIDES = ("rnnzoo", "pytorch")
SIZES = ("units", "num_layers", "embedding_dim", "dropout")  # what a plain LSTM has of the options


def make_recipe(name, seed, quick):
    """The recipe; to try things out, one that trains in seconds."""
    from rnnzoo import recipes

    recipe = replace(recipes.get("imdb_lm_tiny" if quick else name), seed=seed)
    # What a recipe does beside the epoch is left out of it.
    return replace(
        recipe, epochs=1, max_minutes=None, patience=None, ngram_orders=(),
        sample_every_batches=None, sample_length=20,
    )  # fmt: skip


def make_task(recipe, test=False):
    """The recipe's data, with the test reviews in the place of the validation's if wanted."""
    from rnnzoo.publishing.evaluate import with_test_as_validation
    from rnnzoo.tasks.language_model import LanguageModelTask
    from rnnzoo.tasks.splits import load_corpus

    corpus = load_corpus(recipe)
    if test:
        recipe, corpus = with_test_as_validation(recipe, corpus)
    return LanguageModelTask(recipe, corpus, seed=recipe.seed)


def corpus_sha256(recipe):
    """The hash of the recipe's data."""
    from rnnzoo.tasks.splits import load_corpus

    return load_corpus(recipe).sha256


# --- Kneser-Ney ---------------------------------------------------------------------------------


def kneser_ney(recipe):
    """Figures of each order on the test reviews, and a sentence that says what was read."""
    from rnnzoo.data.corpus import split_sha256
    from rnnzoo.evaluation import KneserNey

    task = make_task(recipe, test=True)
    train, held = task.documents
    ids = {name: getattr(task.vocabulary, name) for name in ("pad_id", "start_id", "end_id")}
    found = []
    for order in ORDERS:
        start = time.perf_counter()
        with _processes.PeakMemory() as peak:
            nats, tokens = KneserNey(len(task.vocabulary), order, **ids).fit(train).score(held)
        figures = task.figures(nats / tokens)
        if figures["tokens"] != tokens:
            raise RuntimeError(f"{tokens} tokens were scored, not {figures['tokens']}.")
        memory = (peak.anonymous - peak.before["anonymous"]) / 1024  # GiB
        found.append({**figures, "seconds": time.perf_counter() - start, "memory": memory})
    counted = sum(map(len, train)) - len(train)
    return found, (
        f"Test data: {task.split.replace('validation split', 'test split')}; {tokens:,} tokens "
        f"(SHA-256 {split_sha256('test', task.corpus.validation)[:8]}...), "
        f"{figures['unknown_rate']:.2%} of them unknown, after {counted:,} in training; "
        f"{len(task.vocabulary):,} words."
    )


def report_kneser_ney(recipe, name):
    """The section on the n-gram models."""
    from rnnzoo import zoo

    found, what = _processes.in_fresh_process(kneser_ney, recipe)
    head = ["model", "test perplexity", "bits per character", "seconds", "GiB (peak)"]
    rows = [
        [
            f"Kneser-Ney, order {order}",
            f"{one['perplexity']:.2f}",
            f"{one['bits_per_character']:.4f}",
            f"{one['seconds']:.0f}",
            f"{one['memory']:.1f}",
        ]
        for order, one in zip(ORDERS, found, strict=True)
    ]
    published = zoo.index().get(name)
    if published and published.figure["split"] == "test":
        record = json.loads((zoo.folder() / name / "metrics.json").read_text())["test"]["figures"]
        bits = f"{record['bits_per_character']:.4f}"
        rows.append([f"`{name}`", f"{record['perplexity']:.2f}", bits, "-", "-"])
        less = 1 - record["perplexity"] / found[-1]["perplexity"]
        what += f" `{name}` is {less:.1%} below order {ORDERS[-1]} (wanted: 30 %)."
    return f"{what}\n\n{_common.table(head, rows)}"


# --- The first epoch ----------------------------------------------------------------------------


def ours(recipe):
    """Trains the recipe; returns its figures."""
    from rnnzoo.publishing.train import train

    with tempfile.TemporaryDirectory(prefix="rnnzoo_imdb_reference_") as folder:
        train(recipe, out=folder)
        record = json.loads((Path(folder) / "metrics.json").read_text())
    return {
        "parameters": record["model"]["parameters"],
        "steps": record["training"]["steps"],
        "minutes": record["training"]["minutes"],
        "nats": record["figures"]["nats_per_token"],
        "dtype": record["training"]["dtype"],
        "cores": record["machine"]["cores"],
    }


def torchs(recipe, dtype):
    """Trains the same network in PyTorch; returns its figures."""
    import torch
    from torch.nn import functional

    from rnnzoo.training.schedule import learning_rate_at

    task = make_task(recipe)
    torch.manual_seed(recipe.seed)
    sizes = {name: value for name, value in recipe.builder_options.items() if name in SIZES}
    network = plain_lstm(len(task.vocabulary), **sizes)
    weights = list(network.parameters())
    decay = recipe.weight_decay
    kind = torch.optim.AdamW if decay else torch.optim.Adam
    optimizer = kind(weights, recipe.learning_rate, eps=1e-7, weight_decay=decay)

    def nats(batch, state):
        """The nats of each token, with weights, and the new state."""
        inputs, targets, counted = batch
        tokens, targets = (torch.tensor(x).long() for x in (inputs["tokens"], targets))
        keep = 1.0 - torch.tensor(inputs["reset"]).float()[:, None]  # (B, 1)
        if state is not None:
            state = tuple(part.detach().float() * keep for part in state)
        logits, state = network(tokens, state)
        losses = functional.cross_entropy(
            logits.flatten(0, 1).float(), targets.flatten(), reduction="none"
        )
        return losses, torch.tensor(counted).flatten(), state

    steps, state, start = len(task.train), None, time.perf_counter()
    for step, batch in enumerate(task.train.as_numpy_iterator()):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(
                step / steps,
                step=step,
                peak=recipe.learning_rate,
                warmup_steps=recipe.warmup_steps,
                final_fraction=recipe.final_fraction,
            )
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "mixed_bfloat16"):
            losses, counted, state = nats(batch, state)
        loss = (losses * counted).sum() / counted.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, recipe.clipnorm)
        optimizer.step()
        if (step + 1) % 500 == 0:
            seconds = time.perf_counter() - start
            print(f"PyTorch: {step + 1:,} of {steps:,} batches, {seconds:.0f} s, loss {loss:.3f}")
    minutes = (time.perf_counter() - start) / 60
    total, count, state = 0.0, 0.0, None
    network.eval()
    with torch.no_grad():
        for batch in task.validation.as_numpy_iterator():
            losses, counted, state = nats(batch, state)
            total, count = total + float((losses * counted).sum()), count + float(counted.sum())
    return {
        "parameters": sum(weight.numel() for weight in weights),
        "steps": steps,
        "minutes": minutes,
        "nats": total / count,
        "dtype": dtype,
        "cores": len(os.sched_getaffinity(0)),
        "split": task.split,
        "tokens": int(count),
    }


def plain_lstm(words, units, num_layers=1, embedding_dim=256, dropout=0.0):
    """The network, with dropout behind each layer, its output tied to the embedding.

    Weights start as in the word language model of PyTorch's examples: the embedding uniform in
    +-0.1, the bias of the output at zero, the rest as PyTorch has it.
    """
    from _torch_models import TorchLanguageModel
    from torch import nn

    class Plain(TorchLanguageModel):
        def __init__(self):
            super().__init__(words, units, num_layers, embedding_dim=embedding_dim, tied=True)
            if num_layers > 1:
                self.recurrent.dropout = dropout
            self.drop = nn.Dropout(dropout)
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
            nn.init.zeros_(self.head.bias)

        def forward(self, tokens, state=None):
            hidden, state = self.recurrent(self.embedding(tokens), state)  # (B, T, units)
            return self.head(self.projection(self.drop(hidden))), state  # (B, T, V)

    return Plain()


def first_epoch(side, recipe, folder):
    """The figures of one side: those that are kept, or new ones."""
    from rnnzoo.tasks.recipe import NOT_TRAINING

    path = folder / f"{side}_{recipe.name}_seed_{recipe.seed}.json"
    wanted = recipe.as_json()
    if path.is_file():
        noted = json.loads(path.read_text(encoding="utf-8"))["recipe"]
        if [name for name in wanted.keys() - NOT_TRAINING if noted[name] != wanted[name]]:
            raise RuntimeError(f"{path} is of another recipe; delete it.")
    if not path.is_file():
        if side == "rnnzoo":
            found = _processes.in_fresh_process(ours, recipe)
        else:
            found = _processes.in_fresh_process(torchs, recipe, resolve_dtype(recipe.dtype)[0])
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(
            path, json.dumps(found | {"date": str(date.today()), "recipe": wanted}, indent=2)
        )
    return json.loads(path.read_text(encoding="utf-8"))


def report_first_epoch(recipe, folder):
    """The section on the first epoch."""
    mine, other = (first_epoch(side, recipe, folder) for side in SIDES)
    corpus = _processes.in_fresh_process(corpus_sha256, recipe)
    if mine["dtype"] != other["dtype"]:
        raise RuntimeError(f"{folder} has sides of {mine['dtype']} and {other['dtype']}.")
    rows = [
        [
            name,
            f"{one['parameters']:,}",
            f"{one['steps']:,}",
            f"{one['minutes']:.1f}",
            f"{one['cores']}",
            f"{one['date']}",
            f"{one['nats']:.4f}",
            f"{math.exp(one['nats']):.2f}",
        ]
        for name, one in (("PyTorch", other), ("rnnzoo", mine))
    ]
    head = ["model", "parameters", "batches", "minutes", "cores", "date"]
    head += ["nats per token", "perplexity"]
    gap = math.exp(mine["nats"] - other["nats"]) - 1
    verdict = f"{abs(gap):.1%} {'below' if gap < 0 else '**above**'}"
    options = ", ".join(f"{name} {value}" for name, value in recipe.builder_options.items())
    return (
        f"{options}; batches of {recipe.batch_size} x {recipe.sequence_length}, Adam with a peak "
        f"of {recipe.learning_rate:g}, {mine['dtype']}, seed {recipe.seed}. {other['split']}; "
        f"{other['tokens']:,} tokens (corpus {corpus[:8]}...). The perplexity of rnnzoo is "
        f"{verdict} PyTorch's, whose LSTM has two biases where Keras's has one.\n\n"
        f"{_common.table(head, rows)}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ("kneser_ney", "first_epoch")
    parser.add_argument("--parts", nargs="+", choices=(*parts, *SIDES), default=parts)
    parser.add_argument("--runs", type=Path, default=Path("trained/imdb_reference"))
    parser.add_argument("--recipe", default="word_lm_imdb")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few reviews, RESULTS.md stays")
    args = parser.parse_args()
    if args.quick:
        args.runs = Path(tempfile.mkdtemp(prefix="rnnzoo_imdb_reference_"))
    show = _common.show if args.quick else _common.write_section
    recipe = make_recipe(args.recipe, args.seed, args.quick)
    if "kneser_ney" in args.parts:
        show("IMDB: Kneser-Ney on the test reviews", report_kneser_ney(recipe, args.recipe))
    for side in SIDES:
        if side in args.parts:
            first_epoch(side, recipe, args.runs)
    if "first_epoch" in args.parts:
        text = report_first_epoch(recipe, args.runs)
        show("IMDB: the first epoch, against a plain PyTorch LSTM", text)


if __name__ == "__main__":
    main()
