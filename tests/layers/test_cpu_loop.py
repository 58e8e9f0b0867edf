"""The CPU loop: its gradients, its two forms (unrolled, while), its precision, its exports."""

import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnzoo.layers import recurrent

if keras.backend.backend() != "tensorflow":
    pytest.skip("the CPU loop is for the TensorFlow backend", allow_module_level=True)

import tensorflow as tf

from rnnzoo.layers.kernels import cpu_loop
from rnnzoo.layers.kernels.cpu import without_gradients

NAMES = ("LSTM", "GRU", "SimpleRNN")


@pytest.fixture(params=["unrolled", "while"])
def form(request, monkeypatch):
    monkeypatch.setattr(cpu_loop, "UNROLL_STEPS", 128 if request.param == "unrolled" else 0)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def same_weights(name, units, inputs, **config):
    layers = [getattr(module, name)(units, **config) for module in (recurrent, keras.layers)]
    for layer in layers:
        layer.build((None, None, inputs))
        layer.set_weights([numbers(*w.shape, seed=i) for i, w in enumerate(layer.get_weights())])
    return layers


def results_and_gradients(layer, x, state, mask, signature=None):
    """What the layer returns, and the gradients to inputs, initial state and weights."""

    @tf.function(autograph=False, input_signature=signature)
    def compute(x, state, mask=None):
        with tf.GradientTape() as tape:
            tape.watch([x, *state])
            results = tf.nest.flatten(layer(x, initial_state=state, mask=mask))
            # Every element weighs differently, and so does every result.
            loss = tf.add_n([tf.reduce_sum(tf.sin(r + k)) for k, r in enumerate(results)])
        return results, tape.gradient(loss, [x, *state, *(v.value for v in layer.weights)])

    return compute(x, state) if mask is None else compute(x, state, mask)


def assert_close(ours, theirs, tolerance=1e-5):
    """The largest difference, relative to the largest entry of the tensor."""
    for a, b in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
        scale = max(np.abs(b).max(), 1e-2)
        assert np.abs(np.asarray(a) - np.asarray(b)).max() <= tolerance * scale


@st.composite
def cases(draw):
    batch, steps = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    return {
        "name": draw(st.sampled_from(NAMES)),
        "shape": (batch, steps, draw(st.integers(1, 3)), draw(st.integers(1, 4))),
        "mask": draw(st.none() | st.lists(st.booleans(), min_size=20, max_size=20)),
        "dynamic": draw(st.booleans()),
        "while": draw(st.booleans()),
        "config": {
            "return_sequences": draw(st.booleans()),
            "return_state": draw(st.booleans()),
            "go_backwards": draw(st.booleans()),
            "zero_output_for_mask": draw(st.booleans()),
            "use_bias": draw(st.booleans()),
        },
    }


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=cases())
def test_gradients_agree_with_keras(case, monkeypatch):
    monkeypatch.setattr(cpu_loop, "UNROLL_STEPS", 0 if case["while"] else 128)
    batch, steps, inputs, units = case["shape"]
    ours, theirs = same_weights(case["name"], units, inputs, **case["config"])
    x = tf.constant(numbers(batch, steps, inputs, seed=11))
    state = [tf.constant(numbers(batch, units, seed=12 + i)) for i in range(len(ours.state_size))]
    mask = case["mask"] and tf.constant(np.reshape(case["mask"], (4, 5))[:batch, :steps])
    signature = None
    if case["dynamic"]:
        signature = (
            tf.TensorSpec((None, None, inputs)),
            [tf.TensorSpec((None, units)) for _ in state],
            *([] if mask is None else [tf.TensorSpec((None, None), "bool")]),
        )
    expected = results_and_gradients(theirs, x, state, mask, signature)
    assert_close(results_and_gradients(ours, x, state, mask, signature), expected)
    read = without_gradients(ours)(x, initial_state=state, mask=mask)
    assert_close(tf.nest.flatten(read), expected[0])


@pytest.mark.parametrize("name", NAMES)
def test_without_gradients_in_bfloat16(name):
    layer, _ = same_weights(name, 6, 3, return_state=True, dtype="mixed_bfloat16")
    x = tf.constant(numbers(2, 5, 3, seed=11))
    read = without_gradients(layer)(x)
    assert read[0].dtype == "bfloat16"
    assert_close(
        *(tf.nest.map_structure(lambda r: tf.cast(r, "float32"), r) for r in (read, layer(x))), 2e-2
    )


@pytest.mark.parametrize("name", NAMES)
def test_gradients_agree_in_eager_mode_and_twice(name, form):
    ours, theirs = same_weights(name, 4, 3, return_sequences=True)
    x, mask = tf.constant(numbers(2, 3, 3)), tf.constant([[True, False, True], [False, True, True]])
    gradients = []
    for layer in (ours, theirs):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x, mask=mask)))
        sources = [x, *(v.value for v in layer.weights)]
        gradients.append([tape.gradient(loss, sources) for _ in range(2)])
    assert_close(*gradients)


@pytest.mark.parametrize("name", NAMES)
def test_large_layers_agree(name, form):
    """At a usual size, with the usual initial weights, over enough steps to add up errors."""
    ours, theirs = getattr(recurrent, name)(96), getattr(keras.layers, name)(96)
    x, state = tf.constant(numbers(16, 40, 32)), [tf.zeros((16, 96))] * len(ours.state_size)
    for layer in (ours, theirs):
        layer.build(x.shape)
    theirs.set_weights(ours.get_weights())
    assert_close(*(results_and_gradients(layer, x, state, None) for layer in (ours, theirs)))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_in_bfloat16_add_up_in_float32(name, form):
    """The bias gradient sums 40 x 30 terms: sums in bfloat16 would be off by a tenth and more."""
    low = getattr(recurrent, name)(24, return_sequences=True, dtype="mixed_bfloat16")
    exact = getattr(keras.layers, name)(24, return_sequences=True)
    x = tf.constant(numbers(40, 30, 8))
    for layer in (low, exact):
        layer.build(x.shape)
    exact.set_weights(low.get_weights())
    wanted = tf.constant(1 + numbers(40, 30, 24))
    gradients = []
    for layer in (low, exact):

        @tf.function(autograph=False)
        def compute(x, layer=layer):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(tf.cast(layer(x), "float32") * wanted)
            return tape.gradient(loss, [x, *(v.value for v in layer.weights)])

        gradients.append(compute(x))
    for a, b in zip(*gradients, strict=True):
        assert a.dtype == tf.float32
        assert tf.norm(a - b) < 0.02 * tf.norm(b)


def operations(layer, x, signature_steps):
    @tf.function(autograph=False, input_signature=[tf.TensorSpec((2, signature_steps, 3))])
    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x))
        return tape.gradient(loss, x)

    graph = compute.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return [node.op for node in nodes]


@pytest.mark.parametrize("name", NAMES)
def test_short_known_lengths_are_unrolled(name):
    layer, _ = same_weights(name, 4, 3)
    gates = layer.cell.kernel.shape[1] // 4
    steps = 6
    ops = operations(layer, None, steps)
    assert "While" not in ops and "StatelessWhile" not in ops
    # G products a step and direction in the loop, five a gate outside it (inputs, weight
    # gradients, bias sums); the last step back has an initial state to send a gradient to.
    assert ops.count("MatMul") <= 2 * gates * steps + 6 * gates
    for unknown_or_long in (None, cpu_loop.UNROLL_STEPS + 1):
        ops = operations(layer, None, unknown_or_long)
        assert sum(op in ("While", "StatelessWhile") for op in ops) == 2
        assert ops.count("MatMul") <= 2 * gates + 6 * gates


def test_a_second_derivative_is_refused(form):
    layer, _ = same_weights("LSTM", 4, 3)
    x = tf.constant(numbers(2, 3, 3))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum(layer(x))
        gradient = inner.gradient(loss, x)
    with pytest.raises(LookupError, match="second-order"):
        outer.gradient(gradient, x)


@pytest.mark.parametrize("name", NAMES)
def test_compiles_with_xla(name, form):
    layer, _ = same_weights(name, 4, 3)
    x = tf.constant(numbers(2, 3, 3))

    def compute(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x)))
        return loss, tape.gradient(loss, x)

    assert_close(tf.function(compute, jit_compile=True)(x), compute(x))


def test_a_saved_model_needs_no_rnnzoo(tmp_path):
    layers = [getattr(recurrent, name)(4, return_sequences=True) for name in NAMES]
    module = tf.Module()
    module.variables_of_layers = [w.value for layer in layers for w in _build(layer).weights]

    def call(x):
        return tf.add_n([layer(x, mask=x[:, :, 0] > 0) for layer in layers])

    module.free = tf.function(call, input_signature=[tf.TensorSpec((None, None, 3))])
    module.fixed = tf.function(call, input_signature=[tf.TensorSpec((2, 5, 3))])
    x = tf.constant(numbers(2, 5, 3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = call(x)
    for name, value in {"x": x, "y": y, "gradient": tape.gradient(y, x)}.items():
        np.save(tmp_path / f"{name}.npy", value)
    tf.saved_model.save(module, str(tmp_path / "saved"))
    program = """
        import numpy as np, sys, tensorflow as tf
        module = tf.saved_model.load("saved")
        x, y, gradient = (np.load(name + ".npy") for name in ("x", "y", "gradient"))
        x = tf.constant(x)
        for function in (module.free, module.fixed):
            with tf.GradientTape() as tape:
                tape.watch(x)
                found = function(x)
            np.testing.assert_allclose(found, y, atol=1e-6)
            np.testing.assert_allclose(tape.gradient(found, x), gradient, atol=1e-5)
        assert "rnnzoo" not in sys.modules
        print("agrees")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "agrees" in result.stdout, result.stderr


def _build(layer):
    layer.build((None, None, 3))
    return layer


def test_a_symbolic_batch_with_fixed_state():
    layer = recurrent.GRU(5, stateful=True)
    x = np.ones((2, 3, 4), "float32")
    layer(x)
    call = tf.function(layer, input_signature=[tf.TensorSpec((None, 3, 4))])
    assert call(x).shape == (2, 5)
