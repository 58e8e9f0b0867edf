"""The dtype for a machine, and what a card says of the code that trained its model."""

import os
import shutil
import subprocess

import pytest

from rnnzoo import hardware


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_of_a_checkout(tmp_path, monkeypatch):
    code = tmp_path / "rnnzoo" / "hardware.py"
    code.parent.mkdir(parents=True)
    code.write_text("")
    monkeypatch.setattr(hardware, "__file__", str(code))
    assert hardware.commit() is None  # no checkout

    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)

    def git(*words):
        who = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    git("tag", "v1", "-a", "-m", "first")
    first = git("rev-parse", "HEAD")
    assert len(hardware.commit()) >= 7 and first.startswith(hardware.commit())
    code.write_text("changed")
    assert first.startswith(hardware.commit().removesuffix("-dirty")) and hardware.commit() != first
    assert hardware.commit().endswith("-dirty")
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert hardware.commit() is None


@pytest.mark.parametrize(
    ("flags", "dtype", "reason"),
    [
        ({"avx512f"}, "float32", "neither a GPU nor a CPU"),
        ({"avx512f", "avx512_bf16"}, "mixed_bfloat16", "AVX512_BF16"),
        ({"avx512f", "avx512_bf16", "amx_bf16"}, "mixed_bfloat16", "AMX"),
    ],
)
def test_bfloat16_where_the_processor_multiplies_it(monkeypatch, flags, dtype, reason):
    monkeypatch.setattr(hardware, "gpus", list)
    monkeypatch.setattr(hardware, "cpu_info", lambda: ("a processor", flags))
    chosen, why = hardware.resolve_dtype("auto")
    assert chosen == dtype
    assert reason in why
    assert hardware.resolve_dtype("float32") == ("float32", "the recipe asks for it")


def test_the_gpus_of_every_backend_are_listed():
    assert all(isinstance(name, str) for name in hardware.gpus())
