import numpy as np

from rnnzoo import Vocabulary, char_lstm, gru_seq2seq, recipes
from rnnzoo.data.corpus import Corpus
from rnnzoo.tasks.growing import grown

MARKS = ("<pad>", "<start>", "<end>")
RECIPE = recipes.get("spelled_numbers")


def pairs(train, validation=()):
    return Corpus(
        name="mine", kind="pairs", source="", terms="",
        splits={"train": list(train), "validation": list(validation)},
    )  # fmt: skip


def text(content):
    return Corpus.of_text(lambda size: iter([content]), name="mine", source="", terms="")


def test_a_language_model_gets_what_it_lacks(capsys):
    model = char_lstm(Vocabulary.from_text("to be"), units=4)
    assert grown(model, text("bet"), RECIPE) is model
    assert capsys.readouterr().out == ""
    assert grown(model, text("to bé"), RECIPE).vocabulary.tokens[-1] == "é"
    assert (
        "mine has 1 characters that the model to start from lacks: 'é'" in capsys.readouterr().out
    )
    unknown = char_lstm(Vocabulary.from_text("to be", special_tokens=["<unk>"]), units=4)
    assert grown(unknown, text("to bé"), RECIPE) is unknown


def test_a_translator_gets_it_on_its_side():
    source = Vocabulary.from_text("one two", special_tokens=MARKS)
    target = Vocabulary.from_text("12", special_tokens=MARKS)
    model = gru_seq2seq(source, target, units=4)
    larger = grown(model, pairs([("one three", "13")], [("z", "1")]), RECIPE)
    assert set(larger.source_vocabulary.tokens[len(source) :]) == set("hrz")
    assert larger.target_vocabulary.tokens[len(target) :] == ("3",)
    assert grown(model, pairs([("one", "1")]), RECIPE) is model


def test_one_vocabulary_of_both_sides_stays_one():
    both = Vocabulary.from_text("one two 12", special_tokens=MARKS)
    model = gru_seq2seq(both, both, units=4, tie_embedding_weights="all")
    larger = grown(model, pairs([("three", "3")]), RECIPE)
    assert larger.source_vocabulary == larger.target_vocabulary
    assert np.shape(larger.encoder.embedding.embeddings)[0] == len(larger.target_vocabulary)
