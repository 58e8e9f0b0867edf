"""The page of the founding systems shows what the runs left, and says what is missing."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rnnzoo import founding
from rnnzoo.data.corpus import Corpus
from rnnzoo.errors import InputError
from rnnzoo.founding import s3_from_scratch as s3
from rnnzoo.founding.folder import RunFolder

ROOT = Path(__file__).parents[2]
TRAINING = {
    "steps": 200, "steps_planned": 1000, "epochs": 2.0, "share": 0.2, "minutes": 1.234,
    "max_minutes": 1.5, "steps_per_second": 2.7, "stopped_by": "budget",
}  # fmt: skip


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(ROOT / "scripts"))
    import write_founding_page

    yield write_founding_page
    sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run as the founding systems leave it, without a training, and one of a recipe."""
    runs = tmp_path_factory.mktemp("trained")
    constants = replace(s3.PART_2, hidden_units=7)
    folder = RunFolder("s3_lstm", runs / "s3_lstm", seed=3, constants=constants)
    folder.log(step=100, loss=2.5)
    folder.log(step=200, loss=2.0)
    folder.curve("loss", ylabel="nats")
    folder.sample("step 100", "Who\n| is there?")
    folder.sample("step 200", "Nay, but quickly")
    folder.finish(
        None,
        data=Corpus("tiny", "documents", "A source.", "Free.", {"train": ["abc"]}),
        training=TRAINING,
        figures={
            "loss": 2.0,
            "position_1": 0.5,
            "matrix_bytes": 3 << 20,
            "samples": {"argmax": {"loop": "a|\n", "share": None}},
            "small_one": {"size": 1, "big_bytes": 1 << 20},
            "large_one": {"size": 2},
            "curve": [{"step": 12345}],
        },
    )
    record = {
        "figures": {"validation_loss": 1.4321987},
        "corpus": {"name": "tiny", "sha256": "0" * 64},
        "training": {
            "command": "python scripts/train_char_lstm.py --data-dir /my/disk --epochs 3 --out x",
            "seed": 4, "epochs": 3.0, "steps": 300, "best_step": 250, "minutes": 2.0,
            "stopped_by": None,
        },
        "model": {"arguments": {"units": 12}, "parameters": 3456},
        "machine": {"cpu": "A CPU", "cores": 2, "gpus": []},
        "versions": {"keras": "3", "jax": "0.7"},
        "date": "2026-11-22 12:00 UTC",
    }  # fmt: skip
    (runs / "char").mkdir()
    (runs / "char" / "metrics.json").write_text(json.dumps(record))
    return runs


@pytest.fixture
def write(script, runs, tmp_path):
    """Puts one block into a page and gives what then stands there."""

    def write(block, results=""):
        (tmp_path / "RESULTS.md").write_text(results)
        text = f"# Prose\n\n<!-- begin {block} -->\nold\n<!-- end -->\nmore prose\n"
        page = tmp_path / "page.md"
        written, absent = script.rewrite(text, page, runs, tmp_path / "RESULTS.md")
        assert written.startswith(f"# Prose\n\n<!-- begin {block} -->\n")
        assert written.endswith("<!-- end -->\nmore prose\n")
        again = script.rewrite(written, page, runs, tmp_path / "RESULTS.md")
        assert again == (written, absent)
        content = written.split("-->\n", 1)[1].split("<!-- end")[0]
        assert "old" not in content
        return content, absent

    return write


def test_a_run_with_all_that_a_figure_needs(write, runs, tmp_path):
    content, absent = write("run s3_lstm")
    summary = json.loads((runs / "s3_lstm" / "summary.json").read_text())
    command = "python scripts/run_founding_system.py s3_lstm --seed 3 --max-minutes 1.5"
    assert f"`{command} --set hidden_units=7`" in content
    assert "200 of 1,000 steps (20 %, 2 epochs) in 1.2 minutes: stopped by its budget." in content
    for fact in (summary["data"]["sha256"], summary["date"], summary["machine"]["cpu"]):
        assert fact in content
    assert "`learning_rate` 0.01" in content and "`hidden_units` 7" in content
    assert "| loss | 2 |" in content and "| matrix bytes | 3.0 MiB |" in content
    assert "|  | size | big bytes |" in content
    assert "| small one | 1 | 1.0 MiB |\n| large one | 2 | - |" in content
    assert "position" not in content and "12,345" not in content
    assert "| argmax | a\\|⏎ | - |" in content
    picture = tmp_path / "founding" / "s3_lstm_curve.png"
    assert picture.read_bytes() == (runs / "s3_lstm" / "curve.png").read_bytes()
    assert f"(founding/{picture.name})" in content
    assert "~~~~text\nNay, but quickly\n~~~~" in content and "Who" not in content
    assert not absent


def test_samples_are_chosen_by_their_place_or_title(write):
    content, _ = write("run s3_lstm; samples: first, step 200; pictures: none; figures: none")
    assert "Sample, step 100:\n\n~~~~text\nWho\n| is there?\n~~~~" in content
    assert "Nay" in content and "figure" not in content and "png" not in content


def test_the_training_of_a_recipe(write):
    content, _ = write("run char")
    assert "`python scripts/train_char_lstm.py --epochs 3`" in content  # no folder of this machine
    assert "300 steps (3 epochs) in 2.0 minutes: the whole run" in content
    assert "`units` 12" in content and "| validation loss | 1.432 |" in content


def test_runs_side_by_side(write):
    content, absent = write("compare s3_lstm, s3_gone; figures: loss, other")
    assert "| `s3_lstm` | 1.2 | 2 | - |" in content
    assert "| `s3_gone` | **missing** | - | - |" in content
    assert absent == ["s3_gone"]


def test_what_is_missing_is_said_to_be(write):
    content, absent = write("run s3_vanilla_rnn")
    assert "**Missing**" in content and "run_founding_system.py s3_vanilla_rnn`" in content
    assert absent == ["s3_vanilla_rnn"]
    assert "`make it`" in write("run other; by: make it")[0]
    assert "**Missing**" in write("section Speed")[0]


def test_a_section_of_the_results(write):
    content, _ = write("section Speed", "# Results\n\n## Speedy\n\nno\n\n## Speed\n\nyes\n\n## X\n")
    assert content.strip() == "yes"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("walk s3_lstm", "write run, compare or section"),
        ("run s3_lstm; samples: step 300", "no sample called 'step 300'; it has 'step 100'"),
        ("run s3_lstm; pictures: other.png", "no picture 'other.png'; it has curve.png"),
        ("run s3_lstm; pictures", "needs options"),
    ],
)
def test_mistakes(write, block, message):
    with pytest.raises(InputError, match=message):
        write(block)


def test_a_block_without_an_end(script, tmp_path):
    for text in (
        "<!-- begin run a -->\n",
        "<!-- begin run a -->\n<!-- begin run b -->\n<!-- end -->",
    ):
        with pytest.raises(InputError, match="end -->"):
            script.rewrite(text, tmp_path / "page.md", tmp_path, tmp_path / "none.md")


def test_the_command_line(script, runs, tmp_path):
    page = tmp_path / "founding_s9.md"
    page.write_text(
        "<!-- begin run s3_lstm -->\n<!-- end -->\n<!-- begin run s3_gru; by: x -->\n<!-- end -->\n"
    )
    app = typer.Typer()
    app.command()(script.main)
    done = CliRunner().invoke(app, ["--runs", str(runs), "--docs", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "Missing runs: s3_gru." in done.output and "hidden_units=7" in page.read_text()


PAGES = {
    page.stem: page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("founding_*.md")
}


def test_the_small_tables_are_of_the_large_one():
    rows = {line for line in PAGES["founding_systems"].splitlines() if line.startswith("| S")}
    assert len(rows) > 30
    for number in range(5):
        own = {line for line in rows if line.startswith(f"| S{number}")}
        small = {re.sub(rf"^\| S{number}(, |: )", "| ", line) for line in own}
        assert small and small <= set(PAGES[f"founding_s{number}"].splitlines())


def test_every_system_is_on_a_page(script):
    page = "\n".join(PAGES.values())
    named = {name for _, settings, _, _ in script.BLOCK.findall(page) for name in words(settings)}
    assert set(founding.names()) <= named


def words(settings):
    return settings.replace(",", " ").replace(";", " ").split()
