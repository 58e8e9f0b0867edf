"""The published models of this checkout: whole, small, and what their cards and the README say."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
import tensorflow as tf

from rnnzoo import Vocabulary, recipes, zoo
from rnnzoo.data import corpora
from rnnzoo.publishing.card import card
from rnnzoo.publishing.evaluate import read_record
from rnnzoo.publishing.publish import _check_recipe, _entry
from rnnzoo.publishing.report import readable

WORDS = "zero one two three four five six seven eight nine".split()
# At the start of a word: not within a URL, "8/10" or a relative path.
FOLDER_OF_A_MACHINE = re.compile(r"""(?:^|[\s'"=(`])/\w""")


def test_their_characters_are_those_of_a_vocabulary_made_today():
    """So they can teach new models, and be taken together with these."""
    names = [name for name in zoo.index() if name.startswith("char_")]
    assert names
    for name in names:
        own = zoo.load(name).vocabulary
        made = Vocabulary.from_text("".join(token for token in own.tokens if len(token) == 1))
        assert own == made and hash(own) == hash(made)


def test_the_models_of_this_checkout():
    """Every published model is whole and loads; those in the wheel are small together."""
    assert zoo.index()
    for name, published in zoo.index().items():
        path = zoo.find(name)
        assert path.stat().st_size == published.bytes
        loaded = zoo.load(name)
        assert type(loaded).__name__ == published.family
        assert loaded.count_params() == published.parameters
        assert published.in_wheel == corpora.about(published.corpus).redistributable
        assert published == _entry(read_record(path.parent), loaded, path.parent)
        for file in ("card.md", "curve.png", "metrics.json"):
            assert (path.parent / file).is_file(), f"{name} has no {file}"
        assert not FOLDER_OF_A_MACHINE.search((path.parent / "card.md").read_text())
        assert not FOLDER_OF_A_MACHINE.search((path.parent / "metrics.json").read_text())
    files = [zoo.folder() / "index.json"]
    for name, published in zoo.index().items():
        files += (zoo.folder() / name).rglob("*") if published.in_wheel else ()
    assert sum(path.stat().st_size for path in files) < 50e6


def test_the_smallest_one_has_its_saved_model():
    smallest = min(zoo.index().values(), key=lambda published: published.parameters)
    exported = tf.saved_model.load(zoo.folder() / smallest.name / "saved_model")
    words = ["one two five", "nine nine zero"]
    written = exported.translate(tf.constant(words)).numpy()
    assert [text.decode() for text in written] == zoo.load(smallest.name).translate(words)


def test_folders_of_a_machine_are_seen():
    for text in (
        "--out /out",
        "--out /home/me/out",
        "--out=/home/me/out",
        "train('imdb_lm', out='/home/me')",
    ):
        assert FOLDER_OF_A_MACHINE.search(text)
    assert not FOLDER_OF_A_MACHINE.search("--out trained/imdb_lm https://github.com/a 8/10 and/or")


@pytest.mark.parametrize("name", sorted(zoo.index()))
def test_recipe_and_card_of_a_published_model_are_those_of_today(name):
    record = json.loads((zoo.folder() / name / "metrics.json").read_text(encoding="utf-8"))
    _check_recipe(record)
    recipe = recipes.get(record["recipe"])
    for words in ("description", "expected", "limits"):
        assert record["recipe_arguments"][words] == getattr(recipe, words)
    written = (zoo.folder() / name / "card.md").read_text(encoding="utf-8")
    assert written == card(record) and len(record["samples"]) == 3


def test_the_published_reader_of_numbers_reads():
    model = zoo.load("gru_seq2seq_numbers")
    new = corpora.load(
        "spelled_numbers", seed=12345, min_digits=1, samples=1, validation_samples=200
    )
    assert len(wrong(model, new.validation)) <= 1


def test_the_published_reader_of_numbers_keeps_its_place():
    """Digits that repeat, of all lengths: 111, 4949, 360360360."""
    blocks = [*"0123456789", "10", "49", "360", "588", "012", "1234"]
    numbers = sorted({(block * 20)[:length] for block in blocks for length in range(1, 21)})
    pairs = [(" ".join(WORDS[int(digit)] for digit in number), number) for number in numbers]
    failed = wrong(zoo.load("gru_seq2seq_numbers"), pairs)
    assert len(pairs) == 314 and len(failed) <= 3, failed


def wrong(model, pairs):
    words, numbers = zip(*pairs, strict=True)
    written = model.translate(list(words))
    return [pair for pair in zip(numbers, written, strict=True) if len(set(pair)) > 1]


def test_the_readme_quotes_the_published_figures():
    lines = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    for name, published in zoo.index().items():
        _, value = readable(published.figure["name"], published.figure["value"])
        assert value in rows[name]
        record = json.loads((zoo.folder() / name / "metrics.json").read_text(encoding="utf-8"))
        figures = record["test"]["figures"] if published.figure["split"] == "test" else {}
        greedy = published.figure["name"].replace("beam_5", "greedy")
        if greedy in figures:
            assert readable(greedy, figures[greedy])[1] in rows[name]


def test_decomposed_accents_are_read_by_the_published_translator():
    model = zoo.load("gru_seq2seq_spa_eng")
    text = "¿Dónde está la biblioteca? Mañana también lloverá."
    decomposed = unicodedata.normalize("NFD", text)
    assert decomposed != text
    assert model.translate(decomposed) == model.translate(text)
    vocabulary = model.source_vocabulary
    assert vocabulary.encode(decomposed).tolist() == vocabulary.encode(text).tolist()
