"""Time and memory of a training step against units, length, batch size and vocabulary.

    pip install matplotlib
    python benchmarks/cost_against_size.py                   # five minutes or so on two cores
    python benchmarks/cost_against_size.py --seconds 4
    python benchmarks/cost_against_size.py --quick           # tiny sizes: does it run at all?

One size at a time goes up from a word model of 256 units, 64 steps, 32 rows and 1,000 words
(`word_lm`, float32, compiled by its defaults, carried state), each in a process of its own. Time is
the median of the steps after the third, one call of the function that `fit` calls; memory is the
high-water mark of the resident memory above what it was once everything was imported, so it holds
the model, the optimizer, the compiled graph and the step itself.

Writes cost_against_size.png beside this file and a section of RESULTS.md. The slope between two
points on logarithmic axes is 1 where twice the size costs twice as much.
"""

import argparse
import math
import statistics
import tempfile
import time
from pathlib import Path

import _common
from _processes import PeakMemory, in_fresh_process

BASE = {"units": 256, "length": 64, "batch": 32, "vocabulary": 1000}
SIZES = {
    "units": [128, 256, 512, 1024],
    "length": [32, 64, 128, 256, 512, 1024],
    "batch": [8, 16, 32, 64, 128, 256],
    "vocabulary": [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000],
}
QUICK_BASE = {"units": 8, "length": 8, "batch": 4, "vocabulary": 50}
QUICK_SIZES = {"units": [8, 16], "length": [8, 16], "batch": [4, 8], "vocabulary": [50, 100]}
PICTURE = Path(__file__).with_suffix(".png")


def cost(sizes, seconds):
    """Trains for a moment in this process.

    Args:
        sizes: Units, length, batch and vocabulary.
        seconds: The least time to measure for, after three steps; at least three steps more.

    Returns:
        Milliseconds of a step (the median) and MiB above what the imports take.
    """
    import _training

    from rnnzoo import word_lm

    _training.use_all_cores()
    with PeakMemory() as peak:
        model = word_lm(sizes["vocabulary"], units=sizes["units"])
        batches = _training.stream_of_one_batch(
            sizes["vocabulary"], sizes["batch"], sizes["length"]
        )
        step = _training.rnnzoo_step(model, batches)
        step()  # the third: `fit` has taken two
        taken = []
        while len(taken) < 3 or sum(taken) < seconds:
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000, peak.total - peak.before["total"]


def slope(sizes, costs):
    """The slope on logarithmic axes between the last two points."""
    return math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2])


def plot(costs, path):
    """Draws time and memory against each size, with the line of the last slope."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    figure = Figure(figsize=(13, 6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(costs), sharey="row")
    for row, label in enumerate(("ms a training step", "MiB above the imports")):
        panels[row][0].set_ylabel(label)
        for axes, (name, points) in zip(panels[row], costs.items(), strict=True):
            sizes, values = list(points), [point[row] for point in points.values()]
            steepness = slope(sizes, values)
            ends = [sizes[0], sizes[-1]]
            line = [values[-1] * (size / sizes[-1]) ** steepness for size in ends]
            axes.plot(ends, line, "--", color="0.6", label=f"slope {steepness:.2f}")
            axes.plot(sizes, values, "o-")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(sizes)
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.tick_params(axis="x", rotation=45)
            axes.set_xlabel(name)
            axes.grid(alpha=0.3)
            axes.legend()
    canvas.print_png(path)


def report(costs, base):
    """The tables: every point, and the slopes at the end."""
    slopes = [
        [name, f"{sizes[-2]:,} to {sizes[-1]:,}"]
        + [f"{slope(sizes, [point[k] for point in points.values()]):.2f}" for k in (0, 1)]
        for name, points in costs.items()
        for sizes in [list(points)]
    ]
    rows = [
        [name, f"{size:,}", f"{ms:,.1f}", f"{mib:,.0f}"]
        for name, points in costs.items()
        for size, (ms, mib) in points.items()
    ]
    held = ", ".join(f"{name} {size:,}" for name, size in base.items())
    return (
        f"`word_lm`, float32, one size at a time from {held}.\n\n"
        f"![Time and memory against each size]({PICTURE.name})\n\n"
        "Slopes on logarithmic axes between the last two points:\n\n"
        f"{_common.table(['size', 'between', 'slope of time', 'slope of memory'], slopes)}\n\n"
        f"{_common.table(['size', 'value', 'ms a step', 'MiB above the imports'], rows)}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="least time of each point")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, printed only")
    args = parser.parse_args()
    base, sizes = (QUICK_BASE, QUICK_SIZES) if args.quick else (BASE, SIZES)
    known, costs = {}, {}
    for name, values in sizes.items():
        for value in values:
            point = {**base, name: value}
            key = tuple(point.values())  # the base is a point of every line
            if key not in known:
                known[key] = in_fresh_process(cost, point, args.seconds)
                print(point, "{:.1f} ms, {:.0f} MiB".format(*known[key]), flush=True)
            costs.setdefault(name, {})[value] = known[key]
    text = report(costs, base)
    if args.quick:
        plot(costs, Path(tempfile.gettempdir()) / PICTURE.name)
        print(text)
    else:
        plot(costs, PICTURE)
        _common.write_section("Cost against size", text)


if __name__ == "__main__":
    main()
