"""The benchmarks for a GPU, rehearsed: what is prepared is what is trained, and time is kept."""

import argparse
import functools
import itertools
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnnzoo import recipes
from rnnzoo.data import corpora
from rnnzoo.training.schedule import TrainingClock
from tests.cell_equations import CELLS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECIPE = replace(
    recipes.get("imdb_lm_tiny"), corpus_options={"unlabelled": True}, reset_probability=0.2,
    average_weights=0.9,
)  # fmt: skip


@pytest.fixture
def words(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu_words

    # A clock that ticks a second at each look at it: how fast the machine is plays no part.
    ticks = itertools.count()
    clock = functools.partial(TrainingClock, now=lambda: float(next(ticks)))
    monkeypatch.setattr(gpu_words, "TrainingClock", clock)
    return gpu_words


@pytest.fixture
def file(words, small_data, tmp_path):
    words.prepare(tmp_path / "reviews.npz", RECIPE, data_dir=small_data)
    return tmp_path / "reviews.npz"


def test_the_file_holds_the_reviews(words, file, small_data):
    vocabulary, ids, about = words.read(file)
    corpus = corpora.load("imdb_reviews", data_dir=small_data, unlabelled=True)
    assert about["training_reviews_used"] == len(corpus.splits["train"]) > 108  # unlabelled, too
    assert set(ids) == {"train", "validation", "test"}
    expected = np.concatenate(vocabulary.encode_documents(corpus.splits["test"]))
    np.testing.assert_array_equal(ids["test"], expected)
    trained = np.concatenate(vocabulary.encode_documents(corpus.splits["train"]))
    np.testing.assert_array_equal(np.sort(ids["train"]), np.sort(trained))
    assert about["bytes"] == file.stat().st_size and len(about["sha256"]) == 64


def test_what_has_no_room_is_left_out_and_told(words, file, small_data, tmp_path):
    limit = file.stat().st_size - 500
    told = words.prepare(tmp_path / "less.npz", RECIPE, data_dir=small_data, limit=limit)
    _, less, about = words.read(tmp_path / "less.npz")
    _, all_of_them, _ = words.read(file)
    assert (tmp_path / "less.npz").stat().st_size < limit
    assert about["training_reviews_used"] == told["training_reviews_used"]
    assert told["training_reviews_used"] < told["reviews"]["train"]
    np.testing.assert_array_equal(less["test"], all_of_them["test"])
    np.testing.assert_array_equal(less["train"], all_of_them["train"][: len(less["train"])])


def test_no_start_is_guessed_and_rows_forget(words, file):
    vocabulary, ids, _ = words.read(file)
    reviews = words.Reviews(ids["train"], RECIPE, start_id=vocabulary.start_id)
    batches = [reviews[index] for index in range(reviews.num_batches)]
    for _, targets, weights in batches[:-1]:
        np.testing.assert_array_equal(weights == 0, targets == vocabulary.start_id)
    resets = np.mean([inputs["reset"] for inputs, _, _ in batches[1:]])
    assert 0.1 < resets < 0.3


def test_it_trains_and_measures(words, file, tmp_path, monkeypatch):
    monkeypatch.setattr(words.recipes, "get", lambda name: RECIPE)
    words.main([str(tmp_path / "out.json"), "--file", str(file), "--minutes", "1", "--quick"])
    found = json.loads((tmp_path / "out.json").read_text())
    training = found["training"]
    assert 5 < training["batches"] < 60
    assert 0 < training["last_rate"] < 0.1 * RECIPE.learning_rate
    assert training["tokens"] == training["batches"] * 4 * 8
    assert 1 < found["validation"]["perplexity"] < 220  # for 200 ids, after a few batches
    assert found["test"]["reviews"] == 30 and len(found["samples"]) == len(RECIPE.prompts)
    assert found["file"]["sha256"] and found["recipe"]["batch_size"] == 4


def test_the_perplexity_is_that_of_the_model(words, file, small_data):
    vocabulary, ids, about = words.read(file)
    model = words.build(RECIPE, vocabulary, "float32")
    found = words.measure(model, ids["test"], RECIPE, characters=about["characters"]["test"])
    texts = corpora.load("imdb_reviews", data_dir=small_data).splits["test"]
    scores = model.score(list(texts))
    nats, tokens = float(np.sum(scores["nats"])), int(np.sum(scores["tokens"]))
    assert found["tokens"] == tokens
    assert found["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    characters = sum(len(word) + 1 for text in texts for word in vocabulary.split(text))
    assert found["bits_per_character"] == pytest.approx(nats / math.log(2) / characters, rel=1e-4)


@pytest.mark.slow
def test_it_trains_on_jax_without_tensorflow(words, file, tmp_path):
    pytest.importorskip("jax")
    code = """
import sys
sys.modules["tensorflow"] = None  # as if it were not installed
import gpu_words
gpu_words.main([sys.argv[1], "--file", sys.argv[2], "--minutes", "0.5", "--quick"])
"""
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(BENCHMARKS)}
    command = [sys.executable, "-c", code, str(tmp_path / "out.json"), str(file)]
    subprocess.run(command, env=environment, check=True)
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["training"]["last_rate"] < 0.1 * found["recipe"]["learning_rate"]
    assert 1 < found["test"]["perplexity"] < 200  # ids


@pytest.fixture
def gpu(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    return gpu


def test_no_part_begins_too_late(gpu, tmp_path, capsys):
    now = itertools.count().__next__  # a second at each look

    def broken():
        raise ValueError("no")

    parts = {"a": (0, lambda: 1), "b": (0, broken), "long": (99, int), "c": (0, int)}
    parts |= {"d": (0, int), "e": (0, int)}
    gpu.run(parts, {}, tmp_path / "out.json", seconds=6, now=now, start=0)
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["a"] == 1 and found["b"].startswith("FAILED: ValueError") and found["c"] == 0
    assert found["skipped"] == ["long", "d", "e"] and "d" not in found
    assert "Skipped, for 6 s were over: long, d, e." in capsys.readouterr().out


def test_what_goals_are_set_for_comes_first(gpu):
    args = argparse.Namespace(quick=True, minutes=None, text=None, only=None)
    names = list(gpu.parts_of(args))
    assert names[3].startswith("steps char") and names[3].endswith("float32")
    assert names[4] == "steps word_lm 3x1150, 80x70 mixed_bfloat16"
    assert names[5:9] == ["proof", "agreement", "kernels", "writing"]
    assert len([name for name in names if name.startswith("steps")]) == 15
    args.only = ["proof", "writing"]
    assert list(gpu.parts_of(args)) == args.only


def test_every_cell_has_its_rows(gpu):
    cells = {name.split(" ")[0] for name in gpu.kernel_table(quick=True)}
    assert cells >= {"lstm", "gru", "simple_rnn", *CELLS}
