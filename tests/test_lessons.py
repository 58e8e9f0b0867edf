"""The lessons: they run, with the figures that they had; the notebooks are those of the files."""

import json
import runpy
from pathlib import Path

import matplotlib.pyplot
import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "lessons"
LESSONS = sorted(FOLDER.glob("*.py"))

# Of each lesson in its fast mode: an expression of its variables, its value, and by how much of it
# another machine may differ. Sums in another order change a training by less than 2 %.
FIGURES = {
    "1_by_hand": {
        "losses[0]": (2.68972, 1e-5),
        "np.mean(losses[-20:])": (0.04402, 0.02),
    },
    "2_gates": {
        "reaches['LSTM'][20] / reaches['LSTM'][0]": (0.014935, 1e-3),
        "reaches['SimpleRNN'][20] / reaches['SimpleRNN'][0]": (4.8254e-4, 1e-3),
        "right['LSTM']": (0.998, 0.02),
        "by_character.mean()": (0.52954, 1e-4),
    },
    "3_shakespeare": {
        "len(vocabulary)": (58, 0),
        "len(windows) / len(train)": (468 / 14, 0),
        "history.history['val_loss'][-1]": (3.1956, 0.01),
        "nats(pieces) - nats(whole)": (0.00658, 0.3),
        "entropy(model, 'th')": (3.2449, 0.02),
    },
    "4_reviews": {
        "unknown": (0.119476, 1e-5),
        "padded": (0.259703, 1e-5),
        "baselines[2]": (35.9281, 1e-5),
        "baselines[3]": (35.0655, 1e-5),
        "perplexity": (67.11, 0.02),
    },
    "5_numbers": {
        "int(corpus.pairs[0][1])": (936, 0),
        "model.history.history['loss'][-1]": (2.3884, 0.01),
        "without.history.history['loss'][-1]": (2.3824, 0.01),
    },
    "6_translator": {
        "best[0].score": (-1.31596, 1e-3),
        "translation_quality(greedy, list(references))['bleu']": (65.2530, 1e-3),
        "translation_quality(beam, list(references))['bleu']": (70.9886, 1e-3),
        "weights.max()": (0.77811, 1e-3),
    },
    "7_your_text": {
        "record['figures']['nats_per_character']": (3.6513, 0.01),
        "longest_copy('the white rabbit', text)": (8, 0),
    },
}


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
    variables = {**run(lesson.name), "np": np}
    for figure, (value, tolerance) in FIGURES[lesson.stem].items():
        assert eval(figure, variables) == pytest.approx(value, rel=tolerance, abs=0), figure


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
    assert "[![Open in Colab]" in theirs[0][1]
    first = next(source for kind, source in theirs if kind == "code")
    assert first.startswith("%pip install -q ") and "rnnzoo" in first
