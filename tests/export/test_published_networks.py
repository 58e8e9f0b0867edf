"""The published models as ONNX and LiteRT networks: logits, greedy texts and translations.

python -m pytest -m slow -n 0 tests/export/test_published_networks.py
"""

import subprocess
import sys

import pytest

from rnnzoo import zoo
from rnnzoo.data import corpora
from tests.export import steps

pytestmark = pytest.mark.slow
PROMPTS = {"character": "ROMEO:", "word": "this film is"}
DIGITS = ["one two five", "nine nine zero", "seven"]
RUNTIMES = {"onnx": "onnxruntime", "litert": "ai_edge_litert"}
ROUNDING = 5e-5  # of float32, in logits of 10 and more: sums in another order


def names(family):
    return sorted(name for name, about in zoo.index().items() if about.family == family)


def exported(name, folder, format):
    pytest.importorskip(RUNTIMES[format])
    model = zoo.load(name)
    model.export(folder, format=format, verbose=False)
    return model


def sentences(name, data_dir, monkeypatch):
    """Twenty sources of the test part of the corpus of a translator."""
    if name == "gru_seq2seq_numbers":
        return DIGITS
    monkeypatch.setenv("RNNZOO_DATA_DIR", str(data_dir))
    corpus = corpora.load(zoo.index()[name].corpus)
    side = 1 if name == "gru_seq2seq_spa_eng" else 0  # from Spanish
    return [pair[side] for pair in (corpus.test or corpus.validation)[:20]]


@pytest.mark.parametrize("format", RUNTIMES)
@pytest.mark.parametrize("name", names("LanguageModel"))
def test_a_language_model(tmp_path, monkeypatch, name, format):
    model = exported(name, tmp_path / "model", format)
    prompt = PROMPTS[model.vocabulary.level]
    expected = prompt + model.generate(prompt, 500, sampler="greedy")
    ids = model.vocabulary.encode(expected)[:100].tolist()
    steps.check_logits(model, tmp_path / "model", ids, atol=ROUNDING)
    assert steps.example(tmp_path / "model", monkeypatch).generate(prompt, 500) == expected


@pytest.mark.parametrize("format", RUNTIMES)
@pytest.mark.parametrize("name", names("Seq2Seq"))
def test_a_translator(tmp_path, monkeypatch, data_dir, name, format):
    texts = sentences(name, data_dir, monkeypatch)
    model = exported(name, tmp_path / "model", format)
    expected = model.translate(texts)
    source, target = model.source_vocabulary, model.target_vocabulary
    for text, translation in zip(texts, expected, strict=True):
        ids = [*source.encode(text).tolist(), source.end_id]
        written = [target.start_id, *target.encode(translation).tolist()]
        steps.check_pair(model, tmp_path / "model", ids, target=written, atol=ROUNDING)
    found = steps.example(tmp_path / "model", monkeypatch)
    assert [found.translate(text) for text in texts] == expected


@pytest.mark.parametrize("format", RUNTIMES)
def test_the_example_needs_numpy_and_the_runtime_alone(tmp_path, format):
    """In a fresh virtual environment, which pip fills."""
    model = exported("char_lstm_shakespeare_small", tmp_path / "model", format)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    packages = ["numpy", RUNTIMES[format].replace("_", "-")]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    listed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True)
    assert not {"keras", "tensorflow", "rnnzoo"} & set(listed.stdout.split())
    expected = "ROMEO:" + model.generate("ROMEO:", 500, sampler="greedy")
    assert steps.run_example(tmp_path / "model", "ROMEO:", python=python) == expected
