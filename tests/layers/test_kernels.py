"""Which kernel runs: chosen, reported, and found in the traced training step."""

import importlib
import re

import keras
import numpy as np
import pytest

from rnnzoo import onednn
from rnnzoo.layers import RecurrentStack, recurrent
from rnnzoo.layers.encoder import Encoder
from rnnzoo.layers.kernels import choose_kernel, gpu_visible, kernels

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
@pytest.mark.parametrize("own", [False, True])
def test_an_export_takes_the_first_exportable_kernel(own):
    layer = recurrent.LSTM(4)
    assert choose_kernel(layer).name == "cpu_loop"
    layer.exporting = True
    chosen = choose_kernel(layer)
    assert (chosen.name, chosen.reason) == ("generic", "no CPU loop: this model is made for export")
    scans = RecurrentStack(4, cell="min_gru").recurrent_layers[0]
    scans.exporting = True
    assert choose_kernel(scans).name == "generic"

    class Portable(type(scans.kernels[0])):
        name = "portable"
        exportable = True

    scans.kernels = (*scans.kernels, Portable())
    assert choose_kernel(scans).name == "portable"


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
    row = kernels(model)[0]
    after = [f"{onednn.choice()}."] if (row.backend, row.device) == ("tensorflow", "cpu") else []
    assert lines[4:] == after  # each reason once
    assert str(kernels(keras.Sequential([keras.layers.Dense(2)]))) == (
        "This model has no recurrent layer."
    )


def pretend(monkeypatch, backend, gpu=True):
    """Makes `kernels` believe in a backend and a GPU."""
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    for module in ("kernels.choose", "kernels.report", "kernels.attending", "cells.fast_loop"):
        monkeypatch.setattr(f"rnnzoo.layers.{module}.gpu_visible", lambda: gpu)


def test_other_backends_are_named(monkeypatch):
    layer = recurrent.GRU(4)
    for backend in ("jax", "torch"):
        pretend(monkeypatch, backend)
        for visible in (False, True):
            pretend(monkeypatch, backend, visible)
            kernel = choose_kernel(layer)
            if not visible:
                assert kernel.name == "generic" and backend in kernel.reason
            elif backend == "jax":
                assert kernel.name == "generic" and "no cuDNN for GRU" in kernel.reason
            else:
                assert kernel.name == "cudnn" and "mask" in kernel.reason


@pytest.mark.parametrize(
    ("backend", "name", "config", "remedy"),
    [
        ("jax", "LSTM", {"dtype": "mixed_bfloat16"}, "float32, not bfloat16"),
        ("jax", "LSTM", {"use_bias": False}, "use_bias=True"),
        ("jax", "LSTM", {"recurrent_dropout": 0.1}, "recurrent_dropout=0"),
        ("jax", "GRU", {}, "no cuDNN for GRU"),
        ("torch", "LSTM", {"dtype": "mixed_bfloat16"}, "float64, not bfloat16"),
        ("torch", "GRU", {"activation": "relu"}, "activation='tanh'"),
        ("torch", "GRU", {"reset_after": False}, "reset_after=True"),
        ("torch", "LSTM", {"use_cudnn": False}, "use_cudnn='auto'"),
        ("torch", "SimpleRNN", {}, "SimpleRNN"),
    ],
)
def test_what_loses_cudnn_on_other_backends(monkeypatch, backend, name, config, remedy):
    layer, good = getattr(recurrent, name)(4, **config), recurrent.LSTM(1024)  # large: see JAX
    pretend(monkeypatch, backend)
    assert choose_kernel(good).name == "cudnn"
    kernel = choose_kernel(layer)
    assert kernel.name == "generic" and remedy in kernel.reason


def test_a_mask_loses_cudnn_on_other_backends(monkeypatch):
    lstm = {"return_sequences": True, "name": "lstm"}
    ways = {
        "plain": keras.Sequential([recurrent.LSTM(1024, **lstm)]),
        "masking": keras.Sequential([keras.layers.Masking(), recurrent.LSTM(1024, **lstm)]),
        "embedding": keras.Sequential(
            [keras.layers.Embedding(9, 3, mask_zero=True), recurrent.LSTM(1024, **lstm)]
        ),
        "encoder": Encoder(9, units=4, cell="lstm", merge_mode="concat"),  # pads are its mask
    }
    for backend in ("tensorflow", "jax", "torch"):
        pretend(monkeypatch, backend)
        for way, model in ways.items():
            lost = way != "plain" and backend != "tensorflow"
            rows = kernels(model)
            assert len(rows) == (2 if way == "encoder" else 1)
            for row in rows:
                assert row.training.name == row.generation.name == ("generic" if lost else "cudnn")
                assert ("a mask reaches it" in row.training.reason) is lost


def test_torch_compile_loses_cudnn(monkeypatch):
    model = keras.Sequential([keras.Input((5, 3)), recurrent.LSTM(4)])
    pretend(monkeypatch, "torch")
    assert kernels(model)[0].training.name == "cudnn"
    model.compile("sgd", "mse", jit_compile=False)
    assert kernels(model)[0].training.name == "cudnn"
    object.__setattr__(model, "_jit_compile", True)
    assert kernels(model)[0].training.name == "generic"
    assert "jit_compile=False" in kernels(model)[0].training.reason


def test_one_layer_alone():
    (row,) = kernels(recurrent.GRU(4, name="reader"))
    assert row.layer == "reader" and row.training.name == row.generation.name != "cell"


@on_tensorflow
@pytest.mark.parametrize("gpu_is_there", [False, True])
def test_xla_is_off_where_a_kernel_of_our_own_runs(monkeypatch, request, gpu_is_there):
    """Keras asks the layers: neither cuDNN nor the CPU loop goes with XLA, Keras's loop does."""
    from keras.src.trainers.trainer import model_supports_jit

    if gpu_is_there:
        request.getfixturevalue("gpu")
    for name in ("LSTM", "GRU"):
        model = network(recurrent, name, bidirectional=True)
        assert not model_supports_jit(model)
        with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
            model.compile("sgd", "mse", jit_compile=True)
        assert model.jit_compile is False
        generic = network(recurrent, name, activation="relu")
        assert model_supports_jit(generic)
        generic.compile("sgd", "mse", jit_compile=True)
        assert generic.jit_compile is True


def test_keras_own_spelling_of_tanh_counts():
    layer = recurrent.LSTM(4, activation=keras.ops.tanh, recurrent_activation=keras.ops.sigmoid)
    assert choose_kernel(layer) == choose_kernel(recurrent.LSTM(4))


# What names a cuDNN recurrent kernel in a profile of each backend.
IN_A_PROFILE = {
    "tensorflow": rb"CudnnRNN",
    "jax": rb"cudnn_rnn|LSTM_elementWise|RNN_blockPersist",
    "torch": rb"aten::_cudnn_rnn",
}


def profile(function, folder):
    """Calls a function under the backend's profiler; returns what was recorded, as bytes."""
    function()  # traced and compiled before
    if keras.backend.backend() == "torch":
        import torch

        with torch.profiler.profile() as recorded:
            function()
        return "\n".join(event.key for event in recorded.key_averages()).encode()
    if keras.backend.backend() == "jax":
        import jax

        with jax.profiler.trace(str(folder)):
            function()
    else:
        import tensorflow as tf

        tf.profiler.experimental.start(str(folder))
        function()
        tf.profiler.experimental.stop()
    return b"".join(path.read_bytes() for path in folder.rglob("*.xplane.pb"))


def test_the_profiler_records(tmp_path):
    """So that the GPU tests below cannot pass for want of a record."""
    model = network(recurrent, "LSTM")
    model.compile("sgd", "mse", jit_compile="auto")
    x = np.ones((4, 5, 3), "float32")
    recorded = profile(lambda: model.train_on_batch(x, np.ones((4, 5, 6), "float32")), tmp_path)
    assert re.search(rb"MatMul|dot|aten::mm|aten::addmm|aten::matmul", recorded)
    assert choose_kernel(recurrent.LSTM(4)).name == "cudnn" or not re.search(
        IN_A_PROFILE[keras.backend.backend()], recorded
    )


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_the_profile_of_a_real_step_shows_what_the_report_says(name, dtype, tmp_path):
    """On a real GPU, on every backend: `KERAS_BACKEND=jax pytest -m gpu -n 0 tests/layers`."""
    assert gpu_visible(), "this test needs a GPU"
    model = network(recurrent, name, dtype=dtype)
    model.compile("sgd", "mse")
    x, y = np.ones((4, 5, 3), "float32"), np.ones((4, 5, 6), "float32")
    recorded = profile(lambda: model.train_on_batch(x, y), tmp_path)
    ran = re.search(IN_A_PROFILE[keras.backend.backend()], recorded) is not None
    assert {row.device for row in kernels(model)} == {"gpu"}
    assert {row.training.name for row in kernels(model)} == {"cudnn" if ran else "generic"}


@pytest.mark.gpu
@on_tensorflow
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_cudnn_agrees_with_the_cpu_loop(name):
    """On a real GPU: the same weights give the same numbers on both devices."""
    import tensorflow as tf

    from rnnzoo.layers.kernels import cpu_loop

    layer = getattr(recurrent, name)(32, return_sequences=True)
    x = np.random.default_rng(0).normal(size=(4, 20, 16)).astype("float32")
    on_gpu = layer(x)
    assert choose_kernel(layer).name == "cudnn"
    with tf.device("/CPU:0"):
        state = layer.get_initial_state(4)
        _, on_cpu, _ = cpu_loop.run(layer.equations, layer, tf.constant(x), state, None, False)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)
