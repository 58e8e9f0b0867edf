"""What a step of training costs over 1, 2 and 4 processes, against the model of docs/scale.md.

    python benchmarks/scale.py

Every process is one of Keras on JAX, on this machine, over the loopback; the batch is the same for
any number of them. Measured of each step: the wall clock; the processor time of all processes
together; and the bytes that went over the loopback, whoever sent them. The processes share the
cores: with as many cores as processes the wall clock would fall, here the processor time tells.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

PROCESSES, WARM = (1, 2, 4), 3
ROWS, LENGTH, UNITS, VOCABULARY = 32, 64, 256, 65


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=50, help="steps that are measured")
    parser.add_argument("--processes", nargs="+", type=int, default=PROCESSES)
    parser.add_argument("--as-process", nargs=3, type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.as_process:
        return measure(args.steps, *args.as_process)
    print("| processes | wall ms | processor ms of all | MB sent of all | MB by the model |")
    print("|---|---|---|---|---|")
    for count in args.processes:
        found = run(args.steps, count)
        wall, processor = (max(f["wall"] for f in found), sum(f["processor"] for f in found))
        sent = found[0]["sent"]
        expected = all_reduce_bytes(found[0]["parameters"], count)
        print(
            f"| {count} | {1e3 * wall:.0f} | {1e3 * processor:.0f} | {sent / 1e6:.2f} | "
            f"{expected / 1e6:.2f} |"
        )


def all_reduce_bytes(parameters, count):
    """The bytes that all processes send in a step: a ring sends each gradient almost twice."""
    return 2 * (count - 1) * parameters * 4


def run(steps, count):
    """What each of so many processes measured."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, "--steps", str(steps), "--as-process", str(count)]
    started = [
        subprocess.Popen(
            [*command, str(number), str(port)],
            env={**os.environ, "KERAS_BACKEND": "jax"}, stdout=subprocess.PIPE, text=True,
        )
        for number in range(count)
    ]  # fmt: skip
    return [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]


def measure(steps, count, number, port):
    """Trains as one of the processes; prints what a step takes."""
    import keras
    import numpy as np

    import rnnzoo
    from rnnzoo.data import stream_batches
    from rnnzoo.training.processes import join, own_rows, together

    class Meter(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch in (WARM - 1, WARM - 1 + steps):  # the first ones compile
                now = np.array([time.perf_counter(), time.process_time(), loopback_bytes()])
                self.first, self.spent = now, now - getattr(self, "first", now)

    join(count, process_id=number, coordinator=f"127.0.0.1:{port}")
    keras.utils.set_random_seed(0)
    ids = np.random.default_rng(0).integers(0, VOCABULARY, ROWS * LENGTH * (steps + WARM) + 1)
    with together():
        model = rnnzoo.char_lstm(VOCABULARY, units=UNITS, num_layers=2)
        model.compile()
        meter = Meter()
        model.fit(own_rows(stream_batches(ids, ROWS, LENGTH)), verbose=0, callbacks=[meter])
    wall, processor, sent = (meter.spent / steps).tolist()
    found = {"wall": wall, "processor": processor, "sent": sent}
    print(json.dumps({**found, "parameters": model.count_params()}))


def loopback_bytes():
    """All bytes sent over the loopback so far."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return int(next(line for line in lines if line.strip().startswith("lo:")).split()[9])


if __name__ == "__main__":
    main()
