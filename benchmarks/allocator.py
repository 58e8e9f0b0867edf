"""TensorFlow with the C library's allocator as it comes, and told to keep what it was given back.

    python benchmarks/allocator.py
    python benchmarks/allocator.py --only step --rounds 9
    python benchmarks/allocator.py --quick                   # tiny sizes: does it run at all?

A training step takes and gives back megabytes of memory many times. glibc, the C library of most
Linux systems, returns such blocks to the system, which fills new ones with zeros. Two variables of
the environment let it keep them (`man mallopt`). They are read when a process starts, so that no
library can set them. Linux with glibc only.

The cases are those of `old_and_new.py`, in float32. Two processes take turns, so that other work
slows both alike; a ratio is the median, over the rounds, of the seconds as it comes by those with
the variables. Above 1 the variables help.
"""

import _common
import old_and_new

SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # bytes, the most that glibc allows
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}


def main():
    args = old_and_new.options(__doc__.splitlines()[0]).parse_args()

    def workers(case):
        return {
            name: old_and_new.Worker(_common.ROOT, case, args.quick, **settings)
            for name, settings in (("old", {}), ("new", SETTINGS))
        }

    cases = [case for case in old_and_new.CASES if "bfloat16" not in case]
    rows = old_and_new.compare_all(cases, workers, args)
    head = ["case", "as it comes, ms", "with the variables, ms", "as it comes / with"]
    variables = " ".join(f"{name}={value}" for name, value in SETTINGS.items())
    text = f"`{variables}`. Medians of {args.rounds} rounds.\n\n{_common.table(head, rows)}"
    old_and_new.report("Allocator", text, args)


if __name__ == "__main__":
    main()
