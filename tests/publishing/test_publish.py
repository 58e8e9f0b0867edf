"""From a trained folder to the zoo and back to its figure."""

import csv
import hashlib
import json
import re
import shutil
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rnnzoo
from rnnzoo import recipes, zoo
from rnnzoo.data import corpora
from rnnzoo.data.named import tiny_shakespeare
from rnnzoo.errors import InputError
from rnnzoo.evaluation import KneserNey
from rnnzoo.models.base import ZooModel
from rnnzoo.publishing import publish
from rnnzoo.publishing.card import _last_checkpoint
from rnnzoo.publishing.evaluate import RECORD_FILE, evaluate
from rnnzoo.publishing.publish import publish_model
from rnnzoo.publishing.train import train
from rnnzoo.tasks.splits import load_corpus
from rnnzoo.tasks.translation import TranslationTask


@pytest.fixture(scope="module")
def trained(small_data, tmp_path_factory):
    """The folders of three trainings, without the SavedModels, which take most of the time.

    Their recipes are those of the names as long as these tests run.
    """
    names = ("char_lstm_tiny", "multi30k_en_de_tiny", "imdb_lm_tiny")
    changes = {"imdb_lm_tiny": {"corpus_options": {"unlabelled": True}, "epochs": 2}}
    out, folders = tmp_path_factory.mktemp("trained"), {}
    with pytest.MonkeyPatch.context() as registered, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ZooModel, "export", lambda *arguments, **options: None)
        for name in names:
            recipe = replace(recipes.get(name), **{"epochs": 1, **changes.get(name, {})})
            registered.setitem(recipes.registry._RECIPES, name, recipe)
            folders[name] = train(name, data_dir=small_data, out=out / name)
        patch.undo()
        yield folders


@pytest.fixture(scope="module")
def made(trained, small_data, tmp_path_factory):
    """A zoo with a character model, a translator and a model of reviews, published once."""
    folder = tmp_path_factory.mktemp("zoo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "folder", lambda: folder)
        publish_model(trained["char_lstm_tiny"], "char_lstm_small", data_dir=small_data)
        publish_model(trained["multi30k_en_de_tiny"], "captions", data_dir=small_data)
        publish_model(trained["imdb_lm_tiny"], "reviews", data_dir=small_data)
    return folder


@pytest.fixture
def zoo_folder(made, tmp_path, monkeypatch):
    """A copy of that zoo, for a test to change."""
    folder = tmp_path / "zoo"
    shutil.copytree(made, folder)
    monkeypatch.setattr(zoo, "folder", lambda: folder)
    return folder


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_what_is_published(zoo_folder, trained):
    assert rnnzoo.list_models() == ["captions", "char_lstm_small", "reviews"]
    entry, path = zoo.index()["char_lstm_small"], zoo_folder / "char_lstm_small" / "model.keras"
    record = json.loads((path.parent / "metrics.json").read_text())
    assert {file.name for file in path.parent.iterdir()} == {
        "model.keras", "card.md", "metrics.json", "curve.png",
    }  # fmt: skip
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert entry.bytes == path.stat().st_size
    assert (entry.family, entry.builder) == ("LanguageModel", "char_lstm")
    assert (entry.corpus, entry.recipe) == ("tiny_shakespeare", "char_lstm_tiny")
    assert entry.parameters == record["model"]["parameters"] and entry.in_wheel
    value = record["figures"]["nats_per_character"]
    assert entry.figure == {"name": "nats_per_character", "value": value, "split": "validation"}
    assert record["training"]["overrides"]["out"] == "trained/char_lstm_small"
    assert "--out trained/char_lstm_small" in (path.parent / "card.md").read_text()
    ignored = (zoo_folder / ".gitignore").read_text().splitlines()
    assert "/*" in ignored and "!/char_lstm_small/" in ignored and "!/index.json" in ignored
    assert not [file for file in zoo_folder.iterdir() if ".partial." in file.name]

    before = zoo.load(trained["char_lstm_tiny"])
    for old, new in zip(before.weights, zoo.load("char_lstm_small").weights, strict=True):
        rounded = old.numpy().astype("float16").astype("float32")
        assert new.dtype == "float32"
        np.testing.assert_array_equal(new.numpy(), rounded)
    assert path.stat().st_size < 0.6 * (trained["char_lstm_tiny"] / "model.keras").stat().st_size


def test_the_card(zoo_folder):
    card = (zoo_folder / "char_lstm_small" / "card.md").read_text()
    assert card.startswith("# char_lstm_small\n")
    assert "`rnnzoo evaluate char_lstm_small` measures these figures again." in card
    rounding = r"validation nats per character (\S+), before the rounding (\S+) \((\S+)\)\.\n"
    after, before, cost = map(float, re.search(rounding, card).groups())
    assert after - before == pytest.approx(cost, abs=1e-4) and abs(cost) < 0.01
    assert "https://github.com/karpathy/char-rnn" in card
    assert "seeds 0, 1 and 2, drawn at temperature 0.8" in card
    assert "A model trained on it ships with the package: the text is in the public" in card
    card = (zoo_folder / "captions" / "card.md").read_text()
    assert "**Test symbols right" in card and "**Validation symbols right" in card
    assert "20 pairs: the multi30k_en_de test split" in card
    assert re.search(r"validation perplexity teacher forced \S+, before the rounding \S+ \(", card)
    assert "`rnnzoo evaluate captions` measures the figures of the test data again." in card
    assert "first three validation texts, translated by greedy search, which draws" in card
    assert "may not ship with the package" in card


def test_the_last_checkpoint_stands_beside_the_best(trained):
    folder = trained["imdb_lm_tiny"]
    record = json.loads((folder / "metrics.json").read_text())
    with open(folder / "log.csv", newline="") as file:
        found = [float(row["val_perplexity"]) for row in csv.DictReader(file) if row["val_loss"]]
    checkpoints = record["training"]["checkpoints"]
    assert checkpoints["figure"] == "perplexity" and len(found) == 2
    assert checkpoints["last"] == found[-1]
    assert checkpoints["best"] == pytest.approx(min(found), abs=1e-4)
    (line,) = _last_checkpoint(record["training"])  # whichever was the better one here
    assert line in (folder / "card.md").read_text()
    record = json.loads((trained["char_lstm_tiny"] / "metrics.json").read_text())
    checkpoints = record["training"]["checkpoints"]
    assert checkpoints["figure"] == "nats_per_character"
    assert checkpoints["last"] == pytest.approx(record["figures"]["nats_per_character"], rel=0.01)


def test_the_reviews_figures_are_those_of_the_test_reviews(zoo_folder, small_data):
    """Each review alone, from an empty state, and the n-grams on the same tokens."""
    entry, model = zoo.index()["reviews"], zoo.load("reviews")
    lines = (small_data / "imdb" / "test.jsonl").read_text().splitlines()
    held_out = model.vocabulary.encode_documents(json.loads(line)["text"] for line in lines)
    nats = tokens = 0
    for ids in held_out:
        logits = np.asarray(model(ids[None, :-1]), "float64")[0]  # (T, V)
        nats += (np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(ids) - 1), ids[1:]]).sum()
        tokens += len(ids) - 1
    assert entry.figure["name"] == "perplexity" and entry.figure["split"] == "test"
    assert entry.figure["value"] == pytest.approx(np.exp(nats / tokens), rel=1e-4)
    assert not entry.in_wheel
    record = json.loads((zoo_folder / "reviews" / "metrics.json").read_text())
    assert record["test"]["figures"]["tokens"] == tokens
    read = corpora.load("imdb_reviews", data_dir=small_data, unlabelled=True).documents
    assert len(read) == 120 - 12 + 40
    bigram = KneserNey(len(model.vocabulary), 2).fit(model.vocabulary.encode_documents(read))
    expected = bigram.perplexity(held_out)
    assert record["test"]["baselines"]["kneser_ney_2gram_perplexity"] == pytest.approx(expected)
    card = (zoo_folder / "reviews" / "card.md").read_text()
    test = card[card.index("Test data, on the same tokens") :]
    assert f"| interpolated Kneser-Ney 2gram | {expected:.2f} |" in test


@pytest.mark.parametrize("name", ["char_lstm_small", "captions", "reviews"])
def test_the_figure_is_made_again(zoo_folder, small_data, name):
    found = evaluate(name, data_dir=small_data)
    assert found.different == []
    assert found.split == zoo.index()[name].figure["split"]
    quoted = next(iter(found.now))
    assert quoted == zoo.index()[name].figure["name"]
    assert found.now[quoted] == pytest.approx(zoo.index()[name].figure["value"], rel=1e-5)


def test_the_test_split(zoo_folder, small_data):
    """The figure of the card is that of the test texts, counted here by hand."""
    assert zoo.index()["captions"].figure["split"] == "test"
    assert not zoo.index()["captions"].in_wheel
    record = json.loads((zoo_folder / "captions" / "metrics.json").read_text())
    sources, targets = (
        (small_data / "multi30k" / f"test_2016_flickr.{language}").read_text().splitlines()
        for language in ("en", "de")
    )
    model = zoo.load("captions")
    split = model.target_vocabulary.split
    references = [split(target) for target in targets]
    longest = max(map(len, references)) + 5
    written = [split(text) for text in model.translate(sources, max_new_tokens=longest)]
    right = sum(
        one == wanted
        for text, reference in zip(written, references, strict=True)
        for one, wanted in zip(text, reference, strict=False)
    )
    share = right / sum(map(len, references))
    assert record["test"]["figures"]["symbols_right"] == pytest.approx(share)
    assert record["test"]["figures"] != record["figures"]
    rows = (json.dumps(pair) for pair in zip(sources, targets, strict=True))
    sha256 = hashlib.sha256("\n".join(["test", *rows, ""]).encode()).hexdigest()
    assert record["test"]["sha256"] == sha256
    card = (zoo_folder / "captions" / "card.md").read_text()
    assert f"- SHA-256 of the test data: `{sha256}`\n" in card


def test_test_pairs_are_translated_for_published_cards_alone(small_data, tmp_path, monkeypatch):
    measured = []

    def quality(self, model, pairs):
        measured.append(pairs)
        return {"bleu_greedy": 12.5}

    monkeypatch.setattr(TranslationTask, "_quality", quality)
    monkeypatch.setattr(ZooModel, "export", lambda *arguments, **options: None)
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path / "zoo")
    recipe = "gru_seq2seq_multi30k_en_de_tiny"
    test = load_corpus(recipes.get(recipe), data_dir=small_data).test
    out = train(recipe, data_dir=small_data, out=tmp_path / "out", epochs=1)
    assert len(measured) == 1 and test not in measured

    measured.clear()
    record = json.loads((publish_model(out, "new", data_dir=small_data) / RECORD_FILE).read_text())
    assert len(measured) == 3 and measured.count(test) == 1
    assert record["figures"]["bleu_greedy"] == record["test"]["figures"]["bleu_greedy"] == 12.5
    for model, times in ((out, 0), ("new", 1)):
        measured.clear()
        assert evaluate(model, data_dir=small_data).different == []
        assert len(measured) == 1 and measured.count(test) == times


def test_another_corpus_is_refused(zoo_folder, small_data, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(small_data, data)
    for language in ("en", "de"):
        test = small_data / "multi30k" / f"test_2016_flickr.{language}"
        shutil.copy(test, data / "multi30k" / f"val.{language}")
    with pytest.raises(InputError, match="are of another text: multi30k_en_de"):
        evaluate("captions", data_dir=data)


def test_differences_are_found(zoo_folder, small_data):
    path = zoo_folder / "char_lstm_small" / "metrics.json"
    record = json.loads(path.read_text())
    record["figures"]["bits_per_character"] *= 1.01
    record["figures"]["older"] = 1.0
    path.write_text(json.dumps(record))
    found = evaluate("char_lstm_small", data_dir=small_data)
    assert found.different == ["bits_per_character", "older"]


def test_a_trained_folder_and_a_bare_model(trained, small_data, tmp_path):
    found = evaluate(trained["char_lstm_tiny"], data_dir=small_data)
    assert found.different == [] and found.split == "validation"
    shutil.copy(trained["char_lstm_tiny"] / "model.keras", tmp_path)
    with pytest.raises(InputError, match=r"no metrics.json beside the model"):
        evaluate(tmp_path, data_dir=small_data)
    for damaged in ("{", "[]", "{}", '{"recipe": "char_lstm_tiny"}'):
        (tmp_path / "metrics.json").write_text(damaged)
        with pytest.raises(InputError, match=r"metrics.json is damaged; restore it, or train"):
            evaluate(tmp_path, data_dir=small_data)


class NothingToMeasure:
    """A task with the figures of the card and no data."""

    corpus = types.SimpleNamespace(splits={})

    def __init__(self, record, model, **given):
        self.figures, self.split = record["figures"], record["split"]

    def evaluate(self, model):
        return self.figures

    def sample(self, model, seed):
        return f"to be {seed}"


def full(models):
    raise OSError(28, "No space left on device")


def test_publishing_again_replaces_or_changes_nothing(zoo_folder, trained, monkeypatch):
    monkeypatch.setattr(publish, "make_task", NothingToMeasure)
    source = trained["char_lstm_tiny"]
    before, untouched = content(zoo_folder), content(source)

    with monkeypatch.context() as patch:
        patch.setattr(publish, "_write_index", full)
        for name in ("char_lstm_small", "another"):
            with pytest.raises(OSError, match="No space left"):
                publish_model(source, name, overwrite=True)
            assert content(zoo_folder) == before
    publish_model(source, "char_lstm_small", overwrite=True)
    after = content(zoo_folder)
    assert after.keys() == before.keys()
    model = zoo_folder / "char_lstm_small" / "model.keras"
    assert after[model.relative_to(zoo_folder)] == before[model.relative_to(zoo_folder)]
    assert zoo.load("char_lstm_small") and content(source) == untouched


def test_a_published_saved_model(zoo_folder, trained, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(publish, "make_task", NothingToMeasure)
    publish_model(trained["char_lstm_tiny"], "char_lstm_small", saved_model=True, overwrite=True)
    exported = tf.saved_model.load(zoo_folder / "char_lstm_small" / "saved_model")
    text = "the film was good"
    ids = zoo.load("char_lstm_small").vocabulary.encode(text)[None]  # (1, T)
    logits = np.asarray(zoo.load("char_lstm_small")(ids[:, :-1]), "float64")[0]
    nats = np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(text) - 1), ids[0, 1:]]
    found = exported.score(tf.constant([text]))
    np.testing.assert_allclose(found["nats"].numpy(), [nats.sum()], rtol=1e-4)


def test_what_cannot_be_published(zoo_folder, trained, small_data, tmp_path):
    source, before = trained["char_lstm_tiny"], content(zoo_folder)

    def refused(sentence, folder=source, name="fine"):
        with pytest.raises(InputError, match=sentence):
            publish_model(folder, name, data_dir=small_data)
        assert content(zoo_folder) == before

    for name in ("", "../up", "Big", "a b", "a/b"):
        refused("not fit for the zoo", name=name)
    refused("where the published model goes", zoo_folder / "captions", "captions")
    refused("There is no .*curve.png", tmp_path / "absent")
    copy = tmp_path / "copy"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("checkpoint", "saved_model"))
    record = json.loads((copy / "metrics.json").read_text())
    record["figures"]["nats_per_character"] += 0.2
    (copy / "metrics.json").write_text(json.dumps(record))
    refused("here, but its card says", copy)


def test_what_was_found_in_the_test_split_is_on_the_card(zoo_folder, trained, monkeypatch):
    class Tested(NothingToMeasure):
        corpus = types.SimpleNamespace(splits={"test": ["a"]}, notes=["1 text occurs in train."])
        split = "1 text: the validation split"

        def baselines(self):
            return {}

    monkeypatch.setattr(publish, "make_task", lambda *arguments, **given: Tested(*arguments[:2]))
    publish_model(trained["char_lstm_tiny"], "char_lstm_small", overwrite=True)
    card = (zoo_folder / "char_lstm_small" / "card.md").read_text()
    assert "- Note: 1 text occurs in train.\n" in card


def test_a_recipe_that_would_not_make_the_model_again(zoo_folder, trained, monkeypatch):
    monkeypatch.setattr(publish, "make_task", NothingToMeasure)
    before, recipe = content(zoo_folder), recipes.get("char_lstm_tiny")

    def change(**changes):
        registry = recipes.registry._RECIPES
        monkeypatch.setitem(registry, "char_lstm_tiny", replace(recipe, **changes))

    change(builder_options={"units": 17}, temperature=0.5)
    sentence = "with builder_options {'units': 16, 'num_layers': 1}, .* has {'units': 17} now"
    with pytest.raises(InputError, match=sentence):
        publish_model(trained["char_lstm_tiny"], "char_lstm_small", overwrite=True)
    assert content(zoo_folder) == before
    change(temperature=0.5, description="Small.", expected="Much.")
    publish_model(trained["char_lstm_tiny"], "char_lstm_small", overwrite=True)
    noted = json.loads((zoo_folder / "char_lstm_small" / RECORD_FILE).read_text())
    words = noted["recipe_arguments"]
    assert (words["description"], words["expected"]) == ("Small.", "Much.")
    assert noted["description"] == "Small."


def test_cards_in_new_words(zoo_folder, monkeypatch):
    before = content(zoo_folder)
    publish.rewrite_cards()
    assert content(zoo_folder) == before  # samples too
    recipe = replace(recipes.get("char_lstm_tiny"), description="Small.")
    monkeypatch.setitem(recipes.registry._RECIPES, "char_lstm_tiny", recipe)
    publish.rewrite_cards()
    after = content(zoo_folder)
    changed = {str(path) for path in after if after[path] != before[path]}
    assert changed == {"char_lstm_small/card.md", "char_lstm_small/metrics.json"}
    assert b"# char_lstm_small\n\nSmall.\n" in after[Path("char_lstm_small/card.md")]


def test_cards_and_index_under_new_terms(zoo_folder, monkeypatch):
    about = replace(tiny_shakespeare.ABOUT, redistributable=False, reason="nobody knows")
    monkeypatch.setattr(tiny_shakespeare, "ABOUT", about)
    publish.rewrite_cards()
    assert "may not ship" in (zoo_folder / "char_lstm_small" / "card.md").read_text()
    assert not zoo.index()["char_lstm_small"].in_wheel


def test_a_zoo_that_would_be_too_large(zoo_folder, trained, monkeypatch):
    monkeypatch.setattr(publish, "make_task", NothingToMeasure)
    before = content(zoo_folder)
    before.pop(Path(".gitignore"))
    counted = {"index.json", *(one.name for one in zoo.index().values() if one.in_wheel)}
    size = sum(len(each) for path, each in before.items() if path.parts[0] in counted)
    monkeypatch.setattr(publish, "MOST_BYTES", size + 1000)
    publish_model(
        trained["char_lstm_tiny"], "char_lstm_small", overwrite=True
    )  # takes its own place
    with pytest.raises(
        InputError, match=r"With another the models in the wheel would have [\d,]+ b"
    ):
        publish_model(trained["char_lstm_tiny"], "another")
    assert content(zoo_folder).keys() - {Path(".gitignore")} == before.keys()


def test_publishing_that_was_killed_between_two_renames(zoo_folder, trained, monkeypatch):
    monkeypatch.setattr(publish, "make_task", NothingToMeasure)
    before = content(zoo_folder)
    (zoo_folder / "char_lstm_small").rename(zoo_folder / ".old.char_lstm_small")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(publish, "_write_index", full)
        publish_model(trained["char_lstm_tiny"], "char_lstm_small", overwrite=True)
    assert content(zoo_folder) == before


def test_no_training_overwrites_what_is_published(zoo_folder, tmp_path, monkeypatch):
    saved_models = tmp_path / "saved_models"
    zoo_folder.rename(saved_models)
    monkeypatch.setattr(zoo, "folder", lambda: saved_models)
    monkeypatch.chdir(tmp_path)
    before = content(saved_models)
    (tmp_path / "text.txt").write_text("to be, or not to be " * 200)
    recipe = replace(recipes.get("char_lstm_tiny"), name="char_lstm_small", epochs=1)
    for out in ("saved_models/char_lstm_small", saved_models / "captions"):
        with pytest.raises(InputError, match=r"holds a published model.*give another --out"):
            train(recipe, text_file="text.txt", out=out)
    monkeypatch.setattr(ZooModel, "export", lambda *arguments, **options: None)
    assert train(recipe, text_file="text.txt") == Path("trained/char_lstm_small")
    recipe = replace(recipe, name="other")
    assert train(recipe, text_file="text.txt") == Path("saved_models/other")
    assert before.items() <= content(saved_models).items()
