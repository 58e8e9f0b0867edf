"""Which kernel runs: chosen, reported, and found in the traced training step."""

import importlib

import keras
import numpy as np
import pytest

from rnnzoo.layers import recurrent
from rnnzoo.layers.kernels import choose_kernel, kernels

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="traces a TensorFlow graph"
)


@pytest.fixture
def gpu(monkeypatch):
    """Makes Keras believe in a GPU, as far as tracing goes."""
    rnn = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)


def traced_training_step(model):
    """The operations of the step that `fit` runs for one batch, one entry an operation."""
    import tensorflow as tf

    x, targets = (np.ones((4, *shape[1:])) for shape in (model.input_shape, model.output_shape))
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, autograph=False)
    graph = step.get_concrete_function((x, targets)).graph.as_graph_def()
    return [n.op for n in graph.node] + [n.op for f in graph.library.function for n in f.node_def]


def network(module, name, bidirectional=False, mask=False, dtype="float32", **config):
    make = getattr(module, name)
    layers = [make(6, return_sequences=True, dtype=dtype, **config) for _ in range(2)]
    if bidirectional:
        layers = [keras.layers.Bidirectional(layer, dtype=dtype) for layer in layers]
    masking = [keras.layers.Masking()] if mask else []
    return keras.Sequential([keras.Input((5, 3)), *masking, *layers])


@on_tensorflow
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    ("name", "options", "directions"),
    [
        ("LSTM", {}, 1),
        ("GRU", {}, 1),
        ("LSTM", {"bidirectional": True, "dropout": 0.5}, 2),
        ("GRU", {"mask": True, "dropout": 0.5}, 1),
    ],
)
def test_one_cudnn_call_per_layer_and_direction(gpu, name, options, directions, dtype):
    model = network(recurrent, name, dtype=dtype, **options)
    operations = traced_training_step(model)
    assert operations.count("CudnnRNNV3") == 2 * directions
    assert operations.count("CudnnRNNBackpropV3") == 2 * directions
    assert not [op for op in operations if "While" in op]
    assert model.jit_compile is False
    report = kernels(model)
    assert len(report) == 2 * directions
    assert {row.training.name for row in report} == {"cudnn"}
    assert {row.device for row in report} == {"gpu"}


@on_tensorflow
@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_the_cpu_loop_runs_without_a_gpu(name):
    model = network(recurrent, name)
    operations = traced_training_step(model)
    assert not [op for op in operations if "Cudnn" in op or "While" in op]
    assert model.jit_compile is False
    assert [row.training.name for row in kernels(model)] == ["cpu_loop"] * 2


LOST = {
    "activation='tanh'": ("LSTM", {"activation": "relu"}),
    "recurrent_activation='sigmoid'": ("GRU", {"recurrent_activation": "hard_sigmoid"}),
    "recurrent_dropout=0": ("LSTM", {"recurrent_dropout": 0.1}),
    "unroll=False": ("GRU", {"unroll": True}),
    "reset_after=True": ("GRU", {"reset_after": False}),
}
LOST_ON_GPU = {
    **LOST,
    "use_bias=True": ("LSTM", {"use_bias": False}),
    "use_cudnn='auto'": ("GRU", {"use_cudnn": False}),
    "SimpleRNN": ("SimpleRNN", {}),
}
LOST_ON_CPU = {
    **LOST,
    "float32 or bfloat16": ("LSTM", {"dtype": "float64"}),
    "use_cudnn=True": ("LSTM", {"use_cudnn": True}),
    "implementation=2": ("GRU", {"implementation": 1, "dropout": 0.1}),
}


@on_tensorflow
@pytest.mark.parametrize("remedy", LOST_ON_GPU)
def test_what_loses_cudnn_is_named(gpu, remedy):
    name, config = LOST_ON_GPU[remedy]
    model = network(recurrent, name, **config)
    assert "CudnnRNNV3" not in traced_training_step(model)
    for row in kernels(model):
        assert row.training.name == "generic"
        assert row.training.reason.startswith("no cuDNN")
        assert remedy in row.training.reason


@on_tensorflow
@pytest.mark.parametrize("remedy", LOST_ON_CPU)
def test_what_loses_the_cpu_loop_is_named(remedy):
    name, config = LOST_ON_CPU[remedy]
    kernel = choose_kernel(getattr(recurrent, name)(4, **config))
    assert kernel.name == "generic"
    assert remedy in kernel.reason


@on_tensorflow
def test_every_condition_is_named_at_once():
    layer = recurrent.GRU(4, activation="relu", recurrent_dropout=0.1, reset_after=False)
    reason = choose_kernel(layer).reason
    assert all(word in reason for word in ("tanh", "recurrent_dropout=0", "reset_after=True"))


@on_tensorflow
def test_use_cudnn_without_a_gpu_fails_as_in_keras():
    for module in (recurrent, keras.layers):
        with pytest.raises(ValueError, match="use_cudnn=True was specified"):
            module.LSTM(4, use_cudnn=True)(np.ones((2, 3, 4), "float32"))


@on_tensorflow
def test_layers_of_others_are_reported_too():
    model = keras.Sequential(
        [
            keras.layers.GRU(4, name="theirs", return_sequences=True),
            keras.layers.RNN(keras.layers.StackedRNNCells([keras.layers.LSTMCell(3)]), name="odd"),
            keras.layers.Dense(2),
        ]
    )
    theirs, odd = kernels(model)
    assert (theirs.layer, theirs.training.name) == ("theirs", "generic")
    assert "rnnzoo.layers.GRU" in theirs.training.reason
    assert (odd.layer, odd.training.name) == ("odd", "generic")
    assert "StackedRNNCells" in odd.training.reason


def test_a_step_runs_the_cell_alone_and_a_held_cell_is_found():
    class Stack(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="stack")
            self.lower = recurrent.LSTM(4, name="lower")
            self.own = keras.layers.GRUCell(4, name="own")

        def step(self, inputs, state):
            return self.lower.cell(inputs, state)

    model = keras.Sequential([Stack(), recurrent.GRU(4, name="reader")], name="model")
    lower, own, reader = kernels(model)
    assert [row.layer for row in (lower, own, reader)] == ["stack/lower", "stack/own", "reader"]
    assert lower.generation.name == own.generation.name == own.training.name == "cell"
    assert "attention_position='after_cell'" in own.training.reason
    assert reader.generation == reader.training == choose_kernel(model.layers[1])


def test_the_table():
    model = keras.Sequential([recurrent.LSTM(4, name="a_long_name", activation="relu")])
    lines = str(kernels(model)).splitlines()
    assert lines[0].split() == ["layer", "training", "generation", "backend", "device"]
    assert lines[1].split()[:3] == ["a_long_name", "generic", "generic"]
    assert lines[2] == "" and lines[3].startswith("generic: ") and lines[3].endswith(".")
    assert len(lines) == 4  # each reason once
    assert str(kernels(keras.Sequential([keras.layers.Dense(2)]))) == (
        "This model has no recurrent layer."
    )


def test_other_backends_are_named(monkeypatch):
    for backend in ("jax", "torch"):
        monkeypatch.setattr(keras.backend, "backend", lambda backend=backend: backend)
        for visible in (False, True):
            monkeypatch.setattr(
                "rnnzoo.layers.kernels.gpu_visible", lambda visible=visible: visible
            )
            layer = recurrent.GRU.__new__(recurrent.GRU)  # no weights: only the choice is tested
            keras.layers.GRU.__init__(layer, 4)
            kernel = choose_kernel(layer)
            if not visible:
                assert kernel.name == "generic" and backend in kernel.reason
            elif backend == "jax":
                assert kernel.name == "generic" and "no cuDNN for GRU" in kernel.reason
            else:
                assert kernel.name == "cudnn" and "mask" in kernel.reason


@pytest.mark.gpu
@on_tensorflow
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_cudnn_agrees_with_the_cpu_loop(name):
    """On a real GPU: the same weights give the same numbers on both devices."""
    import tensorflow as tf

    from rnnzoo.layers import cpu_kernel

    layer = getattr(recurrent, name)(32, return_sequences=True)
    x = np.random.default_rng(0).normal(size=(4, 20, 16)).astype("float32")
    on_gpu = layer(x)
    assert choose_kernel(layer).name == "cudnn"
    equations = getattr(cpu_kernel, layer.fast_loop)
    with tf.device("/CPU:0"):
        state = layer.get_initial_state(4)
        _, on_cpu, _ = cpu_kernel.run(equations, layer, tf.constant(x), state, None, False)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)
