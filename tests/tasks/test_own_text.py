"""Words, prompts and symbols of a text of one's own."""

import json
from dataclasses import replace

import pytest

from rnnzoo import Vocabulary, recipes
from rnnzoo.data import corpora
from rnnzoo.data.corpus import Corpus
from rnnzoo.errors import InputError
from rnnzoo.tasks import LanguageModelTask, TranslationTask
from rnnzoo.tasks.own_text import check_from, folded, of_own_text, title

SHAKESPEARE = recipes.get("char_lstm_shakespeare")


def test_the_words_are_of_the_text(tmp_path):
    (tmp_path / "novel.txt").write_text("def f(x):\n    return x + 1\n" * 400)
    corpus = corpora.load(tmp_path / "novel.txt")
    recipe = of_own_text(recipes.get("char_lstm_tiny"), corpus)
    assert recipe.description == "A character LSTM of novel.txt." and not recipe.expected
    tuned = of_own_text(SHAKESPEARE, corpus, "saved_models/char_lstm_alice")
    assert tuned.description == "A character LSTM of novel.txt, fine-tuned from char_lstm_alice."
    assert title(recipe, corpus) == "novel"
    prompts = LanguageModelTask(recipe, corpus).prompts()
    assert prompts[0] == "def f(x):" and all(text in corpus.text for text in prompts)
    assert prompts == LanguageModelTask(recipe, corpus).prompts()  # the place is seeded


def test_pairs_with_a_rare_character_that_is_held_out(tmp_path):
    rows = [{"source": f"one {n} ", "target": f"{n}"} for n in range(100)]
    for row, symbol in zip(rows, map(chr, range(200, 300)), strict=True):
        row["source"] += symbol  # each stands in one pair alone
        row["target"] += symbol
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for name in ("spelled_numbers_tiny", "gru_seq2seq_numbers"):
        task = TranslationTask(recipes.get(name), corpora.load(tmp_path / "pairs.jsonl"))
        assert all(one.unknown_id is not None for one in task.vocabularies)
        assert len(list(task.validation)) > 0


def test_symbols_that_look_alike(tmp_path):
    (tmp_path / "text.txt").write_text("\u201cto be \u2013 or\u201d ω \u2018x\u2019\n" * 3, "utf-8")
    corpus = corpora.load(tmp_path / "text.txt")
    new = folded(corpus, [Vocabulary.from_text("\"to be - or\" 'x'\n")], SHAKESPEARE)
    assert new.text == "\"to be - or\" ω 'x'\n" * 3 == "".join(new.chunks())
    assert new.sha256 == corpus.sha256 and len(new.notes) == 1 and corpus.notes == []
    same = folded(corpus, [Vocabulary.from_text(corpus.text)], SHAKESPEARE)
    assert same.text == corpus.text and same.notes == []


def test_each_side_of_pairs_has_its_own_symbols(tmp_path):
    (tmp_path / "pairs.tsv").write_text("\u201ca\u201d\t\u201cb\u201d\n" * 3, "utf-8")
    recipe, corpus = recipes.get("gru_seq2seq_numbers"), corpora.load(tmp_path / "pairs.tsv")
    straight, curly = map(Vocabulary.from_text, ('"ab', "\u201c\u201dab"))
    assert folded(corpus, [straight, curly], recipe).pairs[0] == ('"a"', "\u201cb\u201d")
    # A recipe that reads its corpus the other way round has the source on the right.
    back = replace(recipe, reverse_pairs=True, corpus=corpus.name)
    assert folded(corpus, [straight, curly], back).pairs[0] == ("\u201ca\u201d", '"b"')


def test_held_out_text_is_folded_too():
    splits = {"train": "to be", "validation": "\u2018to be\u2019"}
    corpus = Corpus(
        name="x", kind="text", source="", terms="", splits=splits, reader=lambda _: iter(["to be"])
    )
    new = folded(corpus, [Vocabulary.from_text("to be''")], SHAKESPEARE)
    assert new.validation == "'to be'"


def test_options_of_a_new_model_beside_a_trained_one():
    check_from(None, {"units": 3})
    check_from("a", {"units": None, "epochs": 3})
    with pytest.raises(InputError, match="--layers is of a new model, and a has its own"):
        check_from("a", {"num_layers": 3})
