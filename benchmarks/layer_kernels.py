"""Times rnnzoo's recurrent layers against Keras's own on the same weights, on TensorFlow.

    python benchmarks/layer_kernels.py                          # every size, LSTM
    python benchmarks/layer_kernels.py --cell gru --batch 64 --units 512 --inputs 512 --time 64
    python benchmarks/layer_kernels.py --whole-step             # 2-layer model, Adam, clipping

The contestants take turns, one call each a round, in one process: other work on the machine then
slows all alike. Printed: the median over the rounds of the time per token, how many times as fast
as Keras in float32 that is (median over the rounds of the ratio within the round), and the same
for the processor time of all cores, which other work disturbs least.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
import tensorflow as tf

from rnnzoo.layers import recurrent

# (batch, time, inputs, units)
SIZES = [
    (64, 64, 512, 512),
    (128, 100, 512, 512),
    (64, 64, 100, 200),
    (50, 50, 64, 128),
    (50, 50, 128, 128),
    (64, 20, 256, 256),
    (1, 64, 128, 128),
]
LAYERS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}


def layer_step(module, cell, size, dtype, masked):
    """Forward and backward pass of one layer, as a compiled function of no arguments."""
    batch, steps, inputs, units = size
    layer = getattr(module, LAYERS[cell])(units, return_sequences=True, dtype=dtype)
    layer.build((batch, steps, inputs))
    x = tf.random.stateless_normal((batch, steps, inputs), seed=(1, 2))
    wanted = tf.random.stateless_normal((batch, steps, units), seed=(3, 4))
    mask = tf.sequence_mask(tf.linspace(steps // 2, steps, batch), steps) if masked else None

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.cast(layer(x, mask=mask), "float32")
            loss = tf.reduce_sum(outputs * wanted)
        return tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])

    return lambda: [g.numpy() for g in step(x)[1:]]


def model_step(module, cell, size, dtype, jit_compile=False):
    """One training step of a 2-layer model over 65 symbols with Adam and clipping."""
    batch, steps, inputs, units = size
    make = getattr(module, LAYERS[cell])
    model = keras.Sequential(
        [keras.Input((steps,), batch_size=batch, dtype="int32")]
        + [keras.layers.Embedding(65, inputs, dtype=dtype)]
        + [make(units, return_sequences=True, dtype=dtype) for _ in range(2)]
        + [keras.layers.Dense(65, dtype=dtype), keras.layers.Activation("linear", dtype="float32")]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(clipnorm=1.0), loss, jit_compile=jit_compile)
    tokens = np.random.default_rng(0).integers(0, 65, (batch, steps + 1)).astype("int32")
    return lambda: model.train_on_batch(tokens[:, :-1], tokens[:, 1:])


def compare(contestants, tokens, rounds):
    """Prints the first call's time, the time per token and the ratio to the first contestant."""
    times = {name: [] for name in contestants}
    processor = {name: [] for name in contestants}
    first = {}
    for name, call in contestants.items():
        start = time.perf_counter()
        call()
        first[name] = time.perf_counter() - start
        call()
    for _ in range(rounds):
        for name, call in contestants.items():
            start, start_processor = time.perf_counter(), time.process_time()
            call()
            times[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - start_processor)
    base = np.array(next(iter(times.values())))
    base_processor = np.median(next(iter(processor.values())))
    for name, taken in times.items():
        ratio = np.quantile(base / np.array(taken), (0.25, 0.5, 0.75))
        print(
            f"  {name:16} {np.median(taken) / tokens * 1e6:8.2f} us/token"
            f"   x {ratio[1]:.2f} (middle half {ratio[0]:.2f}-{ratio[2]:.2f},"
            f" best {base.min() / min(taken):.2f})"
            f"   processor x {base_processor / np.median(processor[name]):.2f}"
            f"   first call {first[name]:.1f} s",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", choices=LAYERS, default="lstm")
    for name in ("batch", "time", "inputs", "units"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--whole-step", action="store_true", help="a whole training step")
    parser.add_argument("--masked", action="store_true", help="right-padded rows")
    args = parser.parse_args()
    wanted = (args.batch, args.time, args.inputs, args.units)
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, {os.cpu_count()} cores")
    for size in SIZES if None in wanted else [wanted]:
        print(f"{args.cell}, batch {size[0]}, time {size[1]}, inputs {size[2]}, units {size[3]}")
        if args.whole_step:
            make, extra = model_step, ()
        else:
            make, extra = layer_step, (args.masked,)
        contestants = {
            "Keras float32": make(keras.layers, args.cell, size, "float32", *extra),
            "rnnzoo float32": make(recurrent, args.cell, size, "float32", *extra),
            "rnnzoo bfloat16": make(recurrent, args.cell, size, "mixed_bfloat16", *extra),
        }
        compare(contestants, size[0] * size[1], args.rounds)
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
