"""oneDNN is turned on before TensorFlow is imported, where nobody has said otherwise."""

import os
import subprocess
import sys

import keras
import pytest

from rnnzoo import onednn


@pytest.mark.parametrize(
    ("flags", "given", "imported", "sentence", "left"),
    [
        ("fma avx2 bmi2", None, False, "turned on by rnnzoo", "1"),
        ("fma avx2 bmi2", "0", False, "TF_ENABLE_ONEDNN_OPTS=0 in the environment", "0"),
        ("fma avx2 bmi2", None, True, "import rnnzoo first", None),
        ("fma avx bmi2", None, False, "no x86 processor with AVX2", None),
    ],
)
def test_the_choice(flags, given, imported, sentence, left, monkeypatch):
    monkeypatch.setattr(onednn, "cpu_info", lambda: ("a processor", set(flags.split())))
    monkeypatch.delenv(onednn.VARIABLE, raising=False)
    if given:
        monkeypatch.setenv(onednn.VARIABLE, given)
    if imported:
        monkeypatch.setitem(sys.modules, "tensorflow", os)
    else:
        monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert sentence in onednn.choice.__wrapped__()
    assert os.environ.get(onednn.VARIABLE) == left


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="of TensorFlow alone")
def test_it_is_made_before_tensorflow_is_imported():
    code = "from rnnzoo import onednn, kernels, char_lstm; print(kernels(char_lstm(9, units=4)))"
    clean = {name: value for name, value in os.environ.items() if name != onednn.VARIABLE}
    clean["KERAS_BACKEND"] = "tensorflow"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean)
    assert "oneDNN: " in done.stdout, done.stderr
    assert "import rnnzoo first" not in done.stdout
