"""What reaches the terminal: every text as it can be written, and no log of TensorFlow's start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnzoo.terminal import LOG_LINE, stderr_without

ROOT = Path(__file__).parents[1]


def in_a_process(code, **environment):
    clean = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=ROOT,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr.decode("ascii", "replace")


def test_nothing_precedes_the_first_answer():
    code = (
        "import rnnzoo; v = rnnzoo.Vocabulary.from_text('to be');"
        "print(len(rnnzoo.char_lstm(v, units=8, num_layers=1).generate('to', 3)) > 0)"
    )
    assert in_a_process(code) == (0, b"True\n", "")


def test_an_error_during_the_import_is_not_hidden(tmp_path):
    (tmp_path / "keras.py").write_text(
        "import os\nos.write(2, b'I0000 00:00:1 f.cc:1] hi\\nE0000 00:00:1 f.cc:1] broken\\n')\n"
        "raise ImportError('no library')\n"
    )
    code, out, error = in_a_process("import rnnzoo", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert code == 1 and out == b"" and "no library" in error
    assert "] broken" in error and "] hi" not in error


def test_only_the_log_is_left_out(capfd):
    with stderr_without(LOG_LINE):
        os.write(2, b"W0000 00:00:17 a.cc:1] slow\n2026-11-26 10:00:00.123: I tensorflow] hi\n")
        os.write(2, b"E0000 00:00:17 a.cc:1] broken\nWARNING: mine\nno newline")
    assert capfd.readouterr().err == "E0000 00:00:17 a.cc:1] broken\nWARNING: mine\nno newline"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_terminal_that_lacks_symbols(encoding):
    text = "ω“é\\ud800"
    code = (
        "from rnnzoo.terminal import write_any_text, say_what_was_escaped as say\n"
        f"write_any_text(); print('a {text} b'); say()"
    )
    status, out, error = in_a_process(code, PYTHONIOENCODING=encoding, KERAS_BACKEND="jax")
    expected = "a ω“é\ud800 b".encode(encoding, "backslashreplace")
    assert (status, out.strip()) == (0, expected), error
    assert f"the encoding {encoding} of this terminal or pipe lacks" in error
    assert ("'\\u03c9'" in error) == (encoding != "utf-8") and "'\\ud800'" in error


@pytest.mark.slow
def test_a_training_in_an_ascii_terminal(tmp_path):
    (tmp_path / "text.txt").write_text("ωμέγα και άλφα, " * 300, "utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/train_char_lstm.py", "--recipe", "char_lstm_tiny",
         "--text-file", "text.txt", "--epochs", "1", "--out", "ω"],
        capture_output=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert rb"\u03c9" in done.stdout and b"ascii of this terminal or pipe lacks" in done.stderr
    card = (tmp_path / "ω" / "card.md").read_text("utf-8")
    assert card.startswith("# text\n\nA character LSTM of text.txt.\n")
    samples = (tmp_path / "ω" / "samples.txt").read_text("utf-8")
    assert "--- sample, after epoch 1 ---\nωμ" in samples
