"""Models that are made in a moment, and the command called in this process."""

import keras
import pytest
from typer.testing import CliRunner

import rnnzoo_cli

MARKS = ("<pad>", "<start>", "<unk>", "<end>")


@pytest.fixture
def call(writer, translator, monkeypatch):
    """Calls the command: `call("score", path, "to be")`; `stdin=` is what a pipe has.

    The models below are not loaded anew each time, nor are their functions traced anew.
    """
    from rnnzoo import zoo

    load, models = zoo.load, {str(path): model for model, path in (writer, translator)}
    monkeypatch.setattr(zoo, "load", lambda path: models.get(path) or load(path))

    def run(*arguments, stdin=None):
        return CliRunner().invoke(rnnzoo_cli.app, [str(each) for each in arguments], input=stdin)

    return run


@pytest.fixture(scope="session")
def writer(tmp_path_factory):
    """A language model of characters, and its file."""
    from rnnzoo import Vocabulary, char_lstm

    keras.utils.set_random_seed(0)
    model = char_lstm(Vocabulary.from_text("to be or not to be,\nthat is"), units=8, num_layers=1)
    return _saved(model, tmp_path_factory)


@pytest.fixture(scope="session")
def translator(tmp_path_factory):
    """An encoder-decoder with attention, and its file."""
    from rnnzoo import Vocabulary, gru_seq2seq

    keras.utils.set_random_seed(0)
    source = Vocabulary.from_text("one two three", level="word", special_tokens=MARKS)
    target = Vocabulary.from_text("eins zwei drei", level="word", special_tokens=MARKS)
    return _saved(gru_seq2seq(source, target, units=4, embedding_dim=4), tmp_path_factory)


def _saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return model, path
