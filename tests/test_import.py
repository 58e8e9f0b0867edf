"""What `import rnnzoo` loads, and how long it takes."""

import os
import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "matplotlib", "rich", "typer", "tensorflow_datasets", "pandas", "IPython")
MEASURE = """
import time
import keras
before = time.perf_counter()
import rnnzoo
seconds = time.perf_counter() - before
print(*keras.saving.get_custom_objects(), seconds)
"""


CLASSES = """
    LanguageModel Seq2Seq Vocabulary LSTM GRU SimpleRNN RecurrentStack TiedHead Encoder Decoder
    BahdanauAttention Perplexity BitsPerCharacter GreedySampler TemperatureSampler TopKSampler
    TopPSampler FusedAdam
"""


def run(script, **environment):
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_jax_loads_no_tensorflow():
    pytest.importorskip("jax")
    script = "import sys, keras; before = set(sys.modules); import rnnzoo, rnnzoo.data\n"
    script += "print(*set(sys.modules) - before)\n"
    script += "assert keras.config.backend() == 'jax'\n"
    script += "assert 'tensorflow' not in sys.modules"
    loaded = {name.partition(".")[0] for name in run(script, KERAS_BACKEND="jax")}
    assert "rnnzoo" in loaded and not loaded & set(HEAVY)


def test_registers_every_class_in_little_time():
    times = []
    for _ in range(3):  # the best of a few: others may be at work on the machine
        *registered, seconds = run(MEASURE, KERAS_BACKEND="tensorflow")
        assert {f"rnnzoo>{name}" for name in CLASSES.split()} <= set(registered)
        times.append(float(seconds))
        if times[-1] < 0.2:
            break
    assert min(times) < 0.2, f"import rnnzoo took {times} s after import keras"


def test_the_parts_are_attributes():
    script = """
import sys, rnnzoo
assert "tensorflow_datasets" not in sys.modules
for name in ("data", "layers", "recipes", "vocabulary", "generation", "models", "training",
             "evaluation", "optimizers", "zoo", "errors", "founding", "word_vectors"):
    assert getattr(rnnzoo, name).__name__ == f"rnnzoo.{name}", name
    assert name in dir(rnnzoo)
rnnzoo.data.corpora.names, rnnzoo.recipes.names, rnnzoo.layers.LSTM, rnnzoo.data.stream_batches
assert "tensorflow_datasets" not in sys.modules
try:
    rnnzoo.dta
except AttributeError as error:
    assert "has no attribute 'dta'" in str(error)
"""
    run(script)
