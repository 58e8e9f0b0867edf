"""Classification: from a recipe to a card, and figures against their definitions."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rnnzoo import Vocabulary, char_lstm, load, recipes, word_lm
from rnnzoo.data import corpora
from rnnzoo.errors import InputError
from rnnzoo.evaluation.naive_bayes import naive_bayes
from rnnzoo.publishing.evaluate import evaluate
from rnnzoo.publishing.train import train
from rnnzoo.tasks.classification import ClassificationTask
from rnnzoo.tasks.own_text import folded
from rnnzoo.tasks.splits import load_corpus

TINY = recipes.get("sentiment_tiny")


@pytest.fixture(scope="module")
def task(small_data):
    return ClassificationTask(TINY, load_corpus(TINY, data_dir=small_data))


def test_figures_are_those_of_the_labels(task):
    model = task.build("float32")
    model.compile()
    figures = task.evaluate(model)
    found = model.classify([text for text, _ in task.held_out])
    labels = np.array([label for _, label in task.held_out])
    right = np.array([one.label for one in found]) == labels
    assert figures["accuracy"] == right.mean() and figures["texts"] == len(labels)
    for label, share in figures["accuracy_by_label"].items():
        assert share == right[labels == label].mean()
    own = model.evaluate(task.validation, verbose=0, return_dict=True)
    np.testing.assert_allclose(figures["accuracy"], own["accuracy"], rtol=1e-6)
    np.testing.assert_allclose(figures["nats_per_text"], own["loss"], rtol=1e-4)


def test_naive_bayes_learns_words_and_pairs():
    train = [("not good", "no"), ("very good", "yes"), ("not bad", "yes"), ("very bad", "no")] * 3
    assert naive_bayes(train, train) == 1.0  # no single word tells
    assert naive_bayes([("a", "x"), ("b", "y"), ("b", "y")], [("unseen", "y"), ("c", "x")]) == 0.5


def test_the_card_and_the_figures_made_again(trained, small_data):
    folder = trained("sentiment_tiny")
    card = (folder / "card.md").read_text()
    assert "rnnzoo train sentiment_tiny --out" in card
    assert "| naive Bayes |" in card and "**Validation accuracy " in card
    assert "-> positive (" in card or "-> negative (" in card
    assert not evaluate(folder, data_dir=small_data).different
    record = json.loads((folder / "metrics.json").read_text())
    assert record["training"]["checkpoints"]["figure"] == "accuracy"


@pytest.fixture
def model_alone(monkeypatch):
    """A training leaves its last model, without card, figures and SavedModel."""

    def write(trained):
        trained.model.save(trained.out / "model.keras")
        return trained.out

    monkeypatch.setattr("rnnzoo.publishing.train.write_artifact", write)


def test_it_starts_from_the_language_model_of_the_recipe(small_data, tmp_path, model_alone):
    path = tmp_path / "lm.keras"
    texts = [text for text, _ in load_corpus(TINY, data_dir=small_data).labelled]
    vocabulary = ClassificationTask(TINY, load_corpus(TINY, data_dir=small_data)).vocabulary
    language_model = word_lm(vocabulary, units=7, embedding_dim=5)
    language_model.save(path)
    recipe = replace(
        TINY, language_model=str(path), builder_options={"dropout": 0.2}, vocabulary={}, epochs=1,
        unfreeze_epochs=1.0,
    )  # fmt: skip
    folder = train(recipe, data_dir=small_data, out=tmp_path / "out")
    model = load(folder)
    assert model.vocabulary.tokens == vocabulary.tokens and model.recurrent.units == [7]
    # In the first epoch the head alone learns.
    before = np.asarray(language_model.embeddings())
    assert np.array_equal(np.asarray(model.embedding.embeddings), before)
    progress = json.loads((folder / "checkpoint/progress.json").read_text())
    assert progress["from_model"] == str(path)
    assert model.classify(texts[0]).label in ("negative", "positive")
    # It goes on from a classifier, too.
    task = ClassificationTask(recipe, load_corpus(recipe, data_dir=small_data), model=model)
    assert task.labels == model.labels and task.start is None


def test_own_texts_and_what_they_lack(small_data, trained, tmp_path, model_alone):
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"film number {n},{'ab'[n % 2]}\n" for n in range(60)))
    folder = train(TINY, text_file=path, out=tmp_path / "own", epochs=1)
    assert load(folder).labels == ("a", "b")
    with pytest.raises(InputError, match="has the labels a, b, and the model knows negative"):
        train(TINY, text_file=path, out=tmp_path / "x", from_model=trained("sentiment_tiny"))
    with pytest.raises(InputError, match="is a TextClassifier"):
        train("imdb_lm_tiny", data_dir=small_data, out=tmp_path / "y",
              from_model=trained("sentiment_tiny"))  # fmt: skip
    path.write_text("text,label\n" + "".join(f"film {n},a\n" for n in range(60)))
    with pytest.raises(InputError, match="have 1 label"):
        train(TINY, text_file=path, out=tmp_path / "z")
    (tmp_path / "plain.txt").write_text("to be or not to be")
    with pytest.raises(InputError, match=r"come as a \.jsonl file"):
        train(TINY, text_file=tmp_path / "plain.txt", out=tmp_path / "z")


def test_folding_leaves_labels(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("text,label\n\u201cgood\u201d,it\u2019s\nbad,no\n")
    words = Vocabulary.from_text('"good bad"')
    corpus = folded(corpora.load(path, kind="labelled"), [words], TINY)
    assert corpus.labelled == [('"good"', "it\u2019s"), ("bad", "no")]


def test_language_models_that_it_cannot_start_from(small_data):
    corpus = load_corpus(TINY, data_dir=small_data)
    with pytest.raises(InputError, match=r"its own size \(embedding_dim, units\)"):
        ClassificationTask(TINY, corpus, model=word_lm(9, units=3))
    recipe = replace(TINY, builder_options={})
    with pytest.raises(InputError, match="has no padding"):
        ClassificationTask(recipe, corpus, model=char_lstm(Vocabulary.from_text("abc"), units=3))
    with pytest.raises(InputError, match="those of word_lm_imdb"):
        recipes.get("sentiment_imdb").with_options({"level": "character"})


@pytest.mark.parametrize(
    "change",
    [
        {"rate_decay": 0.5},
        {"unfreeze_epochs": -1},
        {"batches": "streams"},
        {"label_smoothing": 0.1},
        {"weight_decay": 0.1},
    ],
)
def test_recipes_that_cannot_be(change):
    with pytest.raises(InputError):
        replace(TINY, **change)
