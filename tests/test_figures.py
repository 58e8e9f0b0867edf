"""The figures that the README promises, each remade by its own command: minutes each, by hand.

Run with `pytest -m slow -n 0`, on two idle cores.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rnnzoo import zoo
from rnnzoo.publishing.evaluate import evaluate

SCRIPTS = Path(__file__).parents[1] / "scripts"


def run(script, out, *arguments):
    """Runs a script; returns what it wrote into metrics.json."""
    command = [sys.executable, SCRIPTS / script, "--out", out, *arguments]
    subprocess.run(list(map(str, command)), check=True)
    return json.loads((out / "metrics.json").read_text())


@pytest.mark.slow
def test_imdb_lm_beats_the_kneser_ney_bigram(data_dir, tmp_path):
    record = run("train_imdb_lm.py", tmp_path / "imdb_lm", "--data-dir", data_dir)
    assert record["figures"]["perplexity"] < record["baselines"]["kneser_ney_2gram_perplexity"]
    assert record["training"]["minutes"] < 11.5


@pytest.mark.slow
def test_char_lstm_shakespeare_in_ten_minutes(data_dir, tmp_path):
    out = tmp_path / "char_lstm_shakespeare"
    record = run("train_char_lstm.py", out, "--data-dir", data_dir, "--max-minutes", 10)
    assert record["figures"]["nats_per_character"] < 1.55


@pytest.mark.slow
def test_spelled_numbers_in_five_minutes(tmp_path):
    out = tmp_path / "spelled_numbers"
    record = run("train_translator.py", out, "--recipe", "spelled_numbers", "--max-minutes", 5)
    assert record["figures"]["symbols_right"] > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(zoo.index()))
def test_the_figures_of_the_cards(name, data_dir):
    assert not evaluate(name, data_dir).different
