"""Models as LiteRT networks: they compute what Keras does, in LiteRT's own operations."""

import importlib.util
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnzoo import Vocabulary, char_lstm
from rnnzoo.errors import InputError
from rnnzoo.layers import register_cell
from tests.export import steps
from tests.export.models import SENTENCE, SOURCES


@pytest.fixture(autouse=True)
def interpreter(monkeypatch):
    """TensorFlow's interpreter where the package of LiteRT's own is not installed."""
    if importlib.util.find_spec("ai_edge_litert") is None:
        monkeypatch.setitem(sys.modules, "ai_edge_litert", tf)
        monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", tf.lite)


def exported(model, folder, **options):
    model.export(folder, format="litert", verbose=False, **options)
    return folder


def test_a_language_model(tmp_path, monkeypatch, character_model):
    folder = exported(character_model, tmp_path / "model")
    steps.check_logits(character_model, folder)
    expected = "to " + character_model.generate("to ", 500, sampler="greedy")
    assert steps.example(folder, monkeypatch).generate("to ") == expected
    names = {each.name for each in folder.iterdir()}
    assert names == {"example.py", "network.py", "step.tflite", "vocabulary.json", "vocabulary.py"}


def test_a_translator_reads_sources_of_any_length(tmp_path, monkeypatch, translator_model):
    folder = exported(translator_model, tmp_path / "model")
    steps.check_pair(translator_model, folder)
    found = steps.example(folder, monkeypatch)
    assert [found.translate(text) for text in SOURCES] == translator_model.translate(SOURCES)


def test_int8_is_a_quarter_as_large_and_near(tmp_path):
    model = char_lstm(Vocabulary.from_text(SENTENCE), units=64, num_layers=1)
    folder = exported(model, tmp_path / "model", weights="int8")
    assert (folder / "step.tflite").stat().st_size < 0.35 * 4 * model.count_params()
    steps.check_logits(model, folder, atol=0.01)
    with pytest.raises(AssertionError):
        steps.check_logits(model, folder, atol=1e-6)


@register_cell("litert_test_cell")
class OwnCell(keras.layers.SimpleRNNCell):
    def call(self, inputs, states, training=False):
        output = tf.numpy_function(np.tanh, [inputs], tf.float32)
        output.set_shape(inputs.shape)
        return output, [output]


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_what_cannot_be_exported_is_refused_in_one_sentence(tmp_path, monkeypatch, backend):
    model = steps.language_model(cell="litert_test_cell", num_layers=1)
    monkeypatch.setattr(keras.config, "backend", lambda: backend)
    says = {"tensorflow": "LiteRT has no operations for", "jax": "but Keras runs on jax"}
    with pytest.raises(InputError, match=says[backend]):
        exported(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("options", steps.LANGUAGE_MODELS)
def test_logits_of_language_models_are_those_of_keras(tmp_path, options):
    model = steps.language_model(**options)
    steps.check_logits(model, exported(model, tmp_path / "model"))


@pytest.mark.slow
@pytest.mark.parametrize("options", steps.TRANSLATORS)
def test_logits_and_attention_of_translators_are_those_of_keras(tmp_path, options):
    model = steps.translator(**options)
    steps.check_pair(model, exported(model, tmp_path / "model"))
