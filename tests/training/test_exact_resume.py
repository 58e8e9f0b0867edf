"""A training that was killed and resumed, against one that was not, bit for bit."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from rnnzoo import recipes
from rnnzoo.callbacks import RegularizationSchedule
from rnnzoo.errors import InputError
from rnnzoo.publishing.train import train
from rnnzoo.training import checkpoints
from rnnzoo.training.checkpoints import Checkpoint
from rnnzoo.training.schedule import TrainingClock
from rnnzoo.training.snapshot import is_whole, previous_of

ROOT = Path(__file__).parents[2]
TEXT = replace(
    recipes.get("char_lstm_tiny"),
    builder_options={"units": 4, "num_layers": 1, "dropout": 0.3},
    batch_size=4,
    sequence_length=8,
    epochs=2,
    sample_length=5,
    sample_every_batches=7,
    dtype="float32",
)
RECIPES = {
    "streams": replace(TEXT, reset_probability=0.5, average_weights=0.9, patience=5),
    "windows": replace(TEXT, batches="windows", stride=9),
    "variable": replace(TEXT, variable_length=True),
    "documents": replace(
        recipes.get("imdb_lm_tiny"),
        batches="documents",
        builder_options={"units": 4, "embedding_dim": 4, "dropout": 0.3},
        validation_limit=None,
        batch_size=4,
        sample_length=5,
        sample_every_batches=7,
        ngram_orders=(),
        dtype="float32",
    ),
    "pairs": replace(
        recipes.get("spelled_numbers_tiny"),
        corpus_options={"min_digits": 1, "max_digits": 3, "samples": 80, "validation_samples": 4},
        builder_options={"units": 4, "embedding_dim": 4, "dropout": 0.3},
        batch_size=8,
        epochs=2,
        dtype="float32",
    ),
    "labelled": replace(
        recipes.get("sentiment_tiny"),
        builder_options={"units": 4, "embedding_dim": 4, "dropout": 0.3, "head_dropout": 0.3},
        unfreeze_epochs=0.5,
        sample_every_batches=2,
        dtype="float32",
    ),
}


FILES = {"pairs": "", "documents": "documents.jsonl", "labelled": "labelled.jsonl"}


def write_files(folder, times):
    """Writes what the recipes are trained on; another kind than those of FILES reads text.txt."""
    (folder / "text.txt").write_text("to be or not to be, that is the question. " * times)
    texts = ["so " * (number % 9 + 1) + f"good {number}" for number in range(2 * times)]
    for name, rows in {
        "documents": [{"text": text} for text in texts],
        "labelled": [{"text": text, "label": n % 2} for n, text in enumerate(texts)],
    }.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))


class Killed(Exception):
    """Stands for a SIGKILL inside this process."""


class KillAfter(keras.callbacks.Callback):
    """Ends a training after so many of its batches."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Trains a recipe, in `out`, with a checkpoint after every batch, without publishing."""
    monkeypatch.setattr(checkpoints, "SAVE_EVERY", -1)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    monkeypatch.setattr("rnnzoo.publishing.train.write_artifact", lambda trained: trained.out)
    write_files(tmp_path, 30)

    def train_once(kind, out, kill_after=None, callbacks=(), **options):
        name = FILES.get(kind, "text.txt")
        text = tmp_path / name if name else None
        callbacks = [*callbacks, *([] if kill_after is None else [KillAfter(kill_after)])]
        try:
            train(RECIPES[kind], out=tmp_path / out, text_file=text, callbacks=callbacks, **options)
        except Killed:
            pass
        return tmp_path / out

    return train_once


def result(out):
    """All that a training leaves: weights, optimizer, log, samples; no times."""
    checkpoint = Checkpoint(out / "checkpoint")
    model = keras.saving.load_model(checkpoint.last)
    values = [np.asarray(variable) for variable in [*model.weights, *model.optimizer.variables]]
    with open(checkpoint.log, newline="") as file:
        log = [{**row, "minutes": None} for row in csv.DictReader(file)]
    progress = {name: checkpoint.progress[name] for name in ("step", "best", "best_step")}
    return [value.tobytes() for value in values], log, checkpoint.samples.read_text(), progress


@pytest.mark.parametrize(
    "kind",
    ["streams"]
    + [pytest.param(kind, marks=pytest.mark.slow) for kind in RECIPES if kind != "streams"],
)
def test_a_killed_training_ends_as_one_that_was_not(kind, run):
    whole = run(kind, "whole")
    steps = json.loads((whole / "checkpoint" / "progress.json").read_text())["step"]
    run(kind, "cut", kill_after=3)
    run(kind, "cut", kill_after=steps // 2, resume=True)  # in the second epoch
    run(kind, "cut", resume=True)
    for one, other in zip(result(whole), result(whole.with_name("cut")), strict=True):
        assert one == other


def test_a_schedule_of_rates_multiplies_those_that_were_built_after_a_resume(run, monkeypatch):
    monkeypatch.setitem(RECIPES, "streams", replace(TEXT, weight_decay=0.1))

    def ramp():
        factors = {"dropout": lambda epoch: 0.5 * epoch, "weight_decay": lambda epoch: 0.5 * epoch}
        return [RegularizationSchedule(**factors)]

    whole = run("streams", "whole", callbacks=ramp())
    steps = json.loads((whole / "checkpoint" / "progress.json").read_text())["step"]
    run("streams", "cut", kill_after=3, callbacks=ramp())  # while all rates are 0
    run("streams", "cut", kill_after=steps // 2, resume=True, callbacks=ramp())  # while half
    run("streams", "cut", resume=True, callbacks=ramp())
    for one, other in zip(result(whole), result(whole.with_name("cut")), strict=True):
        assert one == other


def test_a_damaged_checkpoint_is_found_and_the_one_before_it_is_used(run, capsys):
    whole, cut = run("streams", "whole"), run("streams", "cut", kill_after=9)
    last = Checkpoint(cut / "checkpoint").last
    before = previous_of(last)
    content = bytearray(last.read_bytes())
    assert is_whole(last) and is_whole(before)
    for place in [0, len(content) // 3, len(content) // 2, -80, -66, -65, -1]:
        changed = content.copy()
        changed[place] ^= 4
        last.write_bytes(changed)
        assert not is_whole(last), place
    for size in (0, 10, len(content) // 2, len(content) - 1):
        last.write_bytes(content[:size])
        assert not is_whole(last), size
    capsys.readouterr()
    run("streams", "cut", resume=True)
    assert "last.keras, is damaged: going on from the one before it" in capsys.readouterr().out
    assert all(one == other for one, other in zip(result(whole), result(cut), strict=True))
    last.write_bytes(b"")
    before.write_bytes(content[:-1])
    with pytest.raises(InputError, match="are damaged"):
        run("streams", "cut", resume=True, epochs=3)


def test_a_lost_last_checkpoint_is_told_of(run, capsys):
    out = run("streams", "cut", kill_after=5)
    Checkpoint(out / "checkpoint").last.unlink()
    run("streams", "cut", kill_after=2, resume=True)
    assert "was not finished: going on from the one before it" in capsys.readouterr().out


def test_rates_by_minutes_are_those_that_were_noted(tmp_path):
    def rates_of(path, begin, end, *, seconds, before, minutes=1):
        now = [0.0]
        clock = TrainingClock(
            1, steps_per_epoch=100, max_minutes=minutes, minutes_before=before, steps_before=begin,
            rates=path, more_minutes=minutes > 1, now=lambda: now[0],
        )  # fmt: skip
        clock.on_train_begin()
        clock.on_epoch_begin(0)
        found = []
        for batch in range(end - begin):
            clock.on_train_batch_begin(batch)
            found.append(clock.progress)
            now[0] += seconds
            clock.step += 1
        return found

    path = tmp_path / "rates.f64"
    first = rates_of(path, 0, 9, seconds=2.0, before=0.0)
    assert first == pytest.approx(np.arange(9) * 2 / 60)
    with open(path, "ab") as file:
        file.write(b"torn")
    second = rates_of(path, 4, 12, seconds=1.0, before=4 * 2 / 60)  # a faster machine
    assert second[:5] == first[4:]
    assert second[5:] == [first[-1]] * 3  # its minutes are fewer: the rate waits, never goes back
    assert rates_of(path, 0, 12, seconds=5.0, before=0.0) == first[:4] + second
    more = rates_of(path, 10, 14, seconds=1.0, before=0.5, minutes=10)
    assert more[:2] == second[-2:] and more[2:] == pytest.approx([0.12, 0.13])  # by steps


SCRIPT = """
import sys
from dataclasses import replace
from rnnzoo.publishing import train as module
from rnnzoo.training import checkpoints
from tests.training.test_exact_resume import RECIPES

checkpoints.SAVE_EVERY, checkpoints.SHARE = 0.2, 1e9
module.write_artifact = lambda trained: trained.out
kind, out, text, resume = sys.argv[1:]
epochs = {"pairs": 20, "labelled": 12}.get(kind, 6)
module.train(
    RECIPES[kind], out=out, text_file=text or None, resume=resume == "resume", epochs=epochs,
    overwrite=resume == "overwrite",
)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECIPES)
def test_twenty_random_kills(kind, tmp_path):
    """SIGKILL at random moments, also while a checkpoint is written."""
    write_files(tmp_path, 60)
    text = FILES.get(kind, "text.txt")

    def start(out, how):
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, kind, out, text, how], cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def finish(process):
        _, error = process.communicate()
        assert process.returncode == 0, error

    began = time.monotonic()
    finish(start("whole", "new"))
    seconds = time.monotonic() - began
    chance, kills = random.Random(0), 0
    while kills < 20:
        last = tmp_path / "cut" / "checkpoint" / "last.keras"
        how = "resume" if last.exists() or previous_of(last).exists() else "overwrite"
        process = start("cut", how)
        try:
            process.wait(chance.uniform(0.3 * seconds, 0.8 * seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, process.stderr.read()
        assert all(
            one == other
            for one, other in zip(result(tmp_path / "whole"), result(tmp_path / "cut"), strict=True)
        )
        for path in (tmp_path / "cut" / "checkpoint").iterdir():
            path.unlink()
    if last.exists() or previous_of(last).exists():
        finish(start("cut", "resume"))
        whole, cut = result(tmp_path / "whole"), result(tmp_path / "cut")
        assert all(one == other for one, other in zip(whole, cut, strict=True))
