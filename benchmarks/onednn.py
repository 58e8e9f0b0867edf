"""TensorFlow with and without oneDNN: what `import rnnzoo` turns on.

    python benchmarks/onednn.py
    python benchmarks/onednn.py --only generation --rounds 9
    python benchmarks/onednn.py --quick                      # tiny sizes: does it run at all?

The cases are those of `old_and_new.py`, in float32. Two processes take turns, so that other work
slows both alike; a ratio is the median, over the rounds, of the seconds without by those with it.
Above 1 oneDNN is the faster.
"""

import _common
import old_and_new

from rnnzoo import onednn


def main():
    args = old_and_new.options(__doc__.splitlines()[0]).parse_args()

    def workers(case):
        return {
            name: old_and_new.Worker(_common.ROOT, case, args.quick, **{onednn.VARIABLE: setting})
            for name, setting in (("old", "0"), ("new", "1"))
        }

    cases = [
        case for case in old_and_new.CASES if "pipeline" not in case and "bfloat16" not in case
    ]
    rows = old_and_new.compare_all(cases, workers, args)
    head = ["case", "without, ms", "with oneDNN, ms", "without / with"]
    text = f"Medians of {args.rounds} rounds.\n\n{_common.table(head, rows)}"
    old_and_new.report("oneDNN", text, args)


if __name__ == "__main__":
    main()
