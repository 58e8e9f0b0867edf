"""The lessons: all of them run, in a fast mode; the notebooks are those of the Python files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "lessons"
LESSONS = sorted(FOLDER.glob("*.py"))


def run(lesson, **environment):
    done = subprocess.run(
        [sys.executable, lesson.name], cwd=FOLDER, capture_output=True, text=True,
        env={**os.environ, "MPLBACKEND": "agg", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_in_its_fast_mode(lesson):
    if lesson.stem == "6_translator":
        pytest.importorskip("sacrebleu")
    run(lesson, RNNZOO_FAST_LESSONS="1")


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_whole_lesson_runs(lesson):
    run(lesson)


def test_there_are_seven():
    assert [lesson.stem[0] for lesson in LESSONS] == list("1234567")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_the_notebook_is_that_of_the_file(lesson):
    jupytext = pytest.importorskip("jupytext")
    ours = jupytext.read(lesson)
    cells = json.loads(lesson.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    theirs = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    assert [(cell.cell_type, cell.source) for cell in ours.cells] == theirs
    text = lesson.read_text(encoding="utf-8")
    for part in ("After this lesson you will be able to", "<details>", "## Exercises", "teacher"):
        assert part in text
