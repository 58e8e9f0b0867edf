"""Times the update of the weights: rnnzoo's `FusedAdam` against Keras's Adam, on TensorFlow.

    python benchmarks/optimizer.py

Both get the same dense gradients of four equal matrices, clipped to a total norm of 1 or not, and
take turns in one process.
"""

import argparse

import _common  # before Keras
import keras
import numpy as np
import tensorflow as tf
from _training import use_all_cores

from rnnzoo.optimizers import FusedAdam

WEIGHTS = (100_000, 1_000_000, 5_000_000, 20_000_000)


def update(kind, weights, clipped):
    """One update as a compiled function of no arguments."""
    side = round((weights / 4) ** 0.5)
    draw = np.random.default_rng(0)
    matrices = [draw.normal(0.0, 0.1, (side, side)).astype("float32") for _ in range(4)]
    variables = [keras.Variable(matrix) for matrix in matrices]
    gradients = [tf.constant(matrix) for matrix in matrices]
    optimizer = kind(1e-3, global_clipnorm=1.0 if clipped else None)
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step():
        optimizer.apply(gradients, variables)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    cores = use_all_cores()
    rows = []
    for weights in WEIGHTS:
        for clipped in (False, True):
            contestants = {
                kind.__name__: update(kind, weights, clipped)
                for kind in (keras.optimizers.Adam, FusedAdam)
            }
            stock, fused = _common.alternate(contestants, args.rounds, seconds=0.2).values()
            times = [f"{np.median(each) * 1e3:.2f}" for each in (stock, fused)]
            clipping = "to 1" if clipped else "no"
            rows.append([f"{weights:,}", clipping, *times, f"{_common.ratio(stock, fused):.2f}"])
            print(rows[-1], flush=True)
    head = ["weights", "clipped", "Keras's Adam, ms", "FusedAdam, ms", "times"]
    _common.write_section(
        "Optimizer: one update",
        f"float32, TensorFlow {tf.__version__}, Keras {keras.__version__}, {cores} threads, "
        f"{args.rounds} rounds.\n\n" + _common.table(head, rows),
    )


if __name__ == "__main__":
    main()
