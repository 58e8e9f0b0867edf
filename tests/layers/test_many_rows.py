"""Cells whose matrices a loop over steps has laid out for many rows (TensorFlow on a CPU)."""

import keras
import numpy as np
import pytest

import rnnzoo
from rnnzoo import onednn
from rnnzoo.generation import generate
from rnnzoo.layers.cells.cell_loop import run_cell
from rnnzoo.layers.cells.registry import bare_cell
from rnnzoo.layers.kernels import many_rows
from tests import runners

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="of TensorFlow alone"
)


@pytest.fixture
def always(monkeypatch):
    """Lays matrices out on every machine, for any number of rows; notes for which it did."""
    cells = []

    class Noted(many_rows.LaidOut):
        def __init__(self, equations, cell):
            super().__init__(equations, cell)
            cells.append(type(cell).__name__)

    monkeypatch.setattr(many_rows, "LaidOut", Noted)
    for module in (many_rows, generate):
        monkeypatch.setattr(module, "pays", lambda rows: True)
    return cells


@pytest.mark.parametrize(
    ("rows", "setting", "flags", "expected"),
    [
        (64, "1", "fma avx2", True),
        (15, "1", "fma avx2", False),
        (64, "0", "fma avx2", False),
        (64, None, "fma avx2", False),
        (64, "1", "fma avx2 avx512f", False),
        (64, "1", "", False),
    ],
)
def test_where_it_pays(rows, setting, flags, expected, monkeypatch):
    monkeypatch.delenv(onednn.VARIABLE, raising=False)
    if setting is not None:
        monkeypatch.setenv(onednn.VARIABLE, setting)
    monkeypatch.setattr(many_rows, "cpu_info", lambda: ("a processor", set(flags.split())))
    monkeypatch.setattr(many_rows, "gpu_visible", lambda: False)
    assert many_rows.pays(rows) == expected


class OneCell(keras.Model):
    """A model of a cell alone."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell
        self.built = True


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("name", ["lstm", "gru", "simple_rnn"])
def test_a_step_is_that_of_the_cell(name, use_bias, always):
    random = np.random.default_rng(0)
    cell = bare_cell(name, 6, use_bias=use_bias, bias_initializer="glorot_uniform")
    cell.build((None, 4))
    inputs = random.standard_normal((3, 4)).astype("float32")
    state = [random.standard_normal((3, 6)).astype("float32") for _ in range(1 + (name == "lstm"))]
    expected, after = run_cell(cell, inputs, state)
    with many_rows.matrices_laid_out(OneCell(cell), 3):
        assert many_rows.laid_out(cell) is not None
        found, new = run_cell(cell, inputs, state)
    assert many_rows.laid_out(cell) is None and len(always) == 1
    np.testing.assert_allclose(found, expected, atol=1e-6)
    for one, other in zip(new, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("min_gru", {}),
        ("lstm", {"activation": "relu"}),
        ("gru", {"reset_after": False}),
        ("lstm", {"dtype": "mixed_bfloat16"}),
    ],
)
def test_other_cells_stay_as_they_are(cell, options, always):
    made = bare_cell(cell, 6, **options)
    made.build((None, 4))
    with many_rows.matrices_laid_out(OneCell(made), 3):
        assert many_rows.laid_out(made) is None


@pytest.mark.parametrize(
    ("name", "options"), [("char_lstm", {}), ("word_lm-gru", {}), ("char_lstm", {"beam_width": 2})]
)
def test_many_texts_are_those_of_each_alone(name, options, request):
    model = runners.LANGUAGE_MODELS[name]()
    prompts = ["to be", "or not", "not to be"]
    drawn = {"seed": [1, 2, 3]} if not options else {}
    expected = model.generate(prompts, 20, **drawn, **options)
    cells = request.getfixturevalue("always")
    many = runners.LANGUAGE_MODELS[name]()
    many.set_weights(model.get_weights())
    assert many.generate(prompts, 20, **drawn, **options) == expected
    assert cells


def test_translations(request):
    model = runners.seq2seq(num_layers=2)()
    texts = ["one two", "three", "two two one"]
    expected = model.translate(texts, beam_width=3)
    cells = request.getfixturevalue("always")
    many = runners.seq2seq(num_layers=2)()
    many.set_weights(model.get_weights())
    assert many.translate(texts, beam_width=3) == expected
    assert cells.count("GRUCell") >= 2


def change_dtype(model):
    model.embedding.dtype_policy = "mixed_bfloat16"


@pytest.mark.parametrize("change", [change_dtype, lambda model: model.quantize("int8")])
def test_a_changed_model(change, request):
    model = rnnzoo.char_lstm(rnnzoo.Vocabulary.from_text("to be or not"), units=16)
    change(model)
    alone = model.generate("to", 10, sampler="greedy")
    cells = request.getfixturevalue("always")
    assert model.generate(["to"] * 3, 10, sampler="greedy") == [alone] * 3
    assert cells == ["LSTMCell", "LSTMCell"]
