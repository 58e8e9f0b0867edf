"""Several devices of one machine: two logical CPUs equal one, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from rnnzoo.errors import InputError
from rnnzoo.replicas import scope_over

ROOT = Path(__file__).parents[2]
SLOW = ("documents", "penalties", "adam", "recipe")
pytestmark = pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow alone")


@pytest.mark.parametrize(
    "case", ["streams", *(pytest.param(c, marks=pytest.mark.slow) for c in SLOW)]
)
def test_two_devices_train_as_one(case, tmp_path):
    script = Path(__file__).with_name("on_two_devices.py")
    ran = subprocess.run(
        [sys.executable, script, tmp_path, case],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]


@pytest.mark.parametrize("devices", [0, -1, True, 1.5, "two"])
def test_a_number_of_devices_that_is_none_is_refused(devices):
    with pytest.raises(InputError, match="at least 1"):
        scope_over(devices)


def test_other_backends_are_told(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(InputError, match="TensorFlow backend, not jax"):
        scope_over(2)
