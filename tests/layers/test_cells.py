"""The newer cells: their papers' equations, and what every cell must stand."""

import functools
import importlib

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.data import StreamDataset
from rnnzoo.errors import InputError
from rnnzoo.layers import RecurrentStack
from rnnzoo.layers.kernels import linear_scan
from tests import cell_equations, runners

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(3, 6, 4)).astype("float32")
IDS = RANDOM.integers(0, 7, 61).astype("int32")
CELLS = list(cell_equations.CELLS)
SCANS = ["min_gru", "min_lstm", "rg_lru", "qrnn"]
ELEMENTWISE = [*SCANS, "sru"]

each_cell = pytest.mark.parametrize("cell", CELLS)


def few_cells(*quick, of=CELLS):
    """Some by default, and all in the slow tests."""
    return pytest.mark.parametrize(
        "cell", [pytest.param(cell, marks=[] if cell in quick else pytest.mark.slow) for cell in of]
    )


def to_numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def make_stack(cell, units=5, num_layers=1, **options):
    """A stack with random weights, biases too."""
    stack = RecurrentStack(units, num_layers=num_layers, cell=cell, **options)
    stack.build((None, None, 4))
    stack.set_weights([RANDOM.normal(size=w.shape) * 0.5 for w in stack.get_weights()])
    return stack


def run_equations(cell, layer, x):
    """The outputs of the paper's equations, `(batch, time, units)`, and the gates of each step."""
    weights = {w.name: ops.convert_to_numpy(w).astype("float64") for w in layer.cell.weights}
    if cell == "layer_norm_lstm":  # whose norms have weights of the same names
        weights |= {
            w.path.rsplit("/", 2)[-2] + "/" + w.name: to_numpy(w) for w in layer.cell.weights
        }
    step = cell_equations.CELLS[cell]
    state, outputs, gates = None, [], []
    for time in range(x.shape[1]):
        output, state, its = step(x[:, : time + 1], state, weights)
        outputs.append(output)
        gates.append(its)
    return np.stack(outputs, 1), gates


@each_cell
def test_agrees_with_the_equations(cell):
    stack = make_stack(cell)
    outputs, _ = stack(INPUTS)
    layer = stack.recurrent_layers[0]
    expected, gates = run_equations(cell, layer, INPUTS.astype("float64"))
    np.testing.assert_allclose(to_numpy(outputs), expected, atol=2e-5)
    state = layer.get_initial_state(3)
    for time, its in enumerate(gates):
        found = layer.cell.gates(INPUTS[:, time], state)
        assert found.keys() == its.keys()
        for name, values in found.items():
            np.testing.assert_allclose(
                to_numpy(values), its[name], atol=2e-5, rtol=1e-5, err_msg=name
            )
        _, state = layer.cell(INPUTS[:, time], state)


@each_cell
def test_steps_and_parts_are_the_whole(cell):
    stack = make_stack(cell, num_layers=2)
    outputs, final = stack(INPUTS)
    early, state = stack(INPUTS[:, :2])
    later, parts = stack(INPUTS[:, 2:], initial_state=state)
    both = np.concatenate([to_numpy(early), to_numpy(later)], 1)
    np.testing.assert_allclose(both, to_numpy(outputs), atol=1e-5)
    for mine, its in zip(parts, final, strict=True):
        np.testing.assert_allclose(to_numpy(mine), to_numpy(its), atol=1e-5)
    state = stack.get_initial_state(3)
    for time in range(6):
        output, state = stack.step(INPUTS[:, time], state)
        np.testing.assert_allclose(to_numpy(output), to_numpy(outputs)[:, time], atol=1e-5)


@pytest.mark.parametrize("cell", ELEMENTWISE)
def test_masked_steps_change_nothing(cell):
    """Wherever they stand: before, between or behind the others."""
    stack = make_stack(cell)
    mask = np.array([[1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 1, 1], [1, 1, 0, 0, 0, 0]], "bool")
    outputs, final = stack(INPUTS, mask=mask)
    for row in range(3):
        alone, state = stack(INPUTS[row : row + 1, mask[row]])
        np.testing.assert_allclose(to_numpy(outputs)[row, mask[row]], to_numpy(alone)[0], atol=1e-5)
        for mine, its in zip(final, state, strict=True):
            np.testing.assert_allclose(to_numpy(mine)[row], to_numpy(its)[0], atol=1e-5)
    assert not to_numpy(outputs)[1, :2].any()  # zeros before the first that counts
    np.testing.assert_array_equal(to_numpy(outputs)[1, 3], to_numpy(outputs)[1, 2])


@few_cells("rg_lru", of=SCANS)
def test_gradients_are_those_of_the_generic_loop(cell):
    stack = make_stack(cell)
    layer = stack.recurrent_layers[0]
    state = [RANDOM.normal(size=(3, *shape)).astype("float32") for shape in stack.state_shapes]
    state = [keras.Variable(each) for each in state]
    wanted = ops.convert_to_tensor(RANDOM.normal(size=(3, 6, 5)), "float32")

    def scored():
        outputs, *final = layer(INPUTS, initial_state=[each + 0 for each in state])
        return ops.sum(outputs * wanted) + sum(ops.sum(each) for each in final)

    variables = [*stack.weights, *state]
    found = runners.gradients(scored, variables)
    layer.kernels = ()
    assert rnnzoo.layers.kernels.choose_kernel(layer).name == "generic"
    for mine, its in zip(found, runners.gradients(scored, variables), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-4, rtol=1e-4)


def test_the_scans_are_the_recurrence():
    """Both kernels with and without a known length, and their gradients."""
    a, b = RANDOM.uniform(0, 1, (2, 3, 7, 4)).astype("float32")
    start = RANDOM.normal(size=(3, 4)).astype("float32")
    state, expected = start, []
    for t in range(7):
        state = a[:, t] * state + b[:, t]
        expected.append(state)
    expected = np.stack(expected, 1)
    for kernel in linear_scan.KERNELS:
        if kernel.runs_on(keras.config.backend(), gpu=False):
            scanned = kernel.scan(*map(ops.convert_to_tensor, (a, b, start)))
            np.testing.assert_allclose(to_numpy(scanned), expected, atol=1e-5)
    if keras.config.backend() != "tensorflow":
        return
    import tensorflow as tf

    shapes = [
        tf.TensorSpec((None, None, 4)),
        tf.TensorSpec((None, None, 4)),
        tf.TensorSpec((None, 4)),
    ]

    def with_gradient(scan, *given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            states = scan(*given)
            score = tf.reduce_sum(states**2)
        return states, tape.gradient(score, given)

    given = [tf.constant(each) for each in (a, b, start)]
    loop, scan = (kernel.scan for kernel in linear_scan.KERNELS)
    _, gradients = with_gradient(scan, *given)
    for each in (loop, scan):
        unknown_length = tf.function(functools.partial(with_gradient, each), shapes)
        states, found = unknown_length(*given)
        np.testing.assert_allclose(states, expected, atol=1e-5)
        for mine, its in zip(found, gradients, strict=True):
            np.testing.assert_allclose(mine, its, atol=1e-4)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="traces a TensorFlow graph")
@pytest.mark.parametrize("cell", ["qrnn", "sru"])
def test_with_a_gpu_lengths_may_be_unknown(monkeypatch, cell):
    """The kernels of a GPU, on this CPU, in what is traced without a length."""
    model = rnnzoo.char_lstm(runners.CHARACTERS, units=4, num_layers=1, cell=cell)
    written = model.generate(["to be", "or"], 4, sampler="greedy")
    rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)
    names = {"qrnn": "associative_scan", "sru": "elementwise_loop"}
    assert rnnzoo.kernels(model)[0].training.name == names[cell]
    model._functions.clear()
    assert model.generate(["to be", "or"], 4, sampler="greedy") == written


@few_cells("rg_lru", "slstm")
def test_models_train_carry_state_save_load_and_write(cell, tmp_path):
    keras.utils.set_random_seed(0)
    model = rnnzoo.char_lstm(runners.CHARACTERS, units=6, num_layers=1, cell=cell)
    runners.check_config(model)
    runners.check_gradients(model)
    runners.check_training_and_saving(model, tmp_path / "cell.keras")
    whole = model.evaluate(StreamDataset(IDS, 3, 20), verbose=0)
    short = model.evaluate(StreamDataset(IDS, 3, 5), verbose=0)
    np.testing.assert_allclose(short, whole, rtol=1e-5)
    assert len(rnnzoo.load(tmp_path / "cell.keras").generate("to be", 3, seed=1)) == 3
    row = rnnzoo.kernels(model)[0]
    scans = "elementwise_loop" if keras.config.backend() == "tensorflow" else "associative_scan"
    names = {**dict.fromkeys(SCANS, scans), "sru": "elementwise_loop"}
    assert row.training.name == names.get(cell, "generic")


@few_cells()
def test_mixed_precision(cell):
    model = rnnzoo.char_lstm(
        runners.CHARACTERS, units=6, num_layers=1, cell=cell, dtype="mixed_bfloat16"
    )
    runners.check_mixed_precision(model)


@pytest.mark.parametrize(
    ("cell", "bias", "start"),
    [("slstm", [0, 0, 5, 0], [0, 1, 5]), ("sru", [6, 0], [1]), ("min_gru", [-6, 0], [1])],
)
def test_a_state_that_hardly_moves_does_so_in_mixed_precision(cell, bias, start):
    """Read or written: bfloat16 tells a step's change from none, and a hundred add up."""
    found = []
    for dtype in ("float32", "mixed_bfloat16"):
        stack = RecurrentStack(1, cell=cell, dtype=dtype)
        stack.build((None, None, 1))
        stack.set_weights([*(np.zeros(w.shape) for w in stack.get_weights()[:-1]), np.array(bias)])
        state = [ops.full((1, 1), value, "float32") for value in start]
        found.append(stack(np.zeros((1, 100, 1), "float32"), initial_state=state)[1])
    for _ in range(100):
        _, state = stack.step(np.zeros((1, 1), "float32"), state)
    exact, read = found
    for its in (read, state):
        assert {keras.backend.standardize_dtype(each.dtype) for each in its} == {"float32"}
        for one, other in zip(its, exact, strict=True):
            np.testing.assert_allclose(to_numpy(one), to_numpy(other), atol=0.02)


@few_cells()
def test_translators_take_them(cell):
    """Both directions, with padding."""
    model = runners.seq2seq(cell=cell, attention_position="after_cell")()
    runners.check_gradients(model)
    assert model.translate(["one two", "two"])[1] == model.translate("two")


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="SavedModels need TensorFlow")
@few_cells("rg_lru")
def test_they_export(cell, tmp_path):
    model = rnnzoo.char_lstm(runners.CHARACTERS, units=6, num_layers=1, cell=cell)
    runners.check_export(model, str(tmp_path / "exported"))


def test_what_they_have_not_is_said():
    with pytest.raises(InputError, match="'min_gru' has none"):
        rnnzoo.char_lstm(9, units=4, cell="min_gru", weight_drop=0.5)


@pytest.mark.parametrize(
    "option", [{"activation": "relu"}, {"use_bias": False}, {"recurrent_dropout": 0.5}]
)
def test_layer_norm_lstm_has_one_form(option):
    cell = rnnzoo.layers.cells.LayerNormLSTMCell(3)
    assert type(cell).from_config(cell.get_config()).units == 3
    with pytest.raises(InputError, match=f"`{next(iter(option))}` of the cell 'layer_norm_lstm'"):
        rnnzoo.layers.cells.LayerNormLSTMCell(3, **option)
