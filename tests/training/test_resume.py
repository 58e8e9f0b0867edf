"""What a resumed training reads, against one that was never cut off."""

import json
import re
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import rnnzoo
from rnnzoo import recipes
from rnnzoo.errors import InputError
from rnnzoo.hardware import commit, machine
from rnnzoo.publishing.train import train

TEXT = replace(
    recipes.get("char_lstm_tiny"),
    builder_options={"units": 4, "num_layers": 1},
    batch_size=4,
    sequence_length=8,
    dtype="float32",
)
RECIPES = {
    "streams": replace(TEXT, reset_probability=0.5),
    "windows": replace(TEXT, batches="windows"),
    "pairs": replace(
        recipes.get("spelled_numbers_tiny"),
        corpus_options={"min_digits": 1, "max_digits": 3, "samples": 40, "validation_samples": 4},
        builder_options={"units": 4, "embedding_dim": 4},
        batch_size=8,
    ),
}


class AbortInTheThird(keras.callbacks.Callback):
    """Aborts a training within its third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 2 and batch == 2:
            raise KeyboardInterrupt


class AbortAtOnce(keras.callbacks.Callback):
    """Aborts a training before anything is saved."""

    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


@pytest.fixture
def batches_of(tmp_path, monkeypatch):
    """Trains without publishing and returns the inputs of every batch that the model was given."""
    import tensorflow as tf

    seen = []

    def watched(fit):
        def note(inputs, *rest):
            tf.numpy_function(lambda *parts: seen.append(parts), tf.nest.flatten(inputs), [])
            return inputs, *rest

        return lambda self, data, **options: fit(self, data.map(note), **options)

    for model in (rnnzoo.LanguageModel, rnnzoo.Seq2Seq):
        monkeypatch.setattr(model, "fit", watched(model.fit))
    monkeypatch.setattr("rnnzoo.publishing.train.write_artifact", lambda trained: trained.out)
    no_samples = keras.callbacks.Callback()
    monkeypatch.setattr("rnnzoo.training.fit.SampleText", lambda *_, **options: no_samples)
    path = tmp_path / "text.txt"
    path.write_text("to be or not to be, " * 40)

    def run(kind, folder, **options):
        seen.clear()
        text = None if kind == "pairs" else path
        try:
            train(RECIPES[kind], out=tmp_path / folder, text_file=text, **options)
        except KeyboardInterrupt:
            pass
        return list(seen)

    return run


def same(batches, others):
    return len(batches) == len(others) and all(
        np.array_equal(part, other)
        for one, two in zip(batches, others, strict=True)
        for part, other in zip(one, two, strict=True)
    )


@pytest.mark.parametrize(
    "kind",
    ["streams", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("windows", "pairs"))],
)
def test_a_resumed_epoch_reads_what_it_would_have_read(kind, batches_of):
    whole = batches_of(kind, "whole", epochs=3)
    steps = len(whole) // 3
    epochs = [whole[start : start + steps] for start in range(0, 3 * steps, steps)]
    assert steps > 3 and not same(epochs[0], epochs[2]) and not same(epochs[1], epochs[2])
    cut = batches_of(kind, "cut", epochs=3, callbacks=[AbortInTheThird()])
    assert same(cut, whole[: 2 * steps + 3])
    again = batches_of(kind, "cut", resume=True)  # the epochs are those that it began with
    assert same(again, epochs[2])  # from its start


def test_slices_are_noted(batches_of, tmp_path, monkeypatch, capsys):
    path = tmp_path / "cut" / "checkpoint" / "progress.json"

    def progress():
        return json.loads(path.read_text())

    batches_of("streams", "cut", epochs=3, callbacks=[AbortAtOnce()])
    assert "segments" not in progress()  # nothing is left of it
    monkeypatch.setattr("rnnzoo.training.checkpoints.SAVE_EVERY", -1)  # after every batch
    monkeypatch.setattr("rnnzoo.training.checkpoints.SHARE", 1e9)
    batches_of("streams", "cut", epochs=3, callbacks=[AbortInTheThird()])
    cut = progress()
    assert [one["minutes"] for one in cut["segments"]] == [0.0]
    assert cut["segments"][0]["commit"] == commit()
    assert cut["segments"][0]["machine"] == machine() and cut["segments"][0]["dtype"] == "float32"
    other = "mixed_bfloat16", "a machine where it is fast"
    monkeypatch.setattr("rnnzoo.training.fit.resolve_dtype", lambda policy: other)
    batches_of("streams", "cut", epochs=3, resume=True)
    assert "Computing in float32: the training began in it." in capsys.readouterr().out
    batches_of("streams", "cut", epochs=3, resume=True)  # has nothing to train
    batches_of("streams", "cut", epochs=4, resume=True)
    segments = progress()["segments"]
    assert [one["repeated"] for one in segments] == [0, 0, 0]  # it went on where it was
    assert {one["dtype"] for one in segments} == {"float32"}
    assert segments[1]["minutes"] == cut["minutes"] > 0 and segments[2]["minutes"] > cut["minutes"]
    assert [one["overrides"]["options"] for one in segments] == [
        {"epochs": 3}, {"epochs": 3}, {"epochs": 4},
    ]  # fmt: skip

    without = {name: value for name, value in progress().items() if name != "segments"}
    path.write_text(json.dumps(without))  # as older code left it
    monkeypatch.setattr("rnnzoo.training.checkpoints.read_snapshot", lambda path: ({}, None))
    batches_of("streams", "cut", epochs=5, resume=True)
    first, second = progress()["segments"]
    assert first == {"minutes": 0.0, "machine": None, "dtype": None, "repeated": None}
    assert second["minutes"] == without["minutes"] and second["repeated"] == 0


def test_a_training_is_resumed_by_its_own_recipe(batches_of, monkeypatch):
    batches_of("streams", "cut", epochs=3, callbacks=[AbortInTheThird()])
    other = replace(RECIPES["streams"], learning_rate=0.5, prompts=("be",))
    monkeypatch.setitem(RECIPES, "streams", other)
    sentence = "was begun with learning_rate 0.003, and the recipe has 0.5 now; go on with the code"
    with pytest.raises(InputError, match=re.escape(sentence)):
        batches_of("streams", "cut", epochs=3, resume=True)
    monkeypatch.setitem(RECIPES, "streams", replace(other, learning_rate=0.003))
    assert batches_of("streams", "cut", epochs=3, resume=True)


def test_the_command_of_a_run_is_made_of_its_record():
    from rnnzoo.publishing.command import command
    from rnnzoo.publishing.train import overrides

    def told(recipe, options, resume=False, **given):
        given = {
            "out": None,
            "text_file": None,
            "from_model": None,
            "fold_lookalikes": False,
        } | given
        record = json.loads(json.dumps(overrides(recipe, options, **given)))
        return command(record, recipe.as_json(), resume=resume)

    known = recipes.get("char_lstm_tiny")
    assert told(known, {"epochs": 2, "seed": None, "num_layers": 3}, out=Path("o")) == (
        "python scripts/train_char_lstm.py --recipe char_lstm_tiny --epochs 2 --layers 3 --out o"
    )
    given = {"text_file": Path("my text.txt"), "from_model": "m", "fold_lookalikes": True}
    assert told(known, {}, resume=True, **given) == (
        "python scripts/train_char_lstm.py --recipe char_lstm_tiny --text-file "
        "'my text.txt' --from m --fold-lookalikes --resume"
    )
    assert told(recipes.get("imdb_lm"), {}).startswith(
        "python scripts/train_imdb_lm.py --recipe imdb"
    )
    assert "train_translator.py" in told(recipes.get("spa_eng"), {})
    assert told(replace(known, batch_size=3, weight_decay=0.5), {"epochs": 2}, out="out") == (
        "rnnzoo.publishing.train.train(dataclasses.replace(rnnzoo.recipes.get('char_lstm_tiny'), "
        "batch_size=3, weight_decay=0.5), out='out', epochs=2)"
    )
    assert told(replace(known, name="my"), {}).startswith(
        "rnnzoo.publishing.train.train(rnnzoo.recipes.Recipe(**{'name': 'my', 'description':"
    )
