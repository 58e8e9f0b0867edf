"""Times rnnzoo's recurrent layers against Keras's loops, and what is around them, on TensorFlow.

    python benchmarks/layer_kernels.py                          # every size, LSTM
    python benchmarks/layer_kernels.py --cell gru --batch 64 --units 512 --inputs 512 --time 64
    python benchmarks/layer_kernels.py --cell lstm --masked     # right-padded rows
    python benchmarks/layer_kernels.py --cell sru               # against the generic loop
    python benchmarks/layer_kernels.py --part unroll --cell qrnn
    python benchmarks/layer_kernels.py --part blocks --cell lstm
    python benchmarks/layer_kernels.py --cell sru --quick       # a try: tiny, no RESULTS.md

The contestants take turns in one process: other work on the machine then slows all alike. All are a
forward and a backward pass, with the gradients of inputs and weights. A ratio is the median over
the rounds of the ratio within the round.

- `kernels`: how many times as fast as Keras in float32 a layer is; cells that Keras lacks, as the
  generic loop over the cell.
- `unroll`: how many times as fast as the `tf.while_loop` the unrolled steps of an elementwise loop
  are, and what either takes to trace. `UNROLL_STEPS` in `layers/kernels/linear_scan.py` is where
  one gives way to the other.
- `blocks`: what a stack of two layers in residual blocks costs in times of the bare stack of the
  same width: its norms and additions, with a feed-forward layer of one unit, and all of it.
"""

import argparse
import time

import _common  # before Keras
import keras
import numpy as np
import tensorflow as tf
from _training import use_all_cores

from rnnzoo.layers import RecurrentStack
from rnnzoo.layers.cells import recurrent_layer
from rnnzoo.layers.kernels import linear_scan

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
LENGTHS = [(32, time, 256, 256) for time in (16, 32, 64, 128, 256, 512)]
EQUAL = [size for size in SIZES if size[2] == size[3]]  # others are projected in front of a block
QUICK = [(2, 5, 4, 4)]
LAYERS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "SimpleRNN"}
ELEMENTWISE = ("min_gru", "min_lstm", "rg_lru", "qrnn", "sru")


def gradient_step(layer, size, masked=False):
    """Forward and backward pass of a layer, as a compiled function of no arguments."""
    batch, steps, inputs, units = size
    layer.build((batch, steps, inputs))
    x = tf.random.stateless_normal((batch, steps, inputs), seed=(1, 2))
    wanted = tf.random.stateless_normal((batch, steps, units), seed=(3, 4))
    mask = tf.sequence_mask(tf.linspace(steps // 2, steps, batch), steps) if masked else None

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs, *_ = keras.tree.flatten(layer(x, mask=mask))
            loss = tf.reduce_sum(tf.cast(outputs, "float32") * wanted)
        return tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])

    return lambda: [g.numpy() for g in step(x)[1:]]


def keras_layer(cell, units):
    """Keras's layer of a cell, in float32; where there is none, the generic loop over the cell."""
    if cell in LAYERS:
        return getattr(keras.layers, LAYERS[cell])(units, return_sequences=True, dtype="float32")
    layer = recurrent_layer(cell, units, dtype="float32")
    layer.kernels = ()
    return layer


def kernels(size, args):
    """A row: the speed of Keras's loop, and how many times as fast rnnzoo is in either dtype."""
    units, masked = size[-1], args.masked
    contestants = {"Keras": gradient_step(keras_layer(args.cell, units), size, masked=masked)}
    for dtype in ("float32", "mixed_bfloat16"):
        layer = recurrent_layer(args.cell, units, dtype=dtype)
        contestants[dtype] = gradient_step(layer, size, masked=masked)
    stock, *others = _common.alternate(contestants, args.rounds, seconds=0.2).values()
    rate = f"{size[0] * size[1] / np.median(stock):,.0f}"
    return [*size, rate, *(f"{_common.ratio(stock, other):.2f}" for other in others)]


def unroll(size, args):
    """A row: the speed of the loop in the graph, how many times as fast unrolled steps are."""
    contestants, traced = {}, []
    for name, limit in (("loop", 0), ("unrolled", size[1])):
        linear_scan.UNROLL_STEPS = limit
        layer = recurrent_layer(args.cell, size[-1], dtype="float32")
        contestants[name] = gradient_step(layer, size, masked=args.masked)
        start = time.perf_counter()
        contestants[name]()
        traced.append(f"{time.perf_counter() - start:.1f}")
    loop, unrolled = _common.alternate(contestants, args.rounds, seconds=0.2).values()
    rate = f"{size[0] * size[1] / np.median(loop):,.0f}"
    return [*size, rate, f"{_common.ratio(loop, unrolled):.2f}", *traced]


def blocks(size, args):
    """A row: the speed of the bare stack, and the time of residual ones in times of its own."""
    units = size[-1]
    options = {"num_layers": 2, "cell": args.cell, "dtype": "float32"}
    ways = {
        "plain": {},
        "norms": {"block": "residual", "expansion": 1 / units},
        "residual": {"block": "residual"},
    }
    contestants = {
        name: gradient_step(RecurrentStack(units, **options, **way), size, masked=args.masked)
        for name, way in ways.items()
    }
    plain, *others = _common.alternate(contestants, args.rounds, seconds=0.2).values()
    rate = f"{size[0] * size[1] / np.median(plain):,.0f}"
    return [*size, rate, *(f"{1 / _common.ratio(plain, other):.2f}" for other in others)]


# name: what makes a row, the sizes, the title and the last columns of its table
PARTS = {
    "kernels": (kernels, SIZES, "Kernels: one layer", ("{} float32, tokens/s",
        "rnnzoo float32, times", "rnnzoo bfloat16, times")),
    "unroll": (unroll, LENGTHS, "Kernels: unrolled or looped", ("looped, tokens/s",
        "unrolled, times", "looped: seconds to trace", "unrolled: seconds to trace")),
    "blocks": (blocks, EQUAL, "Blocks: two layers, residual beside plain", ("plain, tokens/s",
        "norms and additions, times its time", "residual, times its time")),
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, default="kernels")
    parser.add_argument("--cell", choices=(*LAYERS, *ELEMENTWISE), default="lstm")
    for name in ("batch", "time", "inputs", "units"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--masked", action="store_true", help="right-padded rows")
    parser.add_argument("--quick", action="store_true", help="one tiny size, RESULTS.md stays")
    args = parser.parse_args()
    if args.part == "unroll" and args.cell not in ELEMENTWISE:
        parser.error(f"--part unroll needs a --cell of {', '.join(ELEMENTWISE)}")
    make_row, sizes, title, columns = PARTS[args.part]
    wanted = (args.batch, args.time, args.inputs, args.units)
    sizes = QUICK if args.quick else sizes if None in wanted else [wanted]
    cores = use_all_cores()
    rows = []
    for size in sizes:
        rows.append(make_row(size, args))
        print(rows[-1], flush=True)
        keras.backend.clear_session()
    base = "Keras" if args.cell in LAYERS else "generic loop,"
    head = ["batch", "time", "inputs", "units", *(column.format(base) for column in columns)]
    show = _common.show if args.quick else _common.write_section
    show(
        f"{title}, {args.cell}{', masked' if args.masked else ''}",
        f"Forward and backward, TensorFlow {tf.__version__}, Keras {keras.__version__}, {cores} "
        f"threads, {args.rounds} rounds.\n\n" + _common.table(head, rows),
    )


if __name__ == "__main__":
    main()
