"""Training steps: rnnzoo against stock Keras and PyTorch, in tokens a second.

    pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
    python benchmarks/training_step.py                       # every configuration, ten minutes
    python benchmarks/training_step.py --config char_512 --rounds 9 --seconds 3
    python benchmarks/training_step.py --quick               # tiny sizes: does it run at all?

The contestants hold the same model and take turns in one process, all with every core:

- stock Keras: `keras.layers` alone, Adam, `global_clipnorm=1`, plain batches of one fixed shape and
  no metric; with and without XLA (on a CPU, XLA is what Keras chooses when not asked);
- rnnzoo: the builder, `compile()` as it comes (so with a metric) and the batches of its own
  pipeline, with carried state (language models) and the weights of the targets;
- PyTorch eager: `torch.nn.LSTM` or `GRU`, Adam, `clip_grad_norm_`, carried state; float32, and
  bfloat16 under `torch.autocast`.

A step of Keras is one call of the compiled function that `fit` calls for each batch. Ratios are
medians over the rounds of the ratio within the round; "PyTorch" in the last column is the PyTorch
row of the same dtype. Each configuration becomes a section of RESULTS.md.
"""

import argparse
import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import _common
import _training
import keras
import numpy as np
import torch
from _stock_models import StockLanguageModel, StockSeq2Seq
from _torch_models import TorchLanguageModel, TorchSeq2Seq, torch_step

from rnnzoo import char_lstm, gru_seq2seq, word_lm
from rnnzoo.data import pair_batches

STOCK, XLA = "stock Keras float32", "stock Keras float32, XLA"
OURS, OURS_BF16 = "rnnzoo float32", "rnnzoo mixed_bfloat16"
TORCH, TORCH_BF16 = "PyTorch float32", "PyTorch autocast bfloat16"


@dataclass(frozen=True)
class LanguageModelConfig:
    """Sizes of a language model and its batches."""

    build: Callable
    vocabulary_size: int
    units: int
    batch: int
    time: int

    def __str__(self):
        return (
            f"`{self.build.__name__}`, {self.vocabulary_size:,} symbols, LSTM of {self.units} "
            f"units, batches of {self.batch} rows x {self.time} steps"
        )

    def quick(self):
        """The same, tiny."""
        size = min(self.vocabulary_size, 80)
        return replace(self, vocabulary_size=size, units=16, batch=4, time=6)

    def batches(self):
        """The batches that rnnzoo's own pipeline makes."""
        return _training.stream_of_one_batch(self.vocabulary_size, self.batch, self.time)

    def ours(self, dtype):
        """The model of rnnzoo."""
        return self.build(self.vocabulary_size, units=self.units, dtype=dtype)

    def theirs(self, kind):
        """The same model of stock Keras or PyTorch."""
        like = self.build(self.vocabulary_size, units=self.units)
        return kind(
            self.vocabulary_size,
            self.units,
            len(like.recurrent.units),
            embedding_dim=like.embedding_dim,
            tied=like.tie_embedding_weights,
        )

    def stock(self):
        """The model in stock Keras."""
        return self.theirs(StockLanguageModel)

    def torch(self):
        """The model in PyTorch."""
        return self.theirs(TorchLanguageModel)


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Sizes of an encoder-decoder and its batches."""

    vocabulary_size: int
    units: int
    batch: int
    time: int

    def __str__(self):
        return (
            f"`gru_seq2seq`, {self.vocabulary_size:,} symbols a side, {self.units} units, "
            f"attention before the cell, {self.batch} pairs of {self.time} tokens (those of the "
            "target are counted)"
        )

    def quick(self):
        """The same, tiny."""
        return Seq2SeqConfig(40, 16, 4, time=6)

    def batches(self):
        """The batches that rnnzoo's own pipeline makes."""
        random = np.random.default_rng(0)
        source = random.integers(3, self.vocabulary_size, (self.batch, self.time))
        target = random.integers(3, self.vocabulary_size, (self.batch, self.time - 1))
        return pair_batches(list(source), list(target), self.batch, start_id=1, end_id=2)

    def ours(self, dtype):
        """The model of rnnzoo."""
        size = self.vocabulary_size
        return gru_seq2seq(size, size, units=self.units, dtype=dtype)

    def stock(self):
        """The model in stock Keras."""
        return StockSeq2Seq(self.vocabulary_size, self.vocabulary_size, self.units)

    def torch(self):
        """The model in PyTorch."""
        return TorchSeq2Seq(self.vocabulary_size, self.vocabulary_size, self.units)


CONFIGS = {
    "char_128": LanguageModelConfig(char_lstm, 65, 128, batch=50, time=50),
    "char_512": LanguageModelConfig(char_lstm, 65, 512, batch=64, time=64),
    "char_512_long": LanguageModelConfig(char_lstm, 65, 512, batch=128, time=100),
    "word_200": LanguageModelConfig(word_lm, 10_000, 200, batch=64, time=64),
    "word_512": LanguageModelConfig(word_lm, 10_000, 512, batch=64, time=64),
    "seq2seq": Seq2SeqConfig(5_000, 256, batch=64, time=20),
}


def contestants(config, jit):
    """Makes each contestant ready, one after the other.

    Args:
        config: One of `CONFIGS`.
        jit: Whether stock Keras with XLA takes part.

    Returns:
        Three dictionaries by name: the training step; the number of parameters and the seconds
        until the step had run once (or twice, Keras); why a contestant is missing.
    """
    batches = config.batches()
    inputs, targets, *_ = next(iter(batches))
    read = ["source", "target"] if "source" in inputs else ["tokens"]
    arrays = [inputs[name].numpy() for name in read]
    steps, record, missing = {}, {}, {}

    def keras_contestant(name, model, make):
        start = time.perf_counter()
        steps[name] = make(model, batches)
        record[name] = (model.count_params(), time.perf_counter() - start)

    def torch_contestant(name, autocast):
        model = config.torch()
        start = time.perf_counter()
        step = torch_step(model, arrays, targets.numpy(), autocast=autocast)
        if not math.isfinite(step()):
            raise FloatingPointError(f"The loss of {name} is not finite.")
        parameters = sum(parameter.numel() for parameter in model.parameters())
        steps[name], record[name] = step, (parameters, time.perf_counter() - start)

    keras_contestant(STOCK, config.stock(), lambda m, b: _training.stock_step(m, b, False))
    if jit:
        try:  # some graphs XLA cannot compile; that is a result, too
            keras_contestant(XLA, config.stock(), lambda m, b: _training.stock_step(m, b, True))
        except Exception as error:
            missing[XLA] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"
    keras_contestant(OURS, config.ours("float32"), _training.rnnzoo_step)
    keras_contestant(OURS_BF16, config.ours("mixed_bfloat16"), _training.rnnzoo_step)
    torch_contestant(TORCH, autocast=False)
    torch_contestant(TORCH_BF16, autocast=True)
    if record[STOCK][0] != record[OURS][0]:
        raise RuntimeError(f"The models are not the same: {record} parameters.")
    return steps, record, missing


def report(config, times, record, missing):
    """The section of one configuration."""
    tokens = config.batch * config.time
    rows = []
    for name, seconds in times.items():
        parameters, first = record[name]
        rival = times[TORCH_BF16 if name in (OURS_BF16, TORCH_BF16) else TORCH]
        rows.append(
            [
                name,
                f"{tokens / statistics.median(seconds):,.0f}",
                f"{_common.ratio(times[STOCK], seconds):.2f}",
                f"{_common.ratio(rival, seconds):.2f}",
                f"{parameters:,}",
                f"{first:.1f}",
            ]
        )
    rows += [[name, f"failed ({why})", "", "", "", ""] for name, why in missing.items()]
    head = [
        "contestant", "tokens/s", "x stock float32", "x PyTorch", "parameters", "seconds to start",
    ]  # fmt: skip
    rounds = len(times[STOCK])
    return (
        f"{config}. Medians of {rounds} rounds. PyTorch's LSTM has two biases where Keras's has "
        f"one.\n\n{_common.table(head, rows)}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=CONFIGS, help="one configuration (all of them)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant")
    parser.add_argument("--seconds", type=float, default=2.0, help="least length of a turn")
    parser.add_argument("--no-jit", action="store_true", help="leave out stock Keras with XLA")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, printed only")
    args = parser.parse_args()
    cores = _training.use_all_cores()
    torch.set_num_threads(cores)
    versions = f"Keras {keras.__version__}, PyTorch {torch.__version__}, {cores} threads each"
    for name in [args.config] if args.config else CONFIGS:
        config = CONFIGS[name].quick() if args.quick else CONFIGS[name]
        steps, record, missing = contestants(config, jit=not args.no_jit)
        times = _common.alternate(steps, args.rounds, args.seconds)
        text = f"{versions}. {report(config, times, record, missing=missing)}"
        if args.quick:
            print(f"{name}: {text}\n")
        else:
            _common.write_section(f"Training step: {name}", text)
        del steps
        keras.backend.clear_session()
        gc.collect()


if __name__ == "__main__":
    main()
