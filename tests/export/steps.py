"""What the tests of ONNX and LiteRT share: exported models, and their networks beside Keras's."""

import importlib.util
import subprocess
import sys

import numpy as np
from keras import ops

from rnnzoo import Vocabulary, char_lstm, gru_seq2seq
from tests.export.models import MARKS, SENTENCE, shaken

SOURCE = Vocabulary.from_text("one two three", special_tokens=MARKS)
TARGET = Vocabulary.from_text("123", special_tokens=MARKS)
LANGUAGE_MODELS = [
    {"cell": "lstm"},
    {"cell": "gru", "num_layers": 2, "trainable_initial_state": True},
    {"cell": "simple_rnn", "tie_embedding_weights": True, "embedding_dim": 5},
]
TRANSLATORS = [
    {"num_layers": 2},  # attention before the cell, two directions
    {"attention_position": "after_cell", "bidirectional": "sum", "cell": "lstm"},
    {"attention": None, "bidirectional": "mul", "cell": "simple_rnn"},
    {"bidirectional": False, "tie_embedding_weights": True, "trainable_initial_state": True},
]


def language_model(**options):
    return shaken(char_lstm(Vocabulary.from_text(SENTENCE), units=9, **options))


def translator(**options):
    return shaken(gru_seq2seq(SOURCE, TARGET, units=9, **options))


def example_module(path):
    """A module by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def example(folder, monkeypatch):
    """`example.py` of an export, imported as when it is run in its folder."""
    for name in ("network", "vocabulary"):
        monkeypatch.setitem(sys.modules, name, example_module(folder / f"{name}.py"))
    return example_module(folder / "example.py")


def check_logits(model, folder, ids=(3, 1, 4, 1, 5), atol=1e-5):
    """Each step of a language model computes what the model does from the same state."""
    step = example_module(folder / "network.py").Network("step")
    state = [ops.convert_to_numpy(each) for each in model.get_initial_state(1)]
    for token in ids:
        token = np.array([token], "int32")
        result = step(token=token, **{f"state_{i}": each for i, each in enumerate(state)})
        logits, expected = model.step(token, state)
        state = [result[f"new_state_{i}"] for i in range(len(state))]
        np.testing.assert_allclose(result["logits"], logits, rtol=1e-6, atol=atol)
        for found, each in zip(state, expected, strict=True):
            np.testing.assert_allclose(found, each, rtol=1e-6, atol=atol)


def check_pair(model, folder, source=(4, 5, 3, 2), target=(1, 4, 3, 5), atol=1e-5):
    """The same of the encoder and of each step of a translator, and the attention."""
    network = example_module(folder / "network.py").Network
    read = network("encoder")(source=np.array([source], "int32"))
    (*arrays, mask), states = model.encode(np.array([source]))
    state = [read.pop(f"state_{i}") for i in range(len(states))]
    for found, each in zip(state, states, strict=True):
        np.testing.assert_allclose(found, each, rtol=1e-6, atol=atol)
    attends = model.decoder.attention is not None
    assert set(read) == ({"values", "keys", "mask"} if attends else set())
    if attends:
        for name, each in zip(("values", "keys"), arrays, strict=True):
            np.testing.assert_allclose(read[name], each, rtol=1e-6, atol=atol)
    step = network("step")
    for token in target:
        token = np.array([token], "int32")
        named = {f"state_{i}": each for i, each in enumerate(state)}
        result = step(token=token, **named, **read)
        logits, _, weights = model.step(token, state, [*arrays, mask])
        state = [result[f"new_state_{i}"] for i in range(len(state))]
        np.testing.assert_allclose(result["logits"], logits, rtol=1e-6, atol=atol)
        if attends:
            np.testing.assert_allclose(result["attention"], weights, rtol=1e-6, atol=atol)


def run_example(folder, text, *, python=sys.executable):
    """What the example of an export prints."""
    command = [python, "-X", "utf8", folder / "example.py", text]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")
