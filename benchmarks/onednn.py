"""TensorFlow with and without oneDNN: what `import rnnzoo` turns on.

    python benchmarks/onednn.py
    python benchmarks/onednn.py --only generation --rounds 9
    python benchmarks/onednn.py --quick                      # tiny sizes: does it run at all?

The cases are those of `old_and_new.py`, in float32. Two processes take turns, so that other work
slows both alike; a ratio is the median, over the rounds, of the seconds without by those with it.
Above 1 oneDNN is the faster.
"""

import argparse

import _common
import old_and_new

from rnnzoo import onednn


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="cases whose names have one of these in them")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each")
    parser.add_argument("--seconds", type=float, default=2.0, help="least length of a turn")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, printed only")
    args = parser.parse_args()
    rows = []
    for case in old_and_new.CASES:
        of_matrices = "pipeline" not in case and "bfloat16" not in case
        if of_matrices and (not args.only or any(part in case for part in args.only)):
            workers = {
                name: old_and_new.Worker(
                    _common.ROOT, case, args.quick, **{onednn.VARIABLE: setting}
                )
                for name, setting in (("old", "0"), ("new", "1"))
            }
            rows.append(
                old_and_new.compare(workers, case, rounds=args.rounds, seconds=args.seconds)
            )
            print(*rows[-1], sep=" | ", flush=True)
    head = ["case", "without, ms", "with oneDNN, ms", "without / with"]
    text = f"Medians of {args.rounds} rounds.\n\n{_common.table(head, rows)}"
    if args.quick or args.only:
        _common.show("oneDNN", text)
    else:
        _common.write_section("oneDNN", text)


if __name__ == "__main__":
    main()
