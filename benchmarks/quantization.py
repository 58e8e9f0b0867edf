"""What int8 costs: figures of published models, before and after `quantize("int8")`.

    python benchmarks/quantization.py                              # all of them, half an hour
    python benchmarks/quantization.py char_lstm_shakespeare_small

Each model is measured twice as `rnnzoo evaluate` does it: on the data that its figure is of, found
in `RNNZOO_DATA_DIR` (`../shared/data` beside the checkout where it is not set). The size is that of
the saved model without the state of an optimizer. The rows become a section of RESULTS.md.
"""

import argparse
import tempfile
from pathlib import Path

import _common
import _processes  # noqa: F401 (names the folder of the real corpora)

import rnnzoo
from rnnzoo import zoo
from rnnzoo.publishing.evaluate import make_task, read_record


def kibibytes(model):
    """The size of the saved model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.compile(optimizer="sgd")
        model.save(path)
        return path.stat().st_size // 1024


def row(name):
    """The row of one model."""
    record, model = read_record(zoo.find(name).parent), rnnzoo.load(name)
    task = make_task(record, model, "test" if "test" in record else "validation")
    figure, sizes, values = zoo.index()[name].figure, [kibibytes(model)], []
    values.append(task.evaluate(model)[figure["name"]])
    model.quantize("int8")
    sizes.append(kibibytes(model))
    values.append(task.evaluate(model)[figure["name"]])
    told = [f"{value:.4f}" for value in values]
    return [name, f"{figure['name']} ({figure['split']})", *told, *sizes]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="names of the zoo [all of them]")
    args = parser.parse_args()
    head = ["model", "figure", "as published", "int8", "KiB", "KiB, int8"]
    rows = []
    for name in args.models or rnnzoo.list_models():
        rows.append(row(name))
        print(*rows[-1], sep=" | ", flush=True)
        _common.write_section("What int8 costs", _common.table(head, rows))


if __name__ == "__main__":
    main()
