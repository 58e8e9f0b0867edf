"""Teachers: what they predict, where it stands in the batches, and what is kept of it."""

import functools
import json
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo import recipes
from rnnzoo.errors import InputError
from rnnzoo.publishing.card import _taught
from rnnzoo.publishing.command import command
from rnnzoo.publishing.publish import _check_recipe
from rnnzoo.publishing.train import overrides
from rnnzoo.training import distillation
from rnnzoo.training.distillation import teacher_predictions
from rnnzoo.training.teachers import load_teachers

pytest.importorskip("tensorflow", reason="tf.data")

TEXT = "to be or not to be, that is the question. " * 10
VOCABULARY = rnnzoo.Vocabulary.from_text(TEXT)
IDS = VOCABULARY.encode(TEXT)
TINY = replace(
    recipes.get("char_lstm_tiny"),
    builder_options={"units": 4, "num_layers": 1, "dropout": 0.3},
    batch_size=4,
    sequence_length=8,
    reset_probability=0.5,
    sample_length=5,
    dtype="float32",
)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def teachers():
    """Two teachers, whose weights are large enough that they are sure of something."""
    models = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        models.append(rnnzoo.char_lstm(VOCABULARY, units=5, num_layers=1))
        for weight in models[-1].trainable_variables:
            weight.assign(4 * weight)
    return models


def test_predictions_are_the_mean_of_the_teachers_at_every_place(teachers, tmp_path, monkeypatch):
    monkeypatch.setattr(distillation, "ROW", 100)
    monkeypatch.setattr(distillation, "LENGTH", 30)
    rows = len(IDS) // 100
    found = teacher_predictions(teachers, IDS, temperature=2.0, top_k=4, folder=tmp_path)
    assert found.shape == (len(IDS) - 1,)
    length = -(-len(found) // rows)
    for row in (0, 1, rows - 1):  # each read from a zero state on
        part = slice(row * length, min((row + 1) * length, len(found)))
        logits = [ops.convert_to_numpy(one(IDS[part][None]))[0] for one in teachers]
        mean = np.mean([softmax(one / 2.0) for one in logits], axis=0)  # (length, V)
        ids, probabilities = found["ids"][part], found["probabilities"][part]
        expected = np.take_along_axis(mean, ids.astype(int), axis=-1)
        np.testing.assert_allclose(probabilities[:, :4], expected, atol=1e-3)
        np.testing.assert_allclose(probabilities.sum(-1), 1, atol=2e-3)
        assert (expected.min(-1) >= np.sort(mean)[:, -4] - 1e-6).all()


def test_a_large_vocabulary_is_read_in_short_segments(teachers, tmp_path, monkeypatch):
    whole = np.array(teacher_predictions(teachers, IDS, top_k=3, folder=tmp_path / "whole"))
    sizes, largest = [], distillation._largest
    monkeypatch.setattr(
        distillation, "_largest", lambda p, *rest: (sizes.append(p.size), largest(p, *rest))[1]
    )
    monkeypatch.setattr(distillation, "MOST_VALUES", 50 * len(VOCABULARY))
    again = np.array(teacher_predictions(teachers, IDS, top_k=3, folder=tmp_path / "again"))
    assert max(sizes) == 50 * len(VOCABULARY)
    np.testing.assert_allclose(again["probabilities"], whole["probabilities"], atol=1e-3)


@pytest.mark.parametrize("k", [1, 4, 9])
def test_the_largest_are_those_of_a_whole_sort(k):
    random = np.random.default_rng(k)
    found = random.random((200, 9)).astype("float32")
    found[::2] = np.round(found[::2], 1)  # many are equal
    kind = np.dtype([("ids", np.uint16, k), ("probabilities", np.float16, k + 1)])
    ids = distillation._largest(found, k, kind)["ids"]
    np.testing.assert_array_equal(ids, np.argsort(-found, axis=-1, kind="stable")[:, :k])


def test_they_are_computed_once_for_the_same_teachers_and_text(teachers, tmp_path, monkeypatch):
    calls, predict = [], distillation._predict
    monkeypatch.setattr(
        distillation, "_predict", lambda *args, **more: (calls.append(1), predict(*args, **more))
    )

    def count(models=teachers, ids=IDS, **options):
        teacher_predictions(models, ids, folder=tmp_path, **options)
        return len(calls)

    assert count() == 1 and count() == 1
    assert count(temperature=2.0) == 2 and count(ids=IDS[1:]) == 3 and count(teachers[:1]) == 4
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-100])  # damaged
    assert count() == 5
    bias = teachers[0].head.bias
    bias.assign(bias + 0.01)  # a stale file is not read
    assert count() == 6


def test_targets_carry_the_predictions_of_their_places(teachers, tmp_path):
    from rnnzoo.data import random_resets, stream_batches, window_batches, with_teacher

    found = teacher_predictions(teachers[0], IDS, top_k=2, folder=tmp_path)
    places = np.arange(len(IDS))
    for make in (stream_batches, functools.partial(window_batches, seed=3)):
        batches, positions = make(IDS, 4, 16), make(places, 4, 16)
        taught = with_teacher(make(IDS, 4, 16), make(places, 4, 16), found)
        if make is stream_batches:
            taught = random_resets(taught, 0.5)
        assert len(taught) == len(batches)
        for (_, labels, *_), (at, *_), (_, targets, weights) in zip(
            batches, positions, taught, strict=True
        ):
            at = at["tokens"] if isinstance(at, dict) else at
            real = weights.numpy() > 0
            np.testing.assert_array_equal(targets[..., 0], labels)
            np.testing.assert_array_equal(targets[..., 1:3][real], found["ids"][at][real])
            np.testing.assert_array_equal(targets[..., 3:][real], found["probabilities"][at][real])
    with pytest.raises(InputError, match="one target a row"):
        with_teacher(window_batches(IDS, 4, 16, many_to_one=True), positions, found)
    with pytest.raises(InputError, match="make both by the same arguments"):
        with_teacher(stream_batches(IDS, 4, 16), stream_batches(places, 2, 16), found)


@pytest.fixture
def run(tmp_path, monkeypatch, teachers):
    """Trains with a teacher, without publishing; `stop` is a batch after which it is killed."""
    from rnnzoo.publishing.train import train
    from rnnzoo.training import checkpoints

    monkeypatch.setattr(checkpoints, "SAVE_EVERY", -1)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    monkeypatch.setattr("rnnzoo.publishing.train.write_artifact", lambda trained: trained)
    (tmp_path / "text.txt").write_text(TEXT)
    path = tmp_path / "teacher.keras"
    teachers[0].save(path)
    recipe = TINY.with_teachers([str(path)], alpha=0.7)

    def once(out, stop=None, **options):
        callbacks = [] if stop is None else [Stop(stop)]
        try:
            return train(
                recipe, out=tmp_path / out, text_file=tmp_path / "text.txt", callbacks=callbacks,
                **options,
            )  # fmt: skip
        except KeyboardInterrupt:
            return None

    return once


class Stop(keras.callbacks.Callback):
    """Ends a training in its second epoch."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def weights_of(folder):
    model = keras.saving.load_model(folder / "checkpoint" / "last.keras")
    assert model.loss.alpha == 0.7
    return [np.asarray(variable) for variable in [*model.weights, *model.optimizer.variables]]


@pytest.mark.slow
def test_a_killed_training_with_a_teacher_ends_as_one_that_was_not(run, tmp_path, teachers):
    whole = run("whole")
    steps = json.loads((tmp_path / "whole" / "checkpoint" / "progress.json").read_text())["step"]
    run("cut", stop=steps // 2 + 3)
    run("cut", resume=True)
    for one, other in zip(
        weights_of(tmp_path / "whole"), weights_of(tmp_path / "cut"), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    ((name, sha),) = whole.run["teachers"].items()
    assert sha == distillation.digest(teachers[0])
    (line,) = _taught(whole.run, {"teacher_alpha": 0.7, "teacher_temperature": 1.0})
    assert sha[:12] in line and "0.7 of the loss" in line and "0.3 that with the labels" in line
    run("other", stop=2)
    teachers[0].head.bias.assign(teachers[0].head.bias + 1.0)
    teachers[0].save(name)  # another model by the same name
    with pytest.raises(InputError, match="is not the one that this training began with"):
        run("other", resume=True)


def test_teachers_that_cannot_be(teachers, tmp_path):
    other = rnnzoo.char_lstm(rnnzoo.Vocabulary.from_text("other symbols"), units=4)
    other.save(tmp_path / "other.keras")
    task = SimpleNamespace(model_class=rnnzoo.models.LanguageModel, vocabulary=VOCABULARY)
    with pytest.raises(InputError, match="the same text with the same tokens"):
        load_teachers([str(tmp_path / "other.keras")], task)
    with pytest.raises(InputError, match="a Seq2Seq, and the model to train a LanguageModel"):
        load_teachers(["gru_seq2seq_numbers"], task)
    with pytest.raises(InputError, match="different vocabularies"):
        teacher_predictions([teachers[0], other], IDS, folder=tmp_path)
    with pytest.raises(InputError, match="one or more language models, not none"):
        teacher_predictions([], IDS, folder=tmp_path)
    with pytest.raises(InputError, match="encode it with the teachers' vocabulary"):
        teacher_predictions(teachers, IDS + len(VOCABULARY), folder=tmp_path)
    with pytest.raises(InputError, match="for language models and translators"):
        recipes.get("sentiment_imdb").with_teachers(["a"])
    with pytest.raises(InputError, match="streams or windows"):
        replace(TINY, batches="documents", reset_probability=0.0).with_teachers(["a"])
    with pytest.raises(InputError, match="leave out one of the two"):
        replace(TINY, label_smoothing=0.1).with_teachers(["a"])
    with pytest.raises(InputError, match="alpha"):
        TINY.with_teachers(["a"], alpha=2)


def test_the_record_of_a_run_has_its_teachers():
    """So the card gives the command, and the model can be published."""
    chosen, given = recipes.get("char_lstm_tiny"), {"teacher": "a,b", "teacher_alpha": 0.7}
    paths = {"out": None, "text_file": None, "from_model": None}
    noted = overrides(chosen, given, fold_lookalikes=False, **paths)
    recipe = chosen.with_options(given)
    assert (recipe.teachers, recipe.teacher_alpha) == (("a", "b"), 0.7)
    assert chosen.with_options({"teacher": " a, b"}).teachers == ("a", "b")
    told = command(noted, recipe.as_json())
    assert told == "rnnzoo train char_lstm_tiny --teacher a,b --teacher-alpha 0.7"
    record = {"recipe": chosen.name, "recipe_arguments": recipe.as_json()}
    _check_recipe({**record, "training": {"overrides": noted}})
    with pytest.raises(InputError, match=r"trained with teacher_alpha 0\.7"):
        _check_recipe({**record, "training": {"overrides": {**noted, "options": {}}}})
    with pytest.raises(InputError, match="--teacher-alpha"):
        chosen.with_options({"teacher_alpha": 0.5})
    for none in ("", "a,", ["a"]):
        with pytest.raises(InputError, match="names or paths with commas"):
            chosen.with_options({"teacher": none})
