"""The record of what happens inside, against equations in NumPy and what the models say."""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo import Vocabulary, char_lstm, gru_seq2seq, word_lm
from rnnzoo.errors import InputError
from rnnzoo.inspection.tokens import added_texts, alternative_texts
from rnnzoo.layers import register_cell
from rnnzoo.layers.cells.registry import find_cell
from tests import cell_equations

TEXT = "to be or not"
MARKS = ("<pad>", "<start>", "<end>")
SOURCE = Vocabulary.from_text("one two three", special_tokens=MARKS)
TARGET = Vocabulary.from_text("123", special_tokens=MARKS)


def shaken(model):
    """Gives a model weights that saturate no gate and leave none at rest."""
    random = np.random.default_rng(0)
    model.set_weights([random.normal(0, 0.5, weight.shape) for weight in model.weights])
    return model


def writer(**options):
    options = {"units": 5, "num_layers": 2, **options}
    return shaken(char_lstm(Vocabulary.from_text("to be or not to be"), **options))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, h, c, kernel, recurrent, bias):
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c + i * g
    return {"h": o * np.tanh(c), "c": c}, {"i": i, "f": f, "g": g, "o": o}


def gru(x, h, kernel, recurrent, bias):
    xz, xr, xn = np.split(x @ kernel + bias[0], 3)
    hz, hr, hn = np.split(h @ recurrent + bias[1], 3)
    z, r = sigmoid(xz + hz), sigmoid(xr + hr)
    n = np.tanh(xn + r * hn)
    return {"h": z * h + (1 - z) * n}, {"z": z, "r": r, "candidate": n}


def simple_rnn(x, h, kernel, recurrent, bias):
    return {"h": np.tanh(x @ kernel + h @ recurrent + bias)}, {}


@pytest.mark.parametrize("cell", [lstm, gru, simple_rnn])
def test_states_gates_and_predictions_are_those_of_the_equations(cell):
    model = writer(cell=cell.__name__)
    record = rnnzoo.inspect(model, TEXT)
    weights = [weight.astype("float64") for weight in model.get_weights()]
    embedding, *layers, head, bias = weights
    layers = [layers[:3], layers[3:]]
    states = [[np.zeros(5)] * (2 if cell is lstm else 1)] * 2
    logs = None
    for t, token in enumerate(record.ids):
        if t:
            assert record.log_probabilities[t] == pytest.approx(logs[token], abs=1e-5)
            assert record.ranks[t] == 1 + (logs > logs[token]).sum()
            assert record.entropies[t] == pytest.approx(-(np.exp(logs) * logs).sum(), abs=1e-5)
            best = np.argsort(-logs)[:5]
            np.testing.assert_array_equal(record.alternative_ids[t], best)
            np.testing.assert_allclose(
                record.alternative_log_probabilities[t], logs[best], atol=1e-5
            )
            assert record.alternatives[t] == [model.vocabulary.tokens[each] for each in best]
        x = embedding[token]
        for place, layer in enumerate(layers):
            state, gates = cell(x, *states[place], *layer)
            found = record.layers[place]
            assert (found.states.keys(), found.gates.keys()) == (state.keys(), gates.keys())
            for name, values in {**state, **gates}.items():
                got = {**found.states, **found.gates}[name][t]
                np.testing.assert_allclose(got, values, atol=1e-5, err_msg=f"{place} {name} {t}")
            states[place], x = list(state.values()), state["h"]
        logits = x @ head + bias
        logs = logits - np.log(np.exp(logits).sum())
    assert record.tokens == list(TEXT)
    assert np.isnan(record.log_probabilities[0]) and record.ranks[0] == 0
    assert record.alternatives[0] == []


def test_a_start_token_is_read_and_then_all_is_predicted():
    vocabulary = Vocabulary.from_text(
        "to be or not", level="word", special_tokens=("<pad>", "<start>", "<unk>")
    )
    model = shaken(word_lm(vocabulary, units=4, embedding_dim=3))
    record = rnnzoo.inspect(model, "to be xyzzy")
    assert record.tokens == ["<start>", "to", " be", " <unk>"]
    expected = -model.score("to be xyzzy")["nats"]
    assert np.nansum(record.log_probabilities) == pytest.approx(expected, abs=1e-5)


def test_a_model_without_a_vocabulary_reads_ids():
    record = rnnzoo.inspect(shaken(char_lstm(4, units=3, num_layers=1)), [2, 0, 3])
    assert record.tokens == ["2", "0", "3"] and record.alternative_ids.shape == (3, 4)


@register_cell("inspected")
class Inspected(keras.layers.Layer):
    """A cell of a user, with a matrix as its state, and one gate."""

    state_names = ("memory",)

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.output_size, self.state_size = units, [(units, 2)]

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], self.output_size))

    def gates(self, inputs, states):
        return {"open": ops.sigmoid(ops.matmul(inputs, self.kernel))}

    def call(self, inputs, states):
        gate = self.gates(inputs, states)["open"]
        memory = 0.5 * states[0] + ops.expand_dims(gate, -1)
        return memory[..., 0] - memory[..., 1] / 2, [memory]


def test_a_cell_of_ones_own_names_its_gates_and_states():
    model = writer(cell="inspected", units=3)
    layer = rnnzoo.inspect(model, TEXT).layers[1]
    assert (layer.cell, *layer.states, *layer.gates) == ("inspected", "memory", "open")
    assert layer.states["memory"].shape == (12, 3, 2)
    memory = np.zeros(3)
    for t, gate in enumerate(layer.gates["open"]):
        memory = 0.5 * memory + gate
        np.testing.assert_allclose(layer.states["memory"][t, :, 1], memory, atol=1e-5)


@pytest.mark.parametrize(
    "cell, dtype, states, gates",
    [
        ("rg_lru", "float32", {"h": (5,), "u": (3, 5)}, ["r", "i", "output_gate"]),
        pytest.param(
            "layer_norm_lstm", "mixed_bfloat16", {"h": (5,), "c": (5,)}, ["i", "f", "o", "g"],
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_the_newer_cells_name_theirs(cell, dtype, states, gates):
    """The values are checked beside the cells' equations, in tests/layers/test_cells.py."""
    model = writer(cell=cell, dtype=dtype, num_layers=1)
    (layer,) = rnnzoo.inspect(model, TEXT).layers
    assert (layer.cell, list(layer.gates)) == (cell, gates)
    assert {name: values.shape[1:] for name, values in layer.states.items()} == states
    assert all(values.shape == (len(TEXT), 5) for values in layer.gates.values())


def test_the_texts_of_tokens_are_the_text_over_a_long_quotation():
    text = f'Yes, "{"so, " * 30}no" twice (or <unk> "never").'
    vocabulary = Vocabulary.from_text(text, "word")
    ids = [vocabulary.start_id, *vocabulary.encode(text), vocabulary.end_id]
    found = added_texts(vocabulary, ids)
    assert "".join(found) == text and found[-4:] == ['"', ")", ".", ""]
    likeliest = alternative_texts(vocabulary, ids, [[-1], *([token] for token in ids[1:])])
    assert likeliest == [[], *([each] for each in found[1:-1]), ["<end>"]]


def test_every_registered_cell_names_states_and_gates():
    for name in (*cell_equations.CELLS, "lstm", "gru"):
        cls = find_cell(name)
        assert cls.state_names and cls.gates, name


@pytest.mark.parametrize(
    "options, layers",
    [
        ({"num_layers": 2}, ["attending_cell", "recurrent/gru_0"]),
        pytest.param(
            {"attention_position": "after_cell", "cell": "lstm"},
            ["recurrent/lstm_0"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_translation_is_what_the_translator_says(options, layers):
    model = shaken(gru_seq2seq(SOURCE, TARGET, units=4, **options))
    record = rnnzoo.inspect(model, "one two", "12")
    assert "".join(record.source) == "one two<end>" and "".join(record.tokens) == "<start>12<end>"
    assert [layer.name for layer in record.layers] == [f"decoder/{name}" for name in layers]
    expected = -model.score("one two", "12")["nats"]
    assert np.nansum(record.log_probabilities) == pytest.approx(expected, abs=1e-4)
    # What the encoder's last layer hands on is what was recorded of it, both ways.
    source = np.array([[*SOURCE.encode("one two"), SOURCE.end_id]])
    (values, _, _), _ = model.encode(source)
    both = [layer.states["h"] for layer in record.source_layers[-2:]]
    np.testing.assert_allclose(np.concatenate(both, -1), values[0], atol=1e-5)


def test_a_translation_of_its_own_has_the_attention_of_translate():
    model = shaken(gru_seq2seq(SOURCE, TARGET, units=4))
    text, weights = model.translate("two", max_new_tokens=4, return_attention=True)
    attention = rnnzoo.inspect(model, "two", text).attention
    assert np.isnan(attention[0]).all()
    np.testing.assert_allclose(attention[1 : len(weights)], weights[: len(text)], atol=1e-5)
    assert rnnzoo.inspect(model, "two").tokens[0] == "<start>"


@pytest.mark.slow
def test_a_translator_without_attention_has_none():
    model = shaken(gru_seq2seq(SOURCE, TARGET, units=4, attention=None, bidirectional=False))
    record = rnnzoo.inspect(model, "two", "1")
    assert record.attention is None
    assert [layer.name for layer in record.source_layers] == ["encoder/gru_0"]


@pytest.mark.parametrize(
    "make, arguments, says",
    [
        (writer, (["to", "be"],), "one text to look into, not a list of 2"),
        (writer, ("to", "be"), "leave out `target`"),
        (writer, ("",), "prompt is empty"),
        (lambda: keras.Sequential(), ("to",), "not a Sequential"),
    ],
)
def test_what_cannot_be_inspected_is_told_in_a_sentence(make, arguments, says):
    with pytest.raises(InputError, match=says):
        rnnzoo.inspect(make(), *arguments)
