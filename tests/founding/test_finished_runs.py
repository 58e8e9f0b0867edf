"""The rows that benchmarks/founding.py makes of finished runs."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def runs(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import _founding_runs

    yield _founding_runs
    del sys.modules["_founding_runs"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "log.csv").write_text("minutes,loss\n1,6\n2,1\n3,5\n4,3\n5,2\n6,\n")
    return tmp_path


def test_the_first_row_as_good_as_the_goal(runs, folder):
    values = runs.values_of(folder, "loss")
    assert runs.minutes_to(*values, goal=3, rising=False) == 2
    assert runs.minutes_to(*values, goal=0.5, rising=False) is None
    assert runs.minutes_to(*values, goal=6, rising=True) == 1


def test_means_over_a_walk_are_not_fooled_by_one_easy_row(runs, folder):
    means, minutes = runs.values_of(folder, "loss", walks=2.5)  # two rows a walk
    np.testing.assert_allclose(means, [3.5, 3, 4, 2.5])
    assert minutes == [2, 3, 4, 5]
    assert runs.minutes_to(means, minutes, goal=2.5, rising=False) == 5
