"""Times rnnzoo's recurrent layers against Keras's own on the same weights, on TensorFlow.

    python benchmarks/layer_kernels.py                          # every size, LSTM
    python benchmarks/layer_kernels.py --cell gru --batch 64 --units 512 --inputs 512 --time 64
    python benchmarks/layer_kernels.py --cell lstm --masked     # right-padded rows

The contestants take turns in one process: other work on the machine then slows all alike. The
table has how many times as fast as Keras in float32 each is, the median over the rounds of the
ratio within the round.
"""

import argparse

import _common  # before Keras
import keras
import numpy as np
import tensorflow as tf
from _training import use_all_cores

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", choices=LAYERS, default="lstm")
    for name in ("batch", "time", "inputs", "units"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--masked", action="store_true", help="right-padded rows")
    args = parser.parse_args()
    wanted = (args.batch, args.time, args.inputs, args.units)
    cores = use_all_cores()
    rows = []
    for size in SIZES if None in wanted else [wanted]:
        contestants = {
            "Keras float32": layer_step(
                keras.layers, args.cell, size, dtype="float32", masked=args.masked
            ),
            "rnnzoo float32": layer_step(
                recurrent, args.cell, size, dtype="float32", masked=args.masked
            ),
            "rnnzoo bfloat16": layer_step(
                recurrent, args.cell, size, dtype="mixed_bfloat16", masked=args.masked
            ),
        }
        stock, float32, bfloat16 = _common.alternate(contestants, args.rounds, seconds=0.2).values()
        batch, steps, inputs, units = size
        rate = f"{batch * steps / np.median(stock):,.0f}"
        ratios = [f"{_common.ratio(stock, other):.2f}" for other in (float32, bfloat16)]
        rows.append([batch, steps, inputs, units, rate, *ratios])
        print(rows[-1], flush=True)
        keras.backend.clear_session()
    head = ["batch", "time", "inputs", "units", "Keras float32, tokens/s", "rnnzoo float32, times"]
    masked = ", masked" if args.masked else ""
    _common.write_section(
        f"Kernels: one layer, {args.cell}{masked}",
        f"Forward and backward, TensorFlow {tf.__version__}, Keras {keras.__version__}, {cores} "
        f"threads, {args.rounds} rounds.\n\n"
        + _common.table([*head, "rnnzoo bfloat16, times"], rows),
    )


if __name__ == "__main__":
    main()
