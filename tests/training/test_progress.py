"""What a training shows of its progress, and when it warns."""

import io
import re
import sys

import pytest

from rnnzoo.training.progress import (
    ProgressBar,
    progress_shown,
    seconds_left,
    warn_of_few_batches,
)
from rnnzoo.training.schedule import TrainingClock


def clock_at(step, seconds, **options):
    now = [0.0]
    clock = TrainingClock(2, steps_per_epoch=440, now=lambda: now[0], **options)
    clock.on_train_begin()
    clock.on_epoch_begin(0)
    now[0], clock.step = seconds, step
    return clock, now


def test_the_time_that_is_left_is_that_of_the_training():
    assert seconds_left(clock_at(220, 60.0)[0]) == pytest.approx(180)  # a quarter of two epochs
    assert seconds_left(clock_at(220, 60.0, max_minutes=2.0)[0]) == pytest.approx(60)
    assert seconds_left(clock_at(0, 0.0)[0]) == 0


def epoch_cut_short(line, clock, now):
    with line:
        line.on_epoch_begin(0)
        for batch in range(100):
            now[0], clock.step = now[0] + 0.6, batch + 1
            line.on_train_batch_end(batch, {"loss": 2.5})
        print("--- sample ---")
        line.on_epoch_end(0, {"loss": 2.5, "val_loss": 2.0})


LINE = "Epoch 1/2: 100/440 batches, 1:00, loss 2.5000, val loss 2.0000"


def test_a_log_has_a_line_for_an_epoch_that_was_cut_short(capsys):
    clock, now = clock_at(0, 0.0)
    epoch_cut_short(progress_shown(clock, 2), clock, now)
    assert capsys.readouterr().out == f"--- sample ---\n{LINE}\n"


def test_a_terminal_shows_a_bar_with_the_time_left_and_the_loss(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    for name, value in {"TERM": "xterm", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", terminal)
    clock, now = clock_at(0, 0.0)
    line = progress_shown(clock, 2)
    epoch_cut_short(line, clock, now)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert isinstance(line, ProgressBar)
    assert "100/440 batches, 7:48 of the training left, loss 2.5000" in shown
    assert "--- sample ---" in shown and LINE in shown
    assert sys.stdout is terminal  # it was given back
    assert terminal.getvalue().count("\x1b[?25h") == 1  # and its cursor


def test_a_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert not isinstance(progress_shown(clock_at(0, 0.0)[0], 2), ProgressBar)


def test_a_budget_for_few_batches_is_told(capsys):
    clock, _ = clock_at(3, 10.0, max_minutes=1.0, validation_seconds=10.0)
    clock._step_seconds = 2.0
    warn_of_few_batches(clock)  # 40 s are left
    assert "about 23 batches will be trained" in capsys.readouterr().out
    clock._step_seconds = 0.5
    warn_of_few_batches(clock)
    assert capsys.readouterr().out == ""
    clock, _ = clock_at(0, 0.0, max_minutes=0.1, validation_seconds=30.0)
    warn_of_few_batches(clock)  # the validation alone takes longer
    assert "about 0 batches" in capsys.readouterr().out
