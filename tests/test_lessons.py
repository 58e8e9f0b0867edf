"""The lessons: all of them run, in a fast mode; the notebooks are those of the Python files."""

import json
import runpy
from pathlib import Path

import matplotlib.pyplot
import pytest

FOLDER = Path(__file__).parents[1] / "lessons"
LESSONS = sorted(FOLDER.glob("*.py"))


@pytest.fixture
def run(monkeypatch):
    """Runs a lesson in its folder, in this process: TensorFlow takes seconds to start."""
    monkeypatch.chdir(FOLDER)
    matplotlib.use("agg")
    yield runpy.run_path
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_in_its_fast_mode(lesson, run, monkeypatch):
    if lesson.stem == "6_translator":
        pytest.importorskip("sacrebleu")
    monkeypatch.setenv("RNNZOO_FAST_LESSONS", "1")
    run(lesson.name)


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_whole_lesson_runs(lesson, run):
    run(lesson.name)


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
