"""The commands of README, docs and help texts: all are read, the quick and the first ones run."""

import json
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import rnnzoo_cli

ROOT = Path(__file__).parents[2]
PAGES = {
    page.name: page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGES["command_line.md"], re.DOTALL)
EXAMPLES = [line for block in BLOCKS for line in block.splitlines()]
VARIABLES = {"$resume": "--resume", "$SLURM_NTASKS": "4", "$out": "romeo"}  # of scale.md
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


def commands(page):
    """The lines of a page's code that begin with `rnnzoo`, alone or behind another command."""
    text = PAGES[page].replace("\\\n", " ")
    fenced = re.findall(r"^```(?:sh|bash|yaml)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    code = "\n".join([*fenced, *re.findall(r"(?:^ {4}\S.*\n)+", text, re.MULTILINE)])
    for line in re.findall(r"^ *(?:srun |exec )?(rnnzoo \w.*)$", code, re.MULTILINE):
        for name, value in VARIABLES.items():
            line = line.replace(name, value)
        yield line


def parsed(example):
    """Reads an example as the command would, without running it."""
    words = shlex.split(re.split(r" [<>|] ", example)[0], comments=True)
    group = typer.main.get_command(rnnzoo_cli.app)
    return group.commands[words[1]].make_context(words[1], words[2:])


@pytest.mark.parametrize("example", [*EXAMPLES, *of_help()])
def test_every_example_can_be_typed(example):
    *_, command = example.split(" | ")  # of a pipe, the last
    if command.startswith("rnnzoo "):
        parsed(command)


@pytest.mark.parametrize("page", [page for page in PAGES if [*commands(page)]])
def test_every_command_of_a_page_can_be_typed(page):
    for command in commands(page):
        parsed(command)


def test_what_pages_install_and_start_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = "\n".join(PAGES.values())
    for extras in re.findall(r"(?:rnnzoo|'-e \.|'\.)\[([\w,]+)\]'", text):
        assert {*extras.split(",")} <= {*project["optional-dependencies"]}
    scripts = re.findall(r"python ((?:scripts|benchmarks)/\w+\.py)", text)
    assert scripts and all((ROOT / script).is_file() for script in scripts)


def script_of(kind):
    """What a cluster would run of docs/scale.md, and the environment that it would set."""
    (block,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGES["scale.md"], re.DOTALL | re.MULTILINE)
    if kind == "bash":
        return block, {"SLURM_NTASKS": "4"}
    yaml = pytest.importorskip("yaml")
    (job,) = yaml.safe_load(block)["spec"]["replicatedJobs"]
    pod = job["template"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert container["command"] == ["sh", "-c"]
    (script,) = container["args"]
    return script, {}


@pytest.mark.parametrize("kind", ["bash", "yaml"])
def test_the_script_for_a_cluster_starts_and_then_resumes(kind, tmp_path):
    """With stand-ins for `srun` and `rnnzoo`, as there is no cluster: the shell's part is real."""
    script, variables = script_of(kind)
    for name, does in {"srun": 'exec "$@"', "rnnzoo": 'printf "%s\\n" rnnzoo "$@"'}.items():
        stand_in = tmp_path / name
        stand_in.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    variables = {**variables, "PATH": path, "SLURM_SUBMIT_DIR": str(tmp_path)}
    out = tmp_path / "romeo"
    script = script.replace("/shared/romeo", str(out))
    for checkpoint in (False, True):
        if checkpoint:
            (out / "checkpoint").mkdir(parents=True)
            (out / "checkpoint" / "last.keras").touch()
        words = subprocess.run(
            ["bash" if kind == "bash" else "sh", "-c", script],
            env=variables, check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        given = parsed(shlex.join(words)).params
        assert given["recipe"] == "char_lstm_shakespeare" and given["processes"] == 4
        assert Path(given["out"]) == out and given["resume"] is checkpoint


@pytest.mark.slow
def test_the_first_commands_run_one_after_the_other(tmp_path, monkeypatch):
    """Those that README gives for a text of one's own, as they stand, on a short text."""
    monkeypatch.chdir(tmp_path)
    Path("my_novel.txt").write_text("It was a dark and stormy night.\n" * 200, encoding="utf-8")
    own = [command for command in commands("README.md") if "my_novel" in command]
    assert [command.split()[1] for command in own] == ["train", "generate", "export"]
    for command in own:
        done = CliRunner().invoke(rnnzoo_cli.app, shlex.split(command, comments=True)[1:])
        assert done.exit_code == 0, done.stderr
    assert Path("my_novel.html").stat().st_size > 10_000


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


# They need minutes and the real corpora, or go on until they are stopped; tests/test_cli.py,
# tests/serve and tests/founding have them.
ELSEWHERE = ("evaluate", "serve", "founding")
HERE = {
    page: [each for each in commands(page) if each.split()[1] not in ELSEWHERE]
    for page in PAGES
    if page not in ("README.md", "command_line.md", "scale.md")
}


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, lines in HERE.items() if lines])
def test_the_commands_of_a_page_run(page, tmp_path, monkeypatch):
    """One after the other, as they stand, on short texts."""
    from rnnzoo import Vocabulary, word_lm, zoo

    small = zoo.load("char_lstm_shakespeare_small")
    line = "".join(sorted(small.vocabulary.tokens, reverse=True)) + "\n"  # no symbol is missing
    text = "It was the best of times, it was the worst of times.\n" * 250 + 20 * line
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RNNZOO_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name in ("my_novel.txt", "sonnets.txt", "tinyshakespeare.txt"):
        Path(name).write_text(text, encoding="utf-8")
    for name, model in {
        "other": small,
        "my_language_model": word_lm(Vocabulary.from_text(text, level="word"), units=8),
    }.items():
        Path("trained", name).mkdir(parents=True)
        model.save(Path("trained", name, "model.keras"))
    reviews = [
        {"text": f"It was the {('worst', 'best')[n % 2]} of {n} times.", "label": n % 2}
        for n in range(80)
    ]
    Path("imdb").mkdir()
    for split in ("train", "test"):
        Path("imdb", f"{split}.jsonl").write_text("\n".join(map(json.dumps, reviews)))
    rows = [f"{review['text']},{review['label']}\n" for review in reviews]
    Path("mails.csv").write_text("".join(["text,label\n", *rows]))
    for command in HERE[page]:
        done = CliRunner().invoke(rnnzoo_cli.app, shlex.split(command, comments=True)[1:])
        assert done.exit_code == 0, (command, done.stderr)
