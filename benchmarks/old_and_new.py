"""This checkout against an older one: is anything slower?

    git worktree add ../old COMMIT
    python benchmarks/old_and_new.py ../old
    python benchmarks/old_and_new.py ../old --only "beam 5" --rounds 9
    python benchmarks/old_and_new.py ../old --quick          # tiny sizes: does it run at all?

Each checkout works in a process of its own; the two take turns, so that other work slows both
alike. A ratio is the median, over the rounds, of the seconds of the old by those of the new: above
1 the new one is the faster. The public API alone is called, so that both can. Beam search and
pipelines read the real corpora. Everything becomes one section of RESULTS.md.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import _common

DATA = Path(os.environ.get("RNNZOO_DATA_DIR", _common.ROOT.parent / "shared" / "data"))


def training_step(units, rows, length, dtype):
    """A training step of `char_lstm`, as `fit` runs it."""

    def make(quick):
        import _training

        import rnnzoo

        sizes = (16, 4, 6) if quick else (units, rows, length)
        model = rnnzoo.char_lstm(65, units=sizes[0], num_layers=2, dtype=dtype)
        return _training.rnnzoo_step(model, _training.stream_of_one_batch(65, *sizes[1:]))

    return make


def attention_step(dtype):
    """A training step of `gru_seq2seq`, 256 units, 64 pairs of 20 tokens, 5,000 symbols."""

    def make(quick):
        import _training
        import numpy as np

        import rnnzoo
        from rnnzoo.data import pair_batches

        random, units = np.random.default_rng(0), 16 if quick else 256
        sides = [list(random.integers(3, 5000, (64, n))) for n in (20, 19)]
        batches = pair_batches(*sides, batch_size=64, start_id=1, end_id=2)
        model = rnnzoo.gru_seq2seq(5000, 5000, units=units, dtype=dtype)
        return _training.rnnzoo_step(model, batches)

    return make


def generation(rows):
    """`generate` of `char_lstm`, 2 x 512, 500 tokens a row."""

    def make(quick):
        import rnnzoo

        model = rnnzoo.char_lstm(65, units=16 if quick else 512, num_layers=2)
        prompts, length = [[1, 2, 3]] * rows, 20 if quick else 500
        return lambda: model.generate(prompts, max_new_tokens=length, seed=1)

    return make


def beam(quick):
    """Beam search of 5 on test_2016 of Multi30k, by the published model."""
    import gzip

    import rnnzoo

    lines = gzip.open(DATA / "multi30k" / "test_2016_flickr.en.gz", "rt", encoding="utf-8")
    texts = lines.read().split("\n")[: 8 if quick else 200]
    folder = Path(rnnzoo.__file__).parents[1] / "saved_models" / "gru_seq2seq_multi30k_en_de"
    model = rnnzoo.load(folder)
    return lambda: model.translate(texts, beam_width=5)


def pipeline(kind):
    """An epoch of batches: the stream of tiny Shakespeare, or the pairs of Multi30k."""

    def make(quick):
        import gzip

        import rnnzoo
        from rnnzoo.data import pair_batches, stream_batches

        if kind == "stream":
            text = (DATA / "tinyshakespeare.txt").read_text("utf-8")
            ids = rnnzoo.Vocabulary.from_text(text).encode(text)
            batches = stream_batches(ids[: 10_000 if quick else None], 64, 64)
        else:
            sides = []
            for side in ("en", "de"):
                path = DATA / "multi30k" / f"train.{side}.gz"
                lines = gzip.open(path, "rt", encoding="utf-8").read().split("\n")[:-1]
                lines = lines[: 500 if quick else None]
                words = rnnzoo.Vocabulary.from_text("\n".join(lines), level="word", size=5000)
                sides.append(words.encode_documents(lines, start=False, end=False))
            batches = pair_batches(*sides, batch_size=64, start_id=1, end_id=2)
        return lambda: sum(1 for _ in batches)

    return make


CASES = {
    "training step 2x128, 50x50, float32": training_step(128, 50, 50, dtype="float32"),
    "training step 2x128, 50x50, mixed_bfloat16": training_step(
        128, 50, 50, dtype="mixed_bfloat16"
    ),
    "training step 2x512, 64x64, float32": training_step(512, 64, 64, dtype="float32"),
    "training step 2x512, 64x64, mixed_bfloat16": training_step(
        512, 64, 64, dtype="mixed_bfloat16"
    ),
    "training step gru_seq2seq 256, float32": attention_step("float32"),
    "training step gru_seq2seq 256, mixed_bfloat16": attention_step("mixed_bfloat16"),
    "generation, 1 row": generation(1),
    "generation, 64 rows": generation(64),
    "beam 5, 200 sentences of Multi30k": beam,
    "pipeline of a stream": pipeline("stream"),
    "pipeline of pairs": pipeline("pairs"),
}


def work(case, checkout, quick):
    """Times the case again and again: a number of calls in, seconds of one call out."""
    sys.path.insert(0, checkout)
    import rnnzoo  # before Keras, as users import it: the new one then turns oneDNN on

    # isort: split
    import _training

    if not Path(rnnzoo.__file__).is_relative_to(checkout):
        raise RuntimeError(f"{rnnzoo.__file__} is not in {checkout}.")

    _training.use_all_cores()
    call = CASES[case](quick)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            call()
        print("seconds", (time.perf_counter() - start) / int(line), flush=True)


class Worker:
    """A process that runs one case on one checkout."""

    def __init__(self, checkout, case, quick, **environment):
        command = [sys.executable, __file__, str(checkout), "--work", case] + ["--quick"] * quick
        pipe, environment = subprocess.PIPE, {**os.environ, **environment}
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, env=environment
        )

    def seconds(self, calls=1):
        """The seconds of one call, the mean of some."""
        print(calls, file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            if line.startswith("seconds "):
                return float(line.split()[1])
        raise RuntimeError("The worker has ended; run its case by --work to see why.")

    def end(self):
        """Lets the process end."""
        self.process.stdin.close()
        self.process.wait()


def compare(workers, case, rounds, seconds):
    """Times one case by two workers, `"old"` and `"new"`, in turns; a row of the table."""
    times = {name: [] for name in workers}
    for worker in workers.values():
        worker.seconds()  # compiles
    calls = max(1, round(seconds / workers["new"].seconds()))
    for turn in range(rounds):
        for name in sorted(workers, reverse=bool(turn % 2)):
            times[name].append(workers[name].seconds(calls))
    for worker in workers.values():
        worker.end()
    told = [f"{1000 * statistics.median(times[name]):.4g}" for name in ("old", "new")]
    return [case, *told, f"{_common.ratio(times['old'], times['new']):.3f}"]


def compare_all(cases, workers, args):
    """The rows of the cases that `--only` names; `workers(case)` starts the two of a case."""
    rows = []
    for case in cases:
        if not args.only or any(part in case for part in args.only):
            rows.append(compare(workers(case), case, rounds=args.rounds, seconds=args.seconds))
            print(*rows[-1], sep=" | ", flush=True)
    return rows


def report(title, text, args):
    """Writes a section of RESULTS.md, or prints what is only a part or a try."""
    (_common.show if args.quick or args.only else _common.write_section)(title, text)


def options(description):
    """The options of a comparison of two workers."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", nargs="*", help="cases whose names have one of these in them")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each")
    parser.add_argument("--seconds", type=float, default=2.0, help="least length of a turn")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, printed only")
    return parser


def main():
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?", type=Path, help="the older checkout")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(args.work, str(args.old), args.quick)
    if args.old is None or not (args.old / "rnnzoo").is_dir():
        parser.error(f"{args.old} is no checkout of rnnzoo")

    def workers(case):
        return {
            "old": Worker(args.old.resolve(), case, args.quick),
            "new": Worker(_common.ROOT, case, args.quick),
        }

    rows = compare_all(CASES, workers, args)
    git = ["git", "-C", str(args.old), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    head = ["case", "old, ms", "new, ms", "old / new"]
    text = (
        f"Old is commit {commit}. Medians of {args.rounds} rounds.\n\n{_common.table(head, rows)}"
    )
    report("Old and new", text, args)


if __name__ == "__main__":
    main()
