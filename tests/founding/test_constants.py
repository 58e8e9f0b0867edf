"""What cannot run is refused at once: nothing is trained for it, and no old result is lost."""

import importlib
import inspect
import re
from dataclasses import replace

import keras
import numpy as np
import pytest

import rnnzoo_cli
from rnnzoo import Vocabulary, founding
from rnnzoo.errors import InputError
from rnnzoo.founding import s0_lasagne_char_lstm as s0
from rnnzoo.founding import s2_imdb_word_lm as s2
from rnnzoo.founding import s3_from_scratch as s3
from rnnzoo.founding import s4_alice as s4
from rnnzoo.founding.folder import RunFolder
from rnnzoo.training.schedule import TrainingClock

WITH_CORPUS = [name for name in founding.names() if not name.startswith("s1_")]


@pytest.fixture
def constants_of(monkeypatch, tmp_path):
    """The constants that a system would run with."""

    def constants_of(name, **options):
        module, function, _ = founding.SYSTEMS[name]
        module = importlib.import_module(f"rnnzoo.founding.{module}")
        default = inspect.signature(getattr(module, function)).parameters["constants"].default

        def run(*, out, data_dir, max_minutes, seed, constants=default):
            return constants

        monkeypatch.setattr(module, function, run)
        return founding.run(name, out=tmp_path / "out", **options)

    return constants_of


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("s0_lasagne_char_lstm", {"n_hidden": 0}, "`n_hidden` .* not 0"),
        ("s0_lasagne_char_lstm", {"batch_size": 0}, "`batch_size` .* not 0"),
        ("s2_imdb_word_lm", {"epochs": None}, "of the kind of 10, not None"),
        ("s3_lstm", {"hidden_units": 0}, "`hidden_units` .* not 0"),
        ("s3_lstm", {"hidden_units": "None"}, "of the kind of 100, not None"),
        ("s3_lstm", {"sample_temperature": -1}, "`temperature` .* not -1"),
        ("s3_exploding_gradients", {"steps": 0}, "`steps` .* not 0"),
        ("s3_better", {"chunk": -5}, "`chunk` .* not -5"),
        ("s4_alice_lstm", {"units": (8, 0)}, "`units` .* not 0"),
        ("s4_alice_lstm", {"units": ()}, "each layer"),
        ("s4_alice_lstm", {"dropout": 1.0}, "`dropout` .* not 1"),
        ("s4_alice_lstm", {"temperatures": "(0.5, -1.0)"}, "`temperature` .* not -1"),
        ("s4_alice_better", {"temperatures": ("hot",)}, "`temperature` .* not 'hot'"),
        ("s4_alice_better", {"sample_length": 0}, "`sample_length` .* not 0"),
        ("s3_lstm", {"constants": {"hidden_units": 8}}, r"s3_from_scratch.Constants, not \{"),
        ("s3_lstm", {"constants": s3.EXPLODING}, "s3_from_scratch.Constants, not Exploding"),
        ("s3_lstm", {"constants": s3.PART_1, "tiny": True}, "`tiny` has constants of its own"),
    ],
)
def test_a_constant_that_cannot_be(name, options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        founding.run(name, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_none_is_taken_where_it_means_something(constants_of):
    name = "s2_imdb_attention_wrapper"
    assert s2.ATTENTION.attention_length == 10
    assert constants_of(name, attention_length=None).attention_length is None
    assert constants_of("s2_imdb_word_lm", attention_length="3").attention_length == 3


def test_a_list_is_taken_for_a_tuple(constants_of):
    """As in the commands that scripts/write_founding_page.py makes of a run's record."""
    assert constants_of("s2_imdb_word_lm", units="[100]").units == (100,)
    assert constants_of("s4_alice_better", temperatures=[0.5]).temperatures == (0.5,)


def test_constants_given_as_a_whole_may_be_changed_too(constants_of):
    given = replace(s3.PART_1, hidden_units=8, epochs=2)
    assert constants_of("s3_lstm", constants=given) == given
    assert constants_of("s3_lstm", constants=given, epochs="3") == replace(given, epochs=3)
    assert constants_of("s3_lstm", tiny=True) == s3.TINY["s3_lstm"]


def test_the_example_of_the_help_runs():
    (length,) = re.findall(r"s0_\S+ --set seq_length=(\d+)", rnnzoo_cli.founding.__doc__)
    assert int(length) <= len(s0.DOCUMENT.phrase)


def test_a_seed_longer_than_the_text():
    vocabulary = Vocabulary.from_text("abc")
    ids = vocabulary.encode("abcab")
    assert s4.random_seed_text(vocabulary, ids, 5, seed=0) == "abcab"
    with pytest.raises(InputError, match=r"A seed of 6 characters .* has 5"):
        s4.random_seed_text(vocabulary, ids, 6, seed=0)


# --- The results of an earlier run -------------------------------------------------------------


@pytest.mark.parametrize("name", WITH_CORPUS)
def test_a_run_that_cannot_begin_leaves_the_folder_as_it_was(name, tmp_path, monkeypatch):
    def load(*_, **__):
        raise InputError("There is no such corpus.")

    monkeypatch.setattr("rnnzoo.data.corpora.load", load)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "model.keras").write_text("of an hour")
    for out in (tmp_path / "old", tmp_path / "new"):
        with pytest.raises(InputError, match="no such corpus"):
            founding.run(name, out=out, overwrite=True)
    assert (tmp_path / "old" / "model.keras").read_text() == "of an hour"
    assert not (tmp_path / "new").exists()


def test_old_results_go_when_the_first_new_one_comes(tmp_path):
    for stale in ("summary.json", "model.keras", "samples.txt"):
        (tmp_path / stale).write_text("old")
    folder = RunFolder("s3_lstm", tmp_path, seed=0, constants=s3.PART_2)
    assert (tmp_path / "summary.json").exists()
    folder.log(step=1, loss=2.0)
    folder.log(step=2, loss=1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]
    assert (tmp_path / "log.csv").read_text().split() == ["step,loss", "1,2.0", "2,1.0"]


# --- The exploding gradient --------------------------------------------------------------------


def test_the_norms_end_at_an_interrupt():
    constants = s3.TINY["s3_exploding_gradients"]
    batches = s3.chunks(np.arange(101, dtype="int32") % 5, constants.sequence_length, 1)
    clock = TrainingClock(1, steps_per_epoch=constants.steps)
    clock.on_train_begin()
    clock.interrupted.set()  # as Ctrl-C does
    norms, losses = s3._norms(
        s3.network(5, constants), batches, {}, constants=constants, clock=clock, until=np.inf
    )
    assert len(norms) == len(losses) == clock.step == 1
    assert clock.stopped_by == "interrupt"


def test_the_norms_need_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(InputError, match="runs on jax; set KERAS_BACKEND=tensorflow"):
        s3.run_exploding_gradients(out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
