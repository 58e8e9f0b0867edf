"""Sensitivities against finite differences, and units that were planted by hand."""

import numpy as np
import pytest
from keras import ops

from rnnzoo import Vocabulary, char_lstm
from rnnzoo.errors import InputError
from rnnzoo.inspection import activation, find_units, inspect, sensitivity
from tests.inspection.test_inspect import SOURCE, TARGET, gru_seq2seq, shaken

TEXT = "abcdefg"  # each symbol once: its embedding is that of one position


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_sensitivities_are_those_of_finite_differences(cell):
    model = shaken(char_lstm(Vocabulary.from_text(TEXT), units=3, num_layers=1, cell=cell))
    ids, place, step = model.vocabulary.encode(TEXT), 4, 1e-2
    table = ops.convert_to_numpy(model.embedding.embeddings)

    def log_probability(changed):
        model.embedding.embeddings.assign(changed)
        logits = ops.convert_to_numpy(model(ids[None, :place]))[0, -1].astype("float64")
        return logits[ids[place]] - np.log(np.exp(logits).sum())

    expected = []
    for token in ids[:place]:
        slope = np.zeros(3)
        for column in range(3):
            up, down = table.copy(), table.copy()
            up[token, column] += step
            down[token, column] -= step
            slope[column] = (log_probability(up) - log_probability(down)) / (2 * step)
        expected.append(np.linalg.norm(slope))
    model.embedding.embeddings.assign(table)
    np.testing.assert_allclose(sensitivity(model, TEXT, place), expected, rtol=0.01, atol=1e-4)
    np.testing.assert_array_equal(sensitivity(model, TEXT, -3), sensitivity(model, TEXT, place))


@pytest.mark.parametrize("position", [0, 7, -7])
def test_a_position_without_tokens_before_it_is_refused(position):
    model = char_lstm(Vocabulary.from_text(TEXT), units=4)
    with pytest.raises(InputError, match="1 to 6"):
        sensitivity(model, TEXT, position)


def test_a_translator_is_refused():
    with pytest.raises(InputError, match="attention weights"):
        sensitivity(gru_seq2seq(SOURCE, TARGET, units=4), "one")


LINES = 'To be, "or Not"\nto Be: that is "The\nQuestion" we ask.\n'


@pytest.fixture(scope="module")
def planted():
    """A network whose unit 3 follows capitals and whose unit 5 follows quotation marks."""
    vocabulary = Vocabulary.from_text(LINES)
    model = char_lstm(vocabulary, units=8, num_layers=1, cell="simple_rnn",
                      embedding_dim=len(vocabulary))  # fmt: skip
    random = np.random.default_rng(0)
    _, kernel, recurrent, bias, *head = model.get_weights()
    kernel[:] = random.normal(0, 1, kernel.shape)
    recurrent[:] = random.normal(0, 0.3, recurrent.shape)
    recurrent[:, 3] = 0
    kernel[:, 3] = [2 if token.isupper() else -2 for token in vocabulary.tokens]
    model.set_weights([np.eye(len(vocabulary)), kernel, recurrent, bias, *head])
    return model


def test_a_planted_unit_is_found(planted):
    best, second, *_ = find_units(planted, LINES, "after_capital")
    assert best[:3] == (0, "h", 3) and best.correlation == pytest.approx(1, abs=1e-6)
    assert abs(second.correlation) < 0.9
    # The same unit against numbers of one's own, with the other sign.
    capitals = [symbol.isupper() for symbol in LINES]
    (found,) = find_units(planted, LINES, ~np.array(capitals), count=1)
    assert found[:3] == best[:3] and found.correlation == pytest.approx(-1, abs=1e-6)
    values = activation(inspect(planted, LINES), best)
    np.testing.assert_allclose(values, np.tanh(np.where(capitals, 2, -2)), atol=1e-6)


def test_the_correlation_is_pearsons(planted):
    position = [len(LINES[: t + 1].rpartition("\n")[2]) for t in range(len(LINES))]
    record = inspect(planted, LINES)
    for unit in find_units(planted, LINES, "line_position", count=8):
        expected = np.corrcoef(activation(record, unit), position)[0, 1]
        assert unit.correlation == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text, property, says",
    [
        ("to be", "inside_quotes", "is 0 everywhere"),
        (LINES, "in_quotes", "inside_quotes"),
        (LINES, [1, 2], f"one number for each of the {len(LINES)} tokens"),
    ],
)
def test_a_property_that_says_nothing_is_refused(planted, text, property, says):
    with pytest.raises(InputError, match=says):
        find_units(planted, text, property)


@pytest.mark.parametrize(
    "unit, says",
    [((1, "h", 0), "has 1 layers"), ((0, "c", 0), "No state"), ((0, "h", 8), "has 8 units")],
)
def test_a_unit_that_is_not_there_is_refused(planted, unit, says):
    with pytest.raises(InputError, match=says):
        activation(inspect(planted, "to be"), unit)
