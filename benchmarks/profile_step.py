"""Where the time of a training step of rnnzoo goes, by kind of TensorFlow operation.

    python benchmarks/profile_step.py                    # every configuration, both dtypes
    python benchmarks/profile_step.py --config seq2seq --dtype float32

TensorFlow's profiler notes when each operation ran on which thread. Summed up is what an operation
took itself, without those that ran inside it; with two threads the sum is more than the time of
the step. Each configuration becomes a section of RESULTS.md.
"""

import argparse
import collections
import tempfile
import time
from pathlib import Path

import _common
import _training
import tensorflow as tf
from training_step import CONFIGS

STEPS = 5
SHOWN = 12
NO_OPERATION = ("Run", "Process")  # how the executor's own work is called


def profile(step):
    """Runs some steps under the profiler; gives the milliseconds of a step and of its kinds."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    for _ in range(2):
        step()
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    whole = (time.perf_counter() - start) / STEPS * 1e3
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(STEPS):
            step()
        tf.profiler.experimental.stop()
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    kinds = collections.Counter()
    for plane in space.planes:
        if plane.name != "/host:CPU":
            continue
        names = {key: each.name for key, each in plane.event_metadata.items()}
        for line in plane.lines:
            for name, nanoseconds in own_times(line, names):
                kind = name.rpartition(":")[2].split("#")[0]  # operations are called name:kind
                if ":" in name and kind not in NO_OPERATION:
                    kinds[kind] += nanoseconds / STEPS / 1e6
    return whole, kinds


def own_times(line, names):
    """The name of each event of a thread and its nanoseconds without the events inside it."""
    events = sorted(line.events, key=lambda event: (event.offset_ps, -event.duration_ps))
    running = []  # [end, name, own]
    for event in events:
        while running and running[-1][0] <= event.offset_ps:
            _, name, own = running.pop()
            yield name, own / 1e3
        if running:
            running[-1][2] -= event.duration_ps
        end = event.offset_ps + event.duration_ps
        running.append([end, names[event.metadata_id], event.duration_ps])
    for _, name, own in running:
        yield name, own / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=CONFIGS)
    parser.add_argument("--dtype", choices=["float32", "mixed_bfloat16"])
    args = parser.parse_args()
    cores = _training.use_all_cores()
    dtypes = [args.dtype] if args.dtype else ["float32", "mixed_bfloat16"]
    for name in [args.config] if args.config else CONFIGS:
        columns = []
        for dtype in dtypes:
            config = CONFIGS[name]
            whole, kinds = profile(_training.rnnzoo_step(config.ours(dtype), config.batches()))
            shown = [f"{kind} {took:.1f}" for kind, took in kinds.most_common(SHOWN)]
            columns.append([f"{dtype}, {whole:.0f}", f"{sum(kinds.values()):.0f}", *shown])
        rows = list(zip(*columns, strict=True))
        text = "Milliseconds a step, of all operations summed over "
        text += f"{cores} threads (second line), and of the kinds that took most.\n\n"
        _common.write_section(f"Profile: {name}", text + _common.table(rows[0], rows[1:]))


if __name__ == "__main__":
    main()
