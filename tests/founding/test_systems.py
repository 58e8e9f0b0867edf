"""Every founding system runs: tiny, from the registry and from the command line."""

import importlib
import inspect
import signal
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from rnnzoo import Vocabulary, founding
from rnnzoo.errors import InputError
from rnnzoo.founding import s3_better
from rnnzoo.founding import s3_from_scratch as s3
from rnnzoo.founding.writing import write_by_sliding
from tests.founding.conftest import rows_of, summary_of

VERSES = """First Citizen:
Before we proceed any further, hear me speak.
All: Speak, speak! What is it? Who is there? Nay, but quickly; go!
"""
OURS = [name for name in founding.names() if not name.startswith(("s1_", "s2_"))]
LONG = ("s0_lasagne_char_lstm", "s3_better", "s4_alice_better")  # beside a shorter one of each kind


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    (folder / "tinyshakespeare.txt").write_text(VERSES * 4)
    (folder / "alice.txt").write_text(VERSES * 4)
    return folder


@pytest.mark.parametrize("name", founding.names())
def test_a_system_has_a_tiny_variant(name):
    module, function, _ = founding.SYSTEMS[name]
    module = importlib.import_module(f"rnnzoo.founding.{module}")
    tiny = module.TINY[name] if isinstance(module.TINY, dict) else module.TINY
    whole = inspect.signature(getattr(module, function)).parameters["constants"].default
    assert type(tiny) is type(whole) and tiny != whole


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in OURS]
)
def test_a_system_runs_and_leaves_everything(name, results, texts):
    folder = results(name)
    summary = summary_of(folder)
    assert summary["system"] == name
    assert summary["seed"] == 5
    assert len(summary["data"]["sha256"]) == 64
    assert summary["training"]["stopped_by"] is None
    assert summary["training"]["steps"] == summary["training"]["steps_planned"]
    assert summary["versions"]["keras"] == keras.__version__
    assert rows_of(folder)
    assert list(folder.glob("*.png"))
    assert not list(folder.glob(".partial*"))
    if name != "s3_exploding_gradients":
        assert "---" in (folder / "samples.txt").read_text(encoding="utf-8")
        model = keras.saving.load_model(folder / "model.keras")
        assert model.count_params() == summary["figures"]["parameters"]


def test_s3_reports_loss_and_sample_every_so_many_steps(results):
    folder = results("s3_vanilla_rnn")
    rows, constants = rows_of(folder), summary_of(folder)["constants"]
    assert [int(row["step"]) for row in rows] == list(range(10, len(rows) * 10 + 1, 10))
    blocks = (folder / "samples.txt").read_text(encoding="utf-8").split("--- step ")[1:]
    assert len(blocks) == len(rows)
    for block in blocks:
        assert len(block.split(" ---\n", 1)[1]) - 2 == constants["sample_length"]


def test_s3_learns_and_measures_the_whole_text(results, texts):
    folder = results("s3_vanilla_rnn")
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    inputs, targets = s3.chunks(vocabulary.encode(VERSES * 4), 5, 1)
    model = keras.saving.load_model(folder / "model.keras")
    logits = np.asarray(model(inputs[:, 0]), "float64")
    nats = (
        np.log(np.exp(logits).sum(-1))
        - np.take_along_axis(logits, targets[:, 0, :, None], -1)[..., 0]
    )
    figure = summary_of(folder)["figures"]["nats_per_character"]
    assert figure == pytest.approx(nats.mean(), rel=1e-4)
    assert figure < np.log(len(vocabulary))


def test_s3_finds_where_the_loss_was_lowest(results):
    rows = [{"loss": loss, "step": 10 * at, "minutes": at} for at, loss in enumerate([9, 4, 2, 8])]
    found = s3.lowest(rows, sequence_length=5, count=2)
    expected = {"lowest_nats_per_character": 0.6, "minutes_to_lowest": 2, "step_of_lowest": 20}
    assert found == pytest.approx(expected)
    assert s3.lowest(rows, 5) == {}
    assert 0 < summary_of(results("s3_lstm"))["figures"]["lowest_nats_per_character"] < 4


def test_s3_shows_the_gradient_with_and_without_clipping(results):
    rows = rows_of(results("s3_exploding_gradients"))
    names = ("not clipped", "elements clipped", "norm clipped")
    runs = [[row for row in rows if row["run"] == name] for name in names]
    assert [len(part) for part in runs] == [20, 20, 20]
    assert len({part[0]["norm"] for part in runs}) == 1  # all from the same weights


def test_an_interrupt_ends_the_exploding_gradients_cleanly(texts, tmp_path, monkeypatch):
    norms, calls = s3._norms, []

    def interrupted(*arguments, **options):
        if not calls:
            signal.raise_signal(signal.SIGINT)
        calls.append(arguments)
        return norms(*arguments, **options)

    monkeypatch.setattr(s3, "_norms", interrupted)
    folder = founding.run("s3_exploding_gradients", out=tmp_path, data_dir=texts, tiny=True)
    training = summary_of(folder)["training"]
    assert training["stopped_by"] == "interrupt" and training["steps"] == 3  # one of each


@pytest.mark.slow
def test_s0_continues_the_phrase(results):
    folder = results("s0_lasagne_char_lstm")
    text = (folder / "samples.txt").read_text(encoding="utf-8")
    phrase = "First Citizen:\nBefore we proceed"
    assert text.count(phrase) >= 2
    assert "average loss" in text
    model = keras.saving.load_model(folder / "model.keras")
    vocabulary = Vocabulary.load(folder / "vocabulary.json")
    by_window = write_by_sliding(model, vocabulary, phrase, 10, window=5)
    assert f"argmax with a sliding window ---\n{phrase}{by_window}\n" in text
    figures = summary_of(folder)["figures"]
    assert figures["characters_per_second"] > 0 < figures["characters_per_second_sliding"]
    assert 0 < figures["nats_per_character"] < 4


@pytest.mark.parametrize(
    "name", ["s4_alice_lstm", pytest.param("s4_alice_better", marks=pytest.mark.slow)]
)
def test_s4_reports_repetition_at_every_temperature(name, results):
    samples = summary_of(results(name))["figures"]["samples"]
    assert list(samples) == ["argmax", "temperature 1.0"]
    for figures in samples.values():
        assert 0 <= figures["repeated_10grams"] <= 1


def test_s4_keeps_the_best_weights(results):
    assert (results("s4_alice_lstm") / "best.weights.h5").is_file()


def test_s4_writes_with_the_window_of_the_document_too(results):
    folder = results("s4_alice_lstm")
    assert "--- sliding window, argmax ---" in (folder / "samples.txt").read_text(encoding="utf-8")
    figures = summary_of(folder)["figures"]
    assert figures["characters_per_second"] > 0 < figures["characters_per_second_sliding"]
    assert 0 < figures["nats_per_character"] < 4


@pytest.mark.slow
def test_s3_better_is_measured_as_the_document_s_networks(texts, tmp_path):
    folder = s3_better.run(out=tmp_path, data_dir=texts, constants=s3_better.TINY)
    model = keras.saving.load_model(folder / "model.keras")
    inputs, targets = s3.chunks(model.vocabulary.encode(VERSES * 4), 5, 1)
    logits = np.asarray(model(inputs[:, 0]), "float64")
    right = np.take_along_axis(logits, targets[:, 0, :, None], -1)[..., 0]
    nats = np.log(np.exp(logits).sum(-1)) - right
    figures = summary_of(folder)["figures"]
    assert figures["nats_per_character"] == pytest.approx(nats.mean(), rel=1e-4)
    assert figures["validation_loss"] > 0 < figures["training_loss"]
    rows = rows_of(folder)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


@pytest.mark.slow
def test_s4_stops_at_the_training_loss(texts, tmp_path):
    folder = founding.run(
        "s4_alice_better", out=tmp_path, data_dir=texts, tiny=True, max_minutes=5,
        training_loss=10.0,
    )  # fmt: skip
    summary = summary_of(folder)
    assert summary["training"]["epochs"] == 1
    assert summary["training"]["stopped_by"] == "a training loss of at most 10.0"
    assert summary["figures"]["minutes_to_training_loss"] > 0


@pytest.mark.slow
def test_s4_measures_the_exact_losses(results, texts):
    folder = results("s4_alice_better")
    model = keras.saving.load_model(folder / "model.keras")
    ids = model.vocabulary.encode(VERSES * 4)
    ids = ids[: int(len(ids) * 0.9)]
    length = (len(ids) - 1) // 4  # the four rows, each read from its start to its end
    rows = np.array([ids[row * length : row * length + length + 1] for row in range(4)])
    logits = np.asarray(model(rows[:, :-1]), "float64")
    right = np.take_along_axis(logits, rows[:, 1:, None], -1)[..., 0]
    nats = np.log(np.exp(logits).sum(-1)) - right
    assert summary_of(folder)["figures"]["training_loss"] == pytest.approx(nats.mean(), rel=1e-4)


def test_a_run_is_cut_by_its_minutes(texts, tmp_path, capsys):
    folder = founding.run(
        "s3_batched_rnn", out=tmp_path, data_dir=texts, tiny=True, max_minutes=1e-4
    )
    training = summary_of(folder)["training"]
    assert training["stopped_by"] == "budget"
    assert 0 < training["steps"] < training["steps_planned"]
    assert "stopped by its budget" in capsys.readouterr().out


def test_an_unfinished_run_has_no_summary(results, texts, tmp_path, monkeypatch):
    founding.run("s3_lstm", out=tmp_path, data_dir=texts, tiny=True)
    monkeypatch.setattr(s3, "nats_per_character", None)  # after the training
    with pytest.raises(TypeError):
        founding.run("s3_lstm", out=tmp_path, data_dir=texts, tiny=True, overwrite=True)
    assert not (tmp_path / "summary.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_unit": 3}, "did you mean 'hidden_units'"),
        ({"hidden_units": "three"}, "of the kind of 100"),
        ({"hidden_units": 2.5}, "of the kind of 100"),
        ({"max_minutes": 0}, "above 0"),
        ({"seed": -1}, "whole number"),
    ],
)
def test_mistakes(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        founding.run("s3_lstm", out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_an_unknown_system():
    with pytest.raises(InputError, match="s3_lstm"):
        founding.run("s3_lstmm")


# --- The command line --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def call():
    scripts = str(Path(__file__).parents[2] / "scripts")
    sys.path.insert(0, scripts)
    import run_founding_system

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(run_founding_system.main)
    yield lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
    sys.path.remove(scripts)


def test_the_list(call):
    shown = call("--list").output
    assert [line.split()[0] for line in shown.splitlines()] == list(founding.SYSTEMS)


def test_a_run_from_the_command_line(call, texts, tmp_path):
    done = call(
        "s3_lstm", "--tiny", "--data-dir", texts, "--out", tmp_path, "--seed", 7,
        "--set", "hidden_units=4", "--set", "learning_rate=1", "--set", "sample_start=F",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    summary = summary_of(tmp_path)
    assert summary["seed"] == 7
    assert summary["constants"]["hidden_units"] == 4
    assert summary["constants"]["learning_rate"] == 1.0
    assert summary["constants"]["sample_start"] == "F"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name a system"),
        (("s3_lstm", "--set", "epochs"), "NAME=VALUE"),
        (("s3_lstm", "--set", "seed=3"), "NAME=VALUE"),
        (("s9",), "No founding system"),
    ],
)
def test_mistakes_on_the_command_line(call, arguments, message):
    done = call(*arguments)
    assert done.exit_code == 2
    assert message in done.output
