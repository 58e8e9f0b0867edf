"""What only a process of its own shows: time, pipes that are closed, interrupts."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(*words, run=("-m", "rnnzoo_cli"), **options):
    # As a user has it: the package is quiet by itself.
    clean = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.Popen(
        [sys.executable, *run, *map(str, words)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**clean, "PYTHONPATH": str(ROOT)}, **options,
    )  # fmt: skip


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds_of_help(cwd):
    before = processor_seconds()
    shown, _ = start("--help", cwd=cwd).communicate()
    return processor_seconds() - before, shown


def test_help_takes_less_time_than_loading_what_draws_it(tmp_path):
    """Machines and what else they do differ: the measure is a program that loads Typer and Rich."""
    seconds, others = [], []
    while len(seconds) < 5 and min(seconds, default=1) >= min(others, default=0):
        took, shown = seconds_of_help(tmp_path)
        seconds.append(took)
        before = processor_seconds()
        start("-c", "import typer.main, typer.rich_utils", run=(), cwd=tmp_path).communicate()
        others.append(processor_seconds() - before)
    assert min(seconds) < min(others)
    for command in ("list", "card", "train", "generate", "translate", "score", "evaluate",
                    "export", "kernels", "founding"):  # fmt: skip
        assert f"\n  {command} " in shown
    assert "Examples:\n    rnnzoo list\n" in shown


@pytest.mark.slow  # only says something on a machine that does nothing else
def test_help_takes_under_a_third_of_a_second(tmp_path):
    assert min(seconds_of_help(tmp_path)[0] for _ in range(5)) < 0.3


def test_the_zoo_is_listed_and_completed_without_keras(tmp_path):
    code = (
        "import sys, rnnzoo_cli\n"
        "from rnnzoo_cli.options import complete_model\n"
        "from rnnzoo_cli.train import complete_recipe\n"
        "assert complete_model('char_lstm_shakespeare') and complete_recipe('imdb') == []\n"
        "for words in (['list'], ['list', '--json'], ['card', 'char_lstm_shakespeare_small']):\n"
        "    rnnzoo_cli.app(words, standalone_mode=False)\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)\n"
    )
    with start("-c", code, run=(), cwd=tmp_path) as process:
        shown, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "char_lstm_shakespeare_small" in shown


def test_a_pipe_is_answered_line_by_line_and_may_be_closed_early(writer, tmp_path):
    _, path = writer
    with start("score", path, "--json", cwd=tmp_path) as process:
        process.stdin.write("to be\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())  # while stdin is still open
        process.stdout.close()
        process.stdin.write("not to be\nthat is\n")
        process.stdin.close()
        assert process.stderr.read() == ""
    assert answer["tokens"] == 4 and process.returncode == 0


@pytest.mark.parametrize("place", ["rnnzoo_cli.running.look_at_devices", "rnnzoo.zoo.load"])
def test_ctrl_c(call, writer, monkeypatch, place):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)
    done = call("score", writer[1], "to be")
    assert done.exit_code == 130 and done.stderr == "Error: Aborted.\n"
