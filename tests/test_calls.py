"""Long argument lists are keyword-only, and no call is a row of arguments."""

import ast
import inspect
from pathlib import Path

import keras
import pytest

import rnnzoo
from rnnzoo import layers, models
from rnnzoo.tasks import TASKS
from rnnzoo.training.schedule import LearningRate, TrainingClock

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for part in ("rnnzoo", "rnnzoo_cli", "scripts", "benchmarks")
    for path in (ROOT / part).glob("**/*.py")
)
# These take any number of arguments of one kind, or are compiled or have a written-out gradient
# (which TensorFlow offers for positional arguments alone).
ANY_NUMBER = {
    "zip", "print", "partial", "in_fresh_process", "add_row", "Table", "permute", "_checked",
    "run_once", "mean_of", "node", "run", "search", "_forward", "callback",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_call_passes_more_than_three_positional_arguments(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rsplit(".", 1)[-1]
            if name not in ANY_NUMBER:
                given = [each for each in node.args if not isinstance(each, ast.Starred)]
                assert len(given) <= 3, f"line {node.lineno}: {ast.unparse(node)}"


# A layer of Keras with a loop of ours keeps the signature of Keras's; a translator has two
# vocabularies, and a task a recipe and a corpus.
KERAS = {"GRU", "LSTM", "SimpleRNN"}
TWO = {"gru_seq2seq", "Seq2Seq", *(task.__name__ for task in TASKS.values())}


def public():
    """What people call to make something, by name."""
    found = {}
    for module in (rnnzoo, layers, models):
        for name in module.__all__:
            value = getattr(module, name)
            kinds = keras.layers.Layer | keras.callbacks.Callback
            if inspect.isclass(value) and issubclass(value, kinds):
                found[name] = value
    found |= {name: getattr(rnnzoo, name) for name in ("char_lstm", "word_lm", "gru_seq2seq")}
    found |= {each.__name__: each for each in (*TASKS.values(), TrainingClock, LearningRate)}
    return {name: value for name, value in found.items() if name not in KERAS}


@pytest.mark.parametrize("name", sorted(public()))
def test_arguments_beyond_the_first_are_keyword_only(name):
    given = [
        parameter.name
        for parameter in inspect.signature(public()[name]).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    assert len(given) <= (2 if name in TWO else 1), given


def test_the_walks_find_what_there_is():
    assert len(FILES) > 100
    assert {"LanguageModel", "Decoder", "TiedHead", "SampleText", "word_lm"} <= set(public())
