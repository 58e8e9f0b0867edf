"""What a GPU does with rnnzoo, in eight minutes: kernels, proof, speed beside PyTorch, a training.

    KERAS_BACKEND=jax python benchmarks/gpu.py jax.json --text tinyshakespeare.txt
    KERAS_BACKEND=torch python benchmarks/gpu.py torch.json --text tinyshakespeare.txt
    KERAS_BACKEND=jax python benchmarks/gpu.py try.json --quick      # tiny sizes, on a CPU too

It needs Keras, PyTorch and the backend, no TensorFlow. Each part stands for itself; one that fails
is noted with its error, and the next begins. Written after every part, one JSON file:

- `kernels`: what `rnnzoo.kernels` says for each cell and dtype;
- `proof`: the names of cuDNN kernels in a profile (torch) or in the compiled text (JAX);
- `agreement`: cuDNN against the generic loop, relative difference of outputs and gradients;
- `steps`: tokens a second under `fit`, and those of the same network in plain eager PyTorch
  (`torch.nn.LSTM` or `GRU`, Adam, clipped, carried state, TF32), in turns in one process; `ratio`
  is the median of the ratios within the rounds;
- `writing`: characters a second of `generate`, for one row and for 64;
- `training`: the recipe `char_lstm_shakespeare` on the first nine tenths of the text for some
  minutes, its rate decayed to the end, and the nats a character of the last tenth, state carried.
"""

import argparse
import json
import os
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
from rnnzoo.layers import GRU, LSTM
from rnnzoo.optimizers import adam

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


def kernel_table(quick):
    """What `rnnzoo.kernels` says, with the reasons."""
    told = {}
    for cell in ("lstm", "gru", "simple_rnn"):
        for dtype in DTYPES:
            for units in (16,) if quick else (128, 512, 1150):
                model = rnnzoo.char_lstm(65, units=units, num_layers=1, cell=cell, dtype=dtype)
                kernel = rnnzoo.kernels(model)[0].training
                told[f"{cell} {units} {dtype}"] = f"{kernel.name}: {kernel.reason}"
    return told


def proof(quick):
    """Traces of cuDNN in what really runs, layer by layer, with cuDNN asked for."""
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
            import jax

            text = jax.jit(lambda a, layer=layer: layer(a, training=True)).lower(x).as_text()
            found[kind.__name__] = sorted({n for n in ("cudnn_rnn", "while") if n in text})
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


def steps(name, dtype, quick, rounds=3, batches=40):
    """Tokens a second of both, in turns."""
    builder, symbols, embedding, cell, layers, units, rows, length = NETWORKS[name]
    if quick:
        symbols, embedding, units, rows, length, batches = 65, 16, 16, 4, 6, 3
    ids = np.random.default_rng(0).integers(0, symbols, rows * length * batches + 1)
    stream = StreamDataset(ids.astype("int32"), rows, length)
    model = getattr(rnnzoo, builder)(
        symbols, units=units, num_layers=layers, cell=cell, embedding_dim=embedding, dtype=dtype
    )
    model.compile(adam(1e-3, global_clipnorm=1.0))
    plain = PlainPyTorch(symbols, embedding, cell, layers=layers, units=units, dtype=DTYPES[dtype])
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


class TimeIsUp(Exception):
    """Ends a training within an epoch."""


def training(text, minutes, quick):
    """Trains the recipe for some minutes; nats a character of the last tenth, state carried."""
    recipe = recipes.get("char_lstm_shakespeare")
    vocabulary = rnnzoo.Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    cut = int(0.9 * len(ids))
    train = StreamDataset(ids[:cut], recipe.batch_size, recipe.sequence_length)
    held_out = StreamDataset(ids[cut:], 16, 256)
    sizes = {"units": 16, "num_layers": 1} if quick else recipe.builder_options
    model = getattr(rnnzoo, recipe.builder)(vocabulary, **sizes)
    model.compile(adam(recipe.learning_rate, weight_decay=recipe.weight_decay, global_clipnorm=1.0))
    start, rate = time.perf_counter(), recipe.learning_rate

    def slow_down(batch, logs=None):
        done = min((time.perf_counter() - start) / 60 / minutes, 1.0)
        model.optimizer.learning_rate = rate * (0.01 + 0.99 * (1 + np.cos(np.pi * done)) / 2)
        if done >= 1.0:
            raise TimeIsUp

    clock = keras.callbacks.LambdaCallback(on_train_batch_end=slow_down)
    epochs = 0
    try:
        while True:
            model.fit(train, shuffle=False, verbose=0, callbacks=[clock])
            epochs += 1
    except TimeIsUp:
        pass
    found = model.evaluate(held_out, verbose=0, return_dict=True)
    return {
        "epochs": epochs,
        "minutes": minutes,
        "nats": float(found["loss"]),
        "sample": model.generate("ROMEO:", max_new_tokens=200, temperature=0.8, seed=1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the JSON file")
    parser.add_argument("--text", type=Path, help="tiny Shakespeare; without it, no training")
    parser.add_argument("--minutes", type=float, default=2.0, help="of the training")
    parser.add_argument("--only", nargs="*", help="these parts alone")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    args = parser.parse_args()
    quick, start = args.quick, time.perf_counter()
    parts = {
        "kernels": lambda: kernel_table(quick),
        "proof": lambda: proof(quick),
        "agreement": lambda: agreement(quick),
        "writing": lambda: writing(quick),
    }
    if args.text is not None:
        minutes = 0.05 if quick else args.minutes
        parts["training"] = lambda: training(args.text.read_text("utf-8"), minutes, quick)
    for name in NETWORKS:
        for dtype in DTYPES:
            parts[f"steps {name} {dtype}"] = lambda n=name, d=dtype: steps(n, d, quick)
    gpu = torch.cuda.get_device_name() if DEVICE == "cuda" else "none"
    found = {
        "gpu": gpu, "backend": BACKEND, "keras": keras.__version__, "torch": torch.__version__,
        "date": str(date.today()),
    }  # fmt: skip
    for name, part in parts.items():
        if args.only and not any(name.startswith(only) for only in args.only):
            continue
        try:
            found[name] = part()
        except Exception as error:
            found[name] = f"FAILED: {error!r}"[:500]
        told = json.dumps(found[name])
        print(f"[{time.perf_counter() - start:6.1f} s] {BACKEND} {name}: {told[:400]}", flush=True)
        args.out.write_text(json.dumps(found, indent=1))
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
