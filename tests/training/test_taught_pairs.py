"""Translators as teachers: what they make of the training sources, and how it is learnt."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import rnnzoo
from rnnzoo import recipes
from rnnzoo.data.corpora import load
from rnnzoo.errors import InputError
from rnnzoo.publishing.card import _taught
from rnnzoo.tasks import TranslationTask
from rnnzoo.training import taught_pairs
from rnnzoo.training.distillation import digest
from rnnzoo.training.taught_pairs import teacher_translations

pytest.importorskip("tensorflow", reason="tf.data")

TINY = replace(
    recipes.get("spelled_numbers_tiny"),
    corpus_options={"min_digits": 1, "max_digits": 2, "samples": 40, "validation_samples": 10},
    builder_options={"units": 4, "embedding_dim": 4},
    dtype="float32",
)


@pytest.fixture(scope="module")
def corpus():
    return load("spelled_numbers", **TINY.corpus_options)


@pytest.fixture
def teacher(corpus):
    """A teacher that writes something, which is wrong."""
    keras.utils.set_random_seed(1)
    model = TranslationTask(TINY, corpus).build("float32")
    for weight in model.trainable_variables:
        weight.assign(3 * weight)
    return model


def test_translations_are_made_once_for_the_same_teacher_and_sources(
    teacher, tmp_path, monkeypatch
):
    calls, translate_all = [], taught_pairs.translate_all
    monkeypatch.setattr(
        taught_pairs, "translate_all", lambda *args: (calls.append(1), translate_all(*args))[1]
    )
    sources = ["one", "two five six", "nine one", "one"]

    def count(sources=sources):
        texts = teacher_translations(teacher, sources, folder=tmp_path)
        assert texts == [
            teacher.translate(one, beam_width=5, length_penalty=0.6) for one in sources
        ]
        return len(calls)

    assert count() == 1 and count() == 1 and count(sources[:3]) == 2
    for file in tmp_path.iterdir():
        file.write_text(file.read_text()[:-3])  # damaged
    assert count() == 3
    for file in tmp_path.iterdir():
        file.write_text("[1, 2, 3, 4]")
    assert count() == 4
    bias = teacher.decoder.head.bias
    bias.assign(bias + np.arange(bias.shape[0]))  # another teacher
    assert count() == 5


def rows_of(batches, task):
    """The pairs of batches as texts, sorted."""
    found = []
    for inputs, targets, _ in batches:
        for source, target in zip(inputs["source"].numpy(), targets.numpy(), strict=True):
            texts = [
                side.decode([i for i in ids if i not in (0, side.end_id)])
                for side, ids in zip(task.vocabularies, (source, target), strict=True)
            ]
            found.append(tuple(texts))
    return sorted(found)


def test_what_teachers_write_stands_beside_the_pairs_of_the_corpus(corpus):
    task = TranslationTask(TINY, corpus)
    own = rows_of(task.train, task)
    sources = task.training_sources
    first = ["7"] * len(sources)
    second = ["", *["12"] * (len(sources) - 1)]  # an empty one teaches nothing
    task.distil([first, second])
    expected = [*own, *zip(sources, first, strict=True), *zip(sources[1:], second[1:], strict=True)]
    assert rows_of(task.train, task) == sorted(expected)
    assert rows_of(task.validation, task) == rows_of(TranslationTask(TINY, corpus).validation, task)
    with pytest.raises(InputError, match="z"):
        task.distil([["z"] * len(sources)])


def test_a_training_with_a_teacher(teacher, tmp_path, monkeypatch):
    from rnnzoo.publishing.train import train

    monkeypatch.setattr("rnnzoo.publishing.train.write_artifact", lambda trained: trained)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    path = str(tmp_path / "teacher.keras")
    teacher.save(path)
    plain = train(TINY, out=tmp_path / "plain", epochs=1)
    taught = train(TINY, out=tmp_path / "taught", epochs=1, teacher=path)
    assert len(taught.task.train) > len(plain.task.train)
    assert taught.run["teachers"] == {path: digest(teacher)}
    (line,) = _taught(taught.run, taught.task.recipe.as_json())
    assert digest(teacher)[:12] in line and "Kim and Rush" in line
    assert len(list((tmp_path / "keras").rglob("*.json"))) == 1


def test_what_cannot_be(tmp_path):
    with pytest.raises(InputError, match=r"--teacher-alpha \(0\.5\) is of a language model's loss"):
        TINY.with_options({"teacher": "a", "teacher_alpha": 0.5})
    with pytest.raises(InputError, match="must be a translator, not a LanguageModel"):
        teacher_translations(rnnzoo.char_lstm(9, units=4), ["one"], folder=tmp_path)
    model = rnnzoo.load("gru_seq2seq_numbers")
    with pytest.raises(InputError, match="no sources"):
        teacher_translations(model, [], folder=tmp_path)
