"""The leaderboard: every cell, plain and in residual blocks, at equal size and equal minutes.

    python benchmarks/leaderboard.py                     # what has no file yet; many hours
    python benchmarks/leaderboard.py --millions 1 --minutes 3 --only lstm min_gru
    python benchmarks/leaderboard.py --page              # docs/leaderboard.md, of what is there
    python benchmarks/leaderboard.py --quick             # seconds each, printed only

Each entry trains alone, in a process of its own, on tiny Shakespeare: two layers, as wide as the
parameters allow, with the recipe that `equal_time.py` has for so many minutes, whose clock and
validation are used too. So does nanoGPT's CPU configuration, once for each number of minutes.
Nothing is tuned for a cell: the table says what each makes of the same settings. What an entry
reached is kept as a file in `leaderboard_runs/`; one that has a file is not trained again. One
seed each: small differences are noise. Let nothing else run meanwhile.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import _common
import _processes
import equal_time

CELLS = (
    "lstm", "gru", "simple_rnn", "min_gru", "min_lstm", "rg_lru", "qrnn", "sru", "layer_norm_lstm",
    "mogrifier_lstm", "slstm",
)  # fmt: skip
BLOCKS = ("plain", "residual")
KEPT = Path(__file__).with_name("leaderboard_runs")
PAGE = _common.ROOT / "docs" / "leaderboard.md"
NANOGPT = "nanoGPT"


def widest(cell, block, parameters):
    """The most units, a multiple of 8, of two layers that have at most so many parameters."""
    from rnnzoo import char_lstm

    def count(units):
        return char_lstm(65, units=units, num_layers=2, cell=cell, block=block).count_params()

    low, high = 1, 256  # eighths of units: the one fits, the other does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(8 * middle) <= parameters else (low, middle)
    return 8 * low


def entry(cell, block, millions, minutes, quick):
    """Trains an entry; returns what it reached."""
    parameters = 20_000 if quick else int(1e6 * millions)
    units = _processes.in_fresh_process(widest, cell, block, parameters)
    recipe = equal_time.variant(minutes, 0, quick)
    options = {**recipe.builder_options, "units": units, "num_layers": 2}
    recipe = replace(recipe, builder_options={**options, "cell": cell, "block": block})
    with tempfile.TemporaryDirectory(prefix="rnnzoo_leaderboard_") as folder:
        found = equal_time.in_minutes(recipe, minutes, folder)
        writing = _processes.in_fresh_process(characters_a_second, f"{folder}/whole")
    return {**found, "units": units, "writing": writing}


def characters_a_second(folder):
    """How fast a model writes one text."""
    import rnnzoo

    model, length, taken = rnnzoo.load(folder), 300, []
    for _ in range(4):
        start = time.perf_counter()
        model.generate("ROMEO:", max_new_tokens=length, seed=0)
        taken.append(time.perf_counter() - start)
    return length / statistics.median(taken[1:])  # the first one compiles


def keep(path, found):
    """Writes the file of an entry, with what made it."""
    from rnnzoo import files
    from rnnzoo.hardware import commit, machine

    path.parent.mkdir(parents=True, exist_ok=True)
    place = {key: machine()[key] for key in ("cpu", "cores")}
    made = {"date": str(date.today()), "commit": commit(), **place}
    files.write_atomically(path, json.dumps({**found, "made": made}, indent=2) + "\n")


def page():
    """Writes docs/leaderboard.md of all files."""
    from rnnzoo import files

    tables = sorted(  # (millions, minutes, folder)
        (*map(int, path.name.split("_")[::2]), path) for path in KEPT.glob("*_million_*_minutes")
    )
    if not tables:
        sys.exit(f"There are no entries in {KEPT}; run the script without --page.")
    parts = [HEAD]
    for millions, minutes, folder in tables:
        entries = [(path.stem, json.loads(path.read_text())) for path in folder.glob("*.json")]
        shared = KEPT / f"{NANOGPT}_{minutes}_minutes.json"
        if shared.exists():
            entries.append((NANOGPT, json.loads(shared.read_text())))
        entries.sort(key=lambda each: each[1]["random blocks"])
        parts.append(
            f"## {millions} million parameters, {minutes} minutes\n\n"
            f"{_common.table(COLUMNS, [row(*each) for each in entries])}"
        )
    files.write_atomically(PAGE, "\n\n".join(parts) + "\n")
    print(f"Wrote {PAGE}.")


COLUMNS = [
    "cell", "block", "units", "parameters", "zero state", "carried", "million characters seen",
    "characters/s, training", "characters/s, writing", "made",
]  # fmt: skip
HEAD = """# Leaderboard

Every cell of [Cells and blocks](cells.md) on tiny Shakespeare, plain and in residual blocks, at
equal parameters and equal minutes of training on two idle cores. The settings are the same for
all, those of `benchmarks/equal_time.py`: nothing was tuned for a cell, and each was trained once,
so differences below 0.01 say little. The speed of the machine, a virtual one, wavers by some per
cent, and with it how much an entry has read. nanoGPT is its CPU configuration, 0.80 million
parameters, trained for the same minutes. The rows of sru at 3 minutes are of its loop before
2026-12-01; a training step of today's takes about half to two thirds of the time.

*Zero state* is the loss in nats a character on 200 random batches of 12 blocks of 64 characters
of the last 10 %, each block from the zero state: nanoGPT's protocol, the same blocks for all.
*Carried* is the loss on all of the last 10 %, read on with carried state. The tables are of the
files in `benchmarks/leaderboard_runs/`; `python benchmarks/leaderboard.py` makes those that are
missing, `--page` this page."""


def row(name, found):
    """The row of an entry."""
    cell, _, block = name.partition(".")
    made = found["made"]
    carried = f"{found['carried']:.4f}" if "carried" in found else "-"
    writing = f"{found['writing']:,.0f}" if "writing" in found else "-"
    return [
        cell, block or "-", found.get("units", "-"), f"{found['parameters']:,}",
        f"{found['random blocks']:.4f}", carried, f"{found['characters'] / 1e6:.1f}",
        f"{found['characters'] / found['seconds']:,.0f}", writing,
        f"{made['date']}, {made['commit']}, {made['cores']} cores, {made['cpu']}",
    ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 4], help="of parameters")
    parser.add_argument("--minutes", type=int, nargs="+", default=[3, 10])
    parser.add_argument("--only", nargs="+", metavar="CELL", default=CELLS, help="these cells")
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=BLOCKS)
    parser.add_argument("--page", action="store_true", help="write docs/leaderboard.md alone")
    parser.add_argument("--quick", action="store_true", help="seconds each, printed only")
    args = parser.parse_args()
    if args.quick:
        for cell in args.only:
            print(cell, entry(cell, "plain", millions=1, minutes=0.2, quick=True), flush=True)
        return
    if not args.page:
        for minutes in args.minutes:
            train_missing(minutes, args)
    page()


def train_missing(minutes, args):
    """Trains what has no file yet: nanoGPT, then the cells."""
    path = KEPT / f"{NANOGPT}_{minutes}_minutes.json"
    if not path.exists():
        keep(path, _processes.in_fresh_process(equal_time.nanogpt, 60 * minutes, 0))
    for millions in args.millions:
        for cell in args.only:
            for block in args.blocks:
                path = KEPT / f"{millions}_million_{minutes}_minutes" / f"{cell}.{block}.json"
                if not path.exists():
                    found = entry(cell, block, millions=millions, minutes=minutes, quick=False)
                    keep(path, found)
                    print(path.stem, found, flush=True)


if __name__ == "__main__":
    main()
