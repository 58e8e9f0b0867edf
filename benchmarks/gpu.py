"""What a GPU does with rnnzoo, in eight minutes: kernels, proof, speed beside PyTorch, a training.

    KERAS_BACKEND=jax python benchmarks/gpu.py jax.json --text tinyshakespeare.txt
    KERAS_BACKEND=torch python benchmarks/gpu.py torch.json --text tinyshakespeare.txt
    KERAS_BACKEND=jax python benchmarks/gpu.py try.json --quick      # tiny sizes, on a CPU too

It needs Keras, PyTorch and the backend, no TensorFlow. Each part stands for itself; one that fails
is noted with its error, and the next begins. What goals are set for comes first; no part begins
after `--seconds`, and those that are left then are named, in `skipped`. Written after every part,
one JSON file:

- `kernels`: what `rnnzoo.kernels` says for each registered cell and dtype;
- `proof`: the names of cuDNN kernels in a profile (torch), or of what the compiled text calls
  (JAX), of a training step of the zoo's layers as they are;
- `agreement`: cuDNN against the generic loop, relative difference of outputs and gradients;
- `steps`: tokens a second under `fit`, and those of the same network in plain eager PyTorch
  (`torch.nn.LSTM` or `GRU`, Adam, clipped, carried state, TF32), in turns in one process; `ratio`
  is the median of the ratios within the rounds;
- `writing`: characters a second of `generate`, for one row and for 64;
- `training`: the recipe `char_lstm_shakespeare` on the first nine tenths of the text for some
  minutes, its rate decayed to the end, and the nats a character of the last tenth, state carried;
  `last_rate` is the one that the last step had.
"""

import argparse
import json
import os
import re
import statistics
import time
from datetime import date
from pathlib import Path

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch shares the card

import _common
import keras
import numpy as np
import torch

import rnnzoo
from rnnzoo import recipes
from rnnzoo.data import StreamDataset
from rnnzoo.hardware import commit
from rnnzoo.layers import GRU, LSTM
from rnnzoo.layers.cells import registry
from rnnzoo.optimizers import adam
from rnnzoo.training.schedule import LearningRate, TrainingClock

START = time.perf_counter()
BACKEND = keras.config.backend()
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPES = {"float32": None, "mixed_float16": torch.float16, "mixed_bfloat16": torch.bfloat16}
# name: builder, symbols, embedding, cell, layers, units, rows, steps
NETWORKS = {
    "char_lstm 2x128, 50x50": ("char_lstm", 65, 65, "lstm", 2, 128, 50, 50),
    "char_lstm 2x512, 64x100": ("char_lstm", 65, 65, "lstm", 2, 512, 64, 100),
    "char_lstm 2x512, 128x100": ("char_lstm", 65, 65, "lstm", 2, 512, 128, 100),
    "char_lstm 2x512 of GRU, 64x100": ("char_lstm", 65, 65, "gru", 2, 512, 64, 100),
    "word_lm 3x1150, 80x70": ("word_lm", 33_278, 400, "lstm", 3, 1150, 80, 70),
}
# What goals are set for: characters in float32, words in bfloat16.
GOALS = [(name, "float32") for name in NETWORKS if name.startswith("char")]
GOALS += [("word_lm 3x1150, 80x70", "mixed_bfloat16")]
OTHERS = [(name, dtype) for name in NETWORKS for dtype in DTYPES if (name, dtype) not in GOALS]


def kernel_table(quick):
    """What `rnnzoo.kernels` says, with the reasons."""
    told = {}
    for cell in sorted(registry._CELLS):
        # Only of the LSTM does the choice depend on the size; large networks take long to make.
        sizes = (128, 512, 1150) if cell == "lstm" else (512,)
        for dtype in DTYPES:
            for units in (16,) if quick else sizes:
                model = rnnzoo.char_lstm(65, units=units, num_layers=1, cell=cell, dtype=dtype)
                kernel = rnnzoo.kernels(model)[0].training
                told[f"{cell} {units} {dtype}"] = f"{kernel.name}: {kernel.reason}"
    return told


def compiled_calls(layer, x):
    """What the compiled training step of a layer on JAX calls, and whether it loops."""
    import jax

    def loss(weights):
        rest = [v.value for v in layer.non_trainable_variables]
        return layer.stateless_call(weights, rest, x, training=True)[0].sum()

    weights = [v.value for v in layer.trainable_variables]
    text = jax.jit(jax.grad(loss)).lower(weights).compile().as_text()
    names = set(re.findall(r'custom_call_target="([^"]+)"', text))
    return sorted(names | ({"while"} if " while(" in text else set()))


def proof(quick):
    """Traces of cuDNN in what really runs, layer by layer."""
    units = 16 if quick else 512
    x = np.random.default_rng(0).normal(size=(128, 20, units)).astype("float32")
    found = {}
    for kind in (LSTM, GRU):
        layer = kind(units, return_sequences=True)
        layer.build(x.shape)
        if BACKEND == "torch":
            activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
            inputs = keras.ops.convert_to_tensor(x)
            with torch.profiler.profile(activities=activities[: 1 + (DEVICE == "cuda")]) as profile:
                layer(inputs, training=True).sum().backward()
            names = [event.key for event in profile.key_averages()]
            found[kind.__name__] = sorted({n for n in names if "cudnn" in n.lower()})[:6]
        else:
            found[kind.__name__] = compiled_calls(layer, x)
    return found


def agreement(quick):
    """Relative difference of outputs and gradients, cuDNN against the generic loop."""
    units = 16 if quick else 512
    x = np.random.default_rng(0).normal(size=(128, 50, units)).astype("float32")
    results = []
    layers = [LSTM(units, return_sequences=True, use_cudnn=choice) for choice in ("auto", False)]
    for layer in layers:
        layer.build(x.shape)
        layer.set_weights(layers[0].get_weights())
        if BACKEND == "torch":
            outputs = layer(keras.ops.convert_to_tensor(x), training=True)
            (outputs**2).sum().backward()
            gradients = [v.value.grad for v in layer.trainable_variables]
        else:
            import jax

            def loss(weights, layer=layer):
                rest = [v.value for v in layer.non_trainable_variables]
                outputs, _ = layer.stateless_call(weights, rest, x, training=True)
                return (outputs**2).sum(), outputs

            weights = [v.value for v in layer.trainable_variables]
            gradients, outputs = jax.grad(loss, has_aux=True)(weights)
        results.append([keras.ops.convert_to_numpy(a) for a in (outputs, *gradients)])
    return [float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(*results, strict=True)]


class PlainPyTorch:
    """The same network in plain PyTorch, and its training step."""

    def __init__(self, symbols, embedding, cell, layers, units, dtype):
        if DEVICE == "cpu":  # oneDNN, of which PyTorch's LSTM is there, refuses some dtypes
            torch.backends.mkldnn.set_flags(_enabled=False)
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
        self.embedding = torch.nn.Embedding(symbols, embedding).to(DEVICE)
        self.recurrent = kind(embedding, units, layers, batch_first=True).to(DEVICE)
        self.head = torch.nn.Linear(units, symbols).to(DEVICE)
        parts = (self.embedding, self.recurrent, self.head)
        self.parameters = [p for part in parts for p in part.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, 1e-3)
        self.dtype, self.state = dtype, None

    def step(self, tokens, targets):
        """Trains on one batch, its state carried from the batch before."""
        with torch.autocast(DEVICE, self.dtype, enabled=self.dtype is not None):
            hidden, state = self.recurrent(self.embedding(tokens), self.state)
            logits = self.head(hidden)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        nested = isinstance(state, tuple)
        self.state = tuple(s.detach() for s in state) if nested else state.detach()


def fitting_batches(model, make, most, seconds=8.0):
    """How many batches a turn of some seconds has time for: a loop in Python takes one for each."""
    few = make(min(2, most))
    for _ in range(2):  # the first one compiles
        start = time.perf_counter()
        model.fit(few, shuffle=False, verbose=0)
    return max(2, min(most, int(seconds * few.num_batches / (time.perf_counter() - start))))


def steps(name, dtype, quick, rounds=3, batches=40):
    """Tokens a second of both, in turns."""
    builder, symbols, embedding, cell, layers, units, rows, length = NETWORKS[name]
    if quick:
        symbols, embedding, units, rows, length, batches = 65, 16, 16, 4, 6, 3
    ids = np.random.default_rng(0).integers(0, symbols, rows * length * batches + 1)

    def make(count):
        return StreamDataset(ids[: rows * length * count + 1].astype("int32"), rows, length)

    model = getattr(rnnzoo, builder)(
        symbols, units=units, num_layers=layers, cell=cell, embedding_dim=embedding, dtype=dtype
    )
    model.compile(adam(1e-3, global_clipnorm=1.0))
    plain = PlainPyTorch(symbols, embedding, cell, layers=layers, units=units, dtype=DTYPES[dtype])
    stream = make(fitting_batches(model, make, batches))
    arrays = [stream[i] for i in range(stream.num_batches)]
    pairs = [(torch.tensor(x["tokens"]), torch.tensor(y).long()) for x, y, _ in arrays]

    def ours():
        model.fit(stream, shuffle=False, verbose=0)
        float(keras.ops.convert_to_numpy(keras.ops.sum(model.head.bias)))  # waits for the device

    def theirs():
        for tokens, targets in pairs:
            plain.step(tokens.to(DEVICE), targets.to(DEVICE))
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    times = _common.alternate({"rnnzoo": ours, "PyTorch": theirs}, rounds)
    tokens = rows * length * len(arrays)
    speed = {who: round(tokens / statistics.median(t)) for who, t in times.items()}
    kernel = rnnzoo.kernels(model)[0].training.name
    return {**speed, "ratio": _common.ratio(times["PyTorch"], times["rnnzoo"]), "kernel": kernel}


def writing(quick):
    """Characters a second of `generate`."""
    model = rnnzoo.char_lstm(65, units=16 if quick else 512, num_layers=2)
    length, found = 20 if quick else 500, {}
    for rows in (1, 64):
        prompts = [[1, 2, 3]] * rows
        model.generate(prompts, max_new_tokens=length, seed=1)
        start = time.perf_counter()
        model.generate(prompts, max_new_tokens=length, seed=2)
        found[rows] = round(rows * length / (time.perf_counter() - start))
    return found


def training(text, minutes, quick):
    """Trains the recipe for some minutes; nats a character of the last tenth, state carried."""
    recipe = recipes.get("char_lstm_shakespeare")
    vocabulary = rnnzoo.Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    cut = int(0.9 * len(ids))
    rows, length = (4, 8) if quick else (recipe.batch_size, recipe.sequence_length)
    train = StreamDataset(ids[:cut], rows, length)
    held_out = StreamDataset(ids[cut:], 16, 256)
    sizes = {"units": 16, "num_layers": 1} if quick else recipe.builder_options
    model = getattr(rnnzoo, recipe.builder)(vocabulary, **sizes)
    model.compile(adam(recipe.learning_rate, weight_decay=recipe.weight_decay, global_clipnorm=1.0))
    clock = TrainingClock(10_000, steps_per_epoch=train.num_batches, max_minutes=minutes)
    # It reaches the optimizer by its own `model`. On JAX what is set on any other way is lost: the
    # step has a state of its own, which that property puts into the model and takes out again.
    rate = LearningRate(clock, peak=recipe.learning_rate, final_fraction=0.01)
    model.fit(train, epochs=10_000, shuffle=False, verbose=0, callbacks=[clock, rate])
    last_rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    found = model.evaluate(held_out, verbose=0, return_dict=True)
    return {
        "epochs": clock.step / train.num_batches,
        "minutes": clock.minutes,
        "nats": float(found["loss"]),
        "last_rate": last_rate,
        "sample": model.generate("ROMEO:", max_new_tokens=200, temperature=0.8, seed=1),
    }


def parts_of(args):
    """The parts, those with a goal first: the seconds that one takes at least, and what it does."""
    quick, minutes = args.quick, args.minutes or (0.1 if args.quick else 2.0)

    def measured(pairs):
        return {f"steps {n} {d}": (0, lambda n=n, d=d: steps(n, d, quick)) for n, d in pairs}

    parts = measured(GOALS)
    if args.text is not None:
        text = args.text.read_text("utf-8")
        parts["training"] = (60 * minutes, lambda: training(text, minutes, quick))
    parts["proof"] = (0, lambda: proof(quick))
    parts["agreement"] = (0, lambda: agreement(quick))
    parts["kernels"] = (0, lambda: kernel_table(quick))
    parts["writing"] = (0, lambda: writing(quick))
    parts |= measured(OTHERS)
    only = args.only or [""]
    return {name: part for name, part in parts.items() if name.startswith(tuple(only))}


def run(parts, found, out, *, seconds, now=time.perf_counter, start=START):
    """Runs the parts that end in time, and writes what is found after each of them."""
    found["skipped"] = []
    for name, (least, part) in parts.items():
        if now() - start + least > seconds:
            found["skipped"].append(name)
            continue
        try:
            found[name] = part()
        except Exception as error:
            found[name] = f"FAILED: {error!r}"[:500]
        told = json.dumps(found[name])
        print(f"[{now() - start:6.1f} s] {BACKEND} {name}: {told[:400]}", flush=True)
        out.write_text(json.dumps(found, indent=1))
        keras.backend.clear_session()
    if found["skipped"]:
        print(f"Skipped, for {seconds:g} s were over: {', '.join(found['skipped'])}.", flush=True)
    out.write_text(json.dumps(found, indent=1))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the JSON file")
    parser.add_argument("--text", type=Path, help="tiny Shakespeare; without it, no training")
    parser.add_argument("--minutes", type=float, help="of the training, 2; --quick: 0.1")
    parser.add_argument("--seconds", type=float, default=460.0, help="after which no part begins")
    parser.add_argument("--only", nargs="*", help="these parts alone")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--commit", default=commit(), help="of a copy that git knows nothing of")
    args = parser.parse_args(argv)
    found = {
        "gpu": torch.cuda.get_device_name() if DEVICE == "cuda" else "none",
        "backend": BACKEND, "keras": keras.__version__, "torch": torch.__version__,
        "date": str(date.today()), "commit": args.commit,
    }  # fmt: skip
    run(parts_of(args), found, args.out, seconds=args.seconds)


if __name__ == "__main__":
    main()
