"""What the benchmarks share: taking turns, and writing a section of RESULTS.md.

Import it before Keras: it chooses the backend and the number of threads.
"""

import os
import shlex
import sys
import time
from datetime import date
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# As `import rnnzoo` does where it comes before Keras; for all contestants alike.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "benchmarks" / "RESULTS.md"


def alternate(contestants, rounds=7, seconds=0.0):
    """Times functions of no arguments in turns, so that other work slows all of them alike.

    Args:
        contestants: Names and functions. Each is called twice before, untimed.
        rounds: How many turns each has.
        seconds: The least that a turn lasts: a function is called as often as that takes.

    Returns:
        For each name the seconds of one call, one number a round.
    """
    calls = {}
    for name, call in contestants.items():
        call()
        start = time.perf_counter()
        call()
        calls[name] = max(1, round(seconds / (time.perf_counter() - start)))
    times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                call()
            times[name].append((time.perf_counter() - start) / calls[name])
    return times


def ratio(base, other):
    """How many times as fast `other` is as `base`: the median of the ratios within the rounds."""
    ratios = sorted(b / o for b, o in zip(base, other, strict=True))
    return (ratios[(len(ratios) - 1) // 2] + ratios[len(ratios) // 2]) / 2


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def show(title, text):
    """Prints a section that is only a try."""
    print(f"## {title}\n\n{text.strip()}\n")


def write_section(title, text):
    """Prints a section and puts it into RESULTS.md, in place of the one with the same title."""
    from rnnzoo.files import write_atomically
    from rnnzoo.hardware import machine

    words = ["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]
    cores = machine()["cores"]
    place = f"{cores} core{'s' if cores > 1 else ''}, {machine()['cpu']}"
    section = f"## {title}\n\n`{shlex.join(words)}`, {date.today()}, {place}\n\n{text.strip()}\n"
    print(section)
    before = RESULTS.read_text() if RESULTS.exists() else "# Results\n"
    head, *sections = before.split("\n## ")
    sections = [f"## {one.strip()}\n" for one in sections]
    places = [i for i, one in enumerate(sections) if one.split("\n")[0] == f"## {title}"]
    if places:
        sections[places[0]] = section
    else:
        sections.append(section)
    write_atomically(RESULTS, "\n".join([head.strip() + "\n", *sections]))
