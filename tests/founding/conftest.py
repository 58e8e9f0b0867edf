"""What the tests of whole runs share."""

import csv
import json

import pytest

from rnnzoo import founding


@pytest.fixture(scope="module")
def results(texts, tmp_path_factory):
    """The folder of each system, run once on the module's `texts`."""
    folders = {}

    def result(name):
        if name not in folders:
            out = tmp_path_factory.mktemp("runs") / name
            folders[name] = founding.run(
                name, out=out, data_dir=texts, seed=5, tiny=True,
                max_minutes=5,  # the tiny ones' own 12 seconds may not do on a busy machine
            )  # fmt: skip
        return folders[name]

    return result


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def rows_of(folder):
    with open(folder / "log.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
