"""The examples of docs/command_line.md and of the help texts: all are read, the quick ones run."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import rnnzoo_cli

PAGE = Path(__file__).parents[2] / "docs" / "command_line.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
EXAMPLES = [line for block in BLOCKS for line in block.splitlines()]
RUN = {  # and what it prints
    'rnnzoo list "char_*"': "char_lstm_shakespeare_small",
    "rnnzoo card char_lstm_shakespeare_small": "# char_lstm_shakespeare_small",
    "rnnzoo train --list": "char_lstm_tiny",
    'rnnzoo generate char_lstm_shakespeare_small "ROMEO:" --temperature 0.8 --seed 1 '
    "--max-new-tokens 100": "ROMEO:",
    'rnnzoo score char_lstm_shakespeare_small "To be, or not to be: that is the aardvark."': (
        "[aardvark.: "
    ),
    'rnnzoo inspect char_lstm_shakespeare_small "To be, or not to be"': "instead",
    "rnnzoo kernels char_lstm_shakespeare_small": "recurrent/lstm_1",
    "rnnzoo founding --list": "s3_vanilla_rnn",
}
SLOW = [
    line
    for line in EXAMPLES
    if line.startswith(("rnnzoo translate", "rnnzoo export", "rnnzoo inspect"))
]


def of_help():
    """The examples of the help texts, each on one line."""
    for command in rnnzoo_cli.COMMANDS.values():
        examples = command.__doc__.partition("Examples:\n")[2]
        for example in re.split(r"\n\s*\n", examples.strip()):
            yield " ".join(example.split())


def parsed(example):
    """Reads an example as the command would, without running it."""
    words = shlex.split(re.split(r" [<>|] ", example)[0])
    group = typer.main.get_command(rnnzoo_cli.app)
    return group.commands[words[1]].make_context(words[1], words[2:])


@pytest.mark.parametrize("example", [*EXAMPLES, *of_help()])
def test_every_example_can_be_typed(example):
    *_, command = example.split(" | ")  # of a pipe, the last
    if command.startswith("rnnzoo "):
        parsed(command)


def test_every_command_has_an_example():
    shown = {line.split()[1] for line in EXAMPLES}
    assert shown == set(rnnzoo_cli.COMMANDS)
    assert {line.split(" | ")[-1].split()[1] for line in of_help() if "rnnzoo" in line} == shown


@pytest.mark.parametrize("example", RUN)
def test_quick_examples_run(example, tmp_path, monkeypatch):
    assert example in EXAMPLES
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(rnnzoo_cli.app, shlex.split(example)[1:])
    assert done.exit_code == 0, done.stderr
    assert RUN[example] in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("example", SLOW)
def test_other_examples_run(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(rnnzoo_cli.app, shlex.split(example)[1:])
    assert done.exit_code == 0, done.stderr
