"""Several processes train one model: on this machine, over the loopback, on Keras's JAX backend."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import keras
import numpy as np
import pytest

import rnnzoo
from rnnzoo.data import document_batches, stream_batches
from rnnzoo.errors import InputError
from rnnzoo.training import processes
from tests.export.models import decoded, export
from tests.training.test_exact_resume import result

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="starts JAX itself")


def start(folder, case, count):
    """Starts all processes of a training; returns them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).with_name("in_a_process.py")
    around = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "jax"}
    return [
        subprocess.Popen(
            [sys.executable, script, *map(str, (folder, case, count, number, port))],
            env=around, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for number in range(count)
    ]  # fmt: skip


def finish(started):
    """Waits for all; returns what they printed and their exit codes."""
    printed = [process.communicate()[0] for process in started]
    return printed, [process.returncode for process in started]


@pytest.fixture
def pretend(monkeypatch):
    """Makes this process the last of several, each with one device."""

    def be_the_last_of(count):
        monkeypatch.setattr(processes, "count", lambda: count)
        monkeypatch.setattr(jax, "process_count", lambda: count)
        monkeypatch.setattr(jax, "device_count", lambda: count)
        monkeypatch.setattr(jax, "process_index", lambda: count - 1)

    return be_the_last_of


def test_a_process_reads_its_rows_of_each_batch(pretend):
    pretend(2)
    whole = stream_batches(range(41), 4, 5)
    for (inputs, *rest), (own, *its) in zip(whole, processes.own_rows(whole), strict=True):
        for all_rows, mine in zip([*inputs.values(), *rest], [*own.values(), *its], strict=True):
            np.testing.assert_array_equal(mine, all_rows[2:])


def test_a_part_batch_is_filled_up_with_rows_that_do_not_count(pretend):
    pretend(4)
    batches = processes.own_rows(document_batches([[1, 2, 3]] * 5, 5, shuffle=False))
    ((tokens, targets, weights),) = batches  # rows 6 and 7 of 5
    assert tokens.shape == targets.shape == weights.shape == (2, 2)
    assert not weights.numpy().any()


def test_what_cannot_be_is_said(pretend):
    for number in (None, -1, 2):
        with pytest.raises(InputError, match="from 0 to 1, not"):
            processes.join(2, process_id=number, coordinator="127.0.0.1:1")
    with pytest.raises(InputError, match="set KERAS_BACKEND=jax"):
        processes.join(2, process_id=0, coordinator="127.0.0.1:1")
    pretend(3)
    with pytest.raises(InputError, match="4 rows of a stream cannot be shared evenly by 3"):
        processes.own_rows(stream_batches(range(41), 4, 5))


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_processes_train_as_one(count, tmp_path):
    found = []
    for number in (1, count):
        folder = tmp_path / str(number)
        folder.mkdir()
        printed, codes = finish(start(folder, "fit", number))
        assert codes == [0] * number, printed
        with np.load(folder / "weights.npz") as weights:
            found.append([weights[name] for name in weights.files])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)


@pytest.mark.slow
def test_one_is_killed_and_all_resume(tmp_path):
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question. " * 30)
    printed, codes = finish(start(tmp_path / "whole", "recipe", 2))
    assert codes == [0, 0], printed
    started = start(tmp_path / "cut", "killed", 2)
    assert started[1].wait() == -9
    killed = time.monotonic()
    printed, codes = finish(started[:1])
    assert time.monotonic() - killed < 60
    assert codes != [0] and "lost another process" in printed[0] and "--resume" in printed[0]
    printed, codes = finish(start(tmp_path / "cut", "resumed", 2))
    assert codes == [0, 0], printed
    for one, other in zip(result(tmp_path / "whole"), result(tmp_path / "cut"), strict=True):
        assert one == other
    model = rnnzoo.load(tmp_path / "cut")  # on TensorFlow
    written = model.generate("to be", 5, temperature=0)
    exported = export(model, tmp_path / "exported")
    assert decoded(exported.generate(["to be"], 5, 0.0)) == [written]
    assert "Trained by 2 processes" in (tmp_path / "cut" / "card.md").read_text()
