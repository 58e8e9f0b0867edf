"""The scripts, called as a user calls them: one in a process of its own, the others in this one."""

import errno
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

SCRIPTS = Path(__file__).parents[1] / "scripts"
NAMES = ("train_char_lstm", "train_imdb_lm", "train_translator", "generate", "export_saved_model")


@pytest.fixture(scope="module")
def call():
    """Calls a script in this process: `call("generate", arguments...)`."""
    sys.path.insert(0, str(SCRIPTS))

    def run(name, *arguments):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command()(importlib.import_module(name).main)
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    yield run
    sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from rnnzoo import Vocabulary, char_lstm

    path = tmp_path_factory.mktemp("model") / "model.keras"
    char_lstm(Vocabulary.from_text("to be or not to be, that is"), units=8, num_layers=1).save(path)
    return path


def in_a_process(name, *arguments, cwd):
    # As a user has it: the package is quiet by itself.
    clean = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(SCRIPTS.parent)},
        timeout=300,
    )


def test_a_training_from_the_command_line(tmp_path):
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question. " * 60)
    done = in_a_process(
        "train_char_lstm", "--recipe", "char_lstm_tiny", "--text-file", "text.txt",
        "--epochs", 1, "--seed", 3, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "saved_models" / "char_lstm_tiny"
    written = (folder / "metrics.json").read_text()
    card, record = (folder / "card.md").read_text(), json.loads(written)
    assert record["training"]["seed"] == 3
    assert (
        "python scripts/train_char_lstm.py --recipe char_lstm_tiny --text-file text.txt "
        "--epochs 1 --seed 3\n"
    ) in card
    for private in (str(tmp_path), str(SCRIPTS)):
        assert private not in card + written
    assert f"{record['figures']['bits_per_character']:.4f}" in done.stdout
    assert "cuInit" not in done.stderr and "oneDNN custom" not in done.stderr  # TensorFlow


@pytest.mark.parametrize("name", NAMES)
def test_help_teaches_at_once(name, tmp_path):
    seconds = []
    while len(seconds) < 3 and min(seconds, default=3) >= 3:  # others may use the machine
        start = time.monotonic()
        done = in_a_process(name, "--help", cwd=tmp_path)
        seconds.append(time.monotonic() - start)
    assert done.returncode == 0
    assert min(seconds) < 3  # TensorFlow is not imported
    assert "Examples:" in done.stdout and f"python scripts/{name}.py" in done.stdout


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("train_char_lstm", ["--recipe", "char_lstm_tinny"], "did you mean 'char_lstm_tiny'"),
        ("train_char_lstm", ["--text-file", "absent.txt"], "There is no file or folder absent.txt"),
        ("train_char_lstm", ["--recipe", "spelled_numbers"], "No recipe of this script"),
        ("train_translator", ["--recipe", "spelled_numbers_tiny", "--epochs", 0], "`epochs`"),
        ("train_imdb_lm", ["--recipe", "imdb_lm_tiny", "--data-dir", "absent"], "absent"),
        ("train_imdb_lm", ["--recipe", "imdb_lm_tiny", "--resume"], "no training to resume"),
        ("generate", ["absent.keras", "to be"], "no model at 'absent.keras'"),
        ("generate", ["MODEL"], "no text to go on from"),
        ("generate", ["MODEL", "TO BE"], "'B'"),
        ("generate", ["MODEL", "to be", "--temperature", -1], "temperature"),
        ("generate", ["MODEL", "to be", "--sampler", "gredy"], "did you mean 'greedy'"),
        ("generate", ["MODEL", "to be", "--max-new-tokens", 0], "max_new_tokens"),
        ("generate", ["MODEL", "to be", "--beam-width", 5], "leave out --beam-width"),
        ("export_saved_model", ["trained/absent", "out"], "no model at 'trained/absent'"),
        ("export_saved_model", ["MODEL", "MODEL"], "is a file"),
        ("export_saved_model", ["MODEL", "/proc/rnnzoo"], "cannot be written"),
        ("export_saved_model", ["MODEL", "out", "--beam-width", 5], "`beam_width` (5) goes with"),
    ],
)
def test_mistakes_are_told_in_one_sentence(
    call, model, name, arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = call(name, *(model if argument == "MODEL" else argument for argument in arguments))
    assert done.exit_code == 2
    assert message in done.stderr and done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_in_one_sentence(call, model, monkeypatch):
    from rnnzoo import zoo

    def full(path):
        raise OSError(28, "No space left on device", "saved_models/x")

    monkeypatch.setattr(zoo, "load", full)
    done = call("generate", model, "to be")
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: saved_models/x: No space left on device")


def test_a_disk_that_fills_during_a_training(call, tmp_path, monkeypatch):
    from rnnzoo import LanguageModel

    def full(self, path):
        Path(path).write_bytes(b"half a model")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(LanguageModel, "save", full)
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("to be or not to be, that is the question. " * 60)
    Path("out").mkdir()
    Path("out/model.keras").write_bytes(b"an earlier model")
    done = call(
        "train_char_lstm", "--recipe", "char_lstm_tiny", "--text-file", "text.txt",
        "--epochs", 1, "--out", "out", "--overwrite",
    )  # fmt: skip
    assert done.exit_code == 2
    error = done.stderr.splitlines()[-1]
    assert error.startswith("Error: ") and "No space left on device" in error
    assert Path("out/model.keras").read_bytes() == b"an earlier model"
    assert not [path for path in Path("out").rglob("*") if ".partial." in path.name]


def test_generate_writes_what_the_model_writes(call, model, tmp_path):
    from rnnzoo import zoo

    (tmp_path / "prompts.txt").write_text("that\n\nnot\n")
    done = call(
        "generate", model, "to be", "--text-file", tmp_path / "prompts.txt",
        "--max-new-tokens", 9, "--temperature", 0.5, "--seed", 7,
    )  # fmt: skip
    prompts = ["to be", "that", "not"]
    written = zoo.load(model).generate(prompts, 9, temperature=0.5, seed=7)
    first, *rest = [f"{prompt}{text}\n" for prompt, text in zip(prompts, written, strict=True)]
    expected = f"{first}{rest[0]}\n{rest[1]}"  # a blank line for the blank one
    assert done.exit_code == 0, done.stderr
    assert done.stdout == expected


def test_generate_translates_with_a_beam(call, tmp_path, monkeypatch):
    from rnnzoo import Seq2Seq, Vocabulary, gru_seq2seq

    vocabulary = Vocabulary.from_text("one two", special_tokens=("<pad>", "<start>", "<end>"))
    gru_seq2seq(vocabulary, vocabulary, units=4).save(tmp_path / "translator.keras")
    monkeypatch.setattr(Seq2Seq, "translate", lambda self, texts, **given: [f"{texts} {given}"])
    done = call("generate", tmp_path / "translator.keras", "one two", "--beam-width", 3)
    assert done.stdout == "['one two'] {'max_new_tokens': None, 'beam_width': 3}\n", done.stderr


def test_export(call, model, tmp_path, monkeypatch):
    from rnnzoo.models.base import ZooModel

    calls = []
    monkeypatch.setattr(ZooModel, "export", lambda self, *out, **given: calls.append((*out, given)))
    for options in ([], ["--beam-width", 4], ["--beam-width", 2, "--length-penalty", 1.5]):
        done = call("export_saved_model", model, tmp_path / "out", *options)
        assert done.exit_code == 0, done.stderr
    given = [{}, {"beam_width": 4}, {"beam_width": 2, "length_penalty": 1.5}]
    assert calls == [(tmp_path / "out", one) for one in given]


def test_a_line_out_for_each_line_in(call, tmp_path, monkeypatch):
    from rnnzoo import Seq2Seq, Vocabulary, gru_seq2seq

    vocabulary = Vocabulary.from_text("a b", special_tokens=("<pad>", "<start>", "<end>"))
    gru_seq2seq(vocabulary, vocabulary, units=4).save(tmp_path / "translator.keras")
    echo = lambda self, texts, **given: [f"<{text}\nx\r>" for text in texts]  # noqa: E731
    monkeypatch.setattr(Seq2Seq, "translate", echo)
    lines = ["a", "", "b\u2028c", " \t", "d\fe\x85f\x1cg", "h", "", "i\rj"]
    for newline in ("\n", "\r\n"):
        for end in ("", newline):
            content = "\ufeff" + newline.join(lines) + end
            (tmp_path / "in.txt").write_bytes(content.encode())
            done = call("generate", tmp_path / "translator.keras", "--text-file",
                        tmp_path / "in.txt")  # fmt: skip
            assert done.exit_code == 0, done.stderr
            expected = [f"<{line}\\nx\\r>" if line.strip() else "" for line in lines]
            expected[-1] = expected[-1].replace("i\r", "i\\r")
            assert done.stdout.split("\n") == [*expected, ""]
    (tmp_path / "blank.txt").write_text("\n\n")
    done = call("generate", tmp_path / "translator.keras", "--text-file", tmp_path / "blank.txt")
    assert done.exit_code == 0 and done.stdout == "\n\n"
