"""What `choose_kernel` says is what Keras is told: seen, without a GPU, in the calls it gets."""

import keras
import numpy as np
import pytest
from keras.src import backend as keras_backend

from rnnzoo.layers import recurrent
from rnnzoo.layers.kernels import choose_kernel

X = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")


@pytest.fixture
def calls(monkeypatch):
    """The names of Keras's cuDNN functions that are called; each refuses, as without a GPU."""
    called = []

    def refuse(name):
        def function(*_, **__):
            called.append(name)
            raise NotImplementedError

        return function

    for name in ("lstm", "gru", "bidirectional_lstm", "bidirectional_gru"):
        monkeypatch.setattr(keras_backend, name, refuse(name))
    return called


@pytest.fixture
def on(monkeypatch):
    """Makes rnnzoo believe in a GPU and a backend."""

    def pretend(backend):
        monkeypatch.setattr(keras.backend, "backend", lambda: backend)
        for module in ("kernels.choose", "cells.fast_loop"):
            monkeypatch.setattr(f"rnnzoo.layers.{module}.gpu_visible", lambda: True)

    return pretend


@pytest.mark.parametrize(
    ("backend", "name", "config", "reaches"),
    [
        ("jax", "LSTM", {}, False),  # few units and rows: the generic loop is faster
        ("jax", "LSTM", {"use_cudnn": True}, True),
        ("jax", "LSTM", {"use_cudnn": False}, False),
        ("jax", "LSTM", {"dtype": "mixed_float16"}, False),
        ("jax", "LSTM", {"dtype": "mixed_bfloat16"}, False),
        ("jax", "LSTM", {"dtype": "mixed_bfloat16", "weight_drop": 0.5}, False),
        ("jax", "GRU", {}, True),  # a loop of Keras's own on JAX, without cuDNN
        ("torch", "LSTM", {}, True),
        ("torch", "GRU", {}, True),
        ("torch", "LSTM", {"use_cudnn": False}, False),
        ("torch", "GRU", {"use_cudnn": False}, False),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_the_choice_reaches_keras(on, calls, backend, name, config, reaches, training):
    layer = getattr(recurrent, name)(4, **config)
    on(backend)
    try:
        layer(X, training=training)
    except ValueError as error:  # Keras's own, of `use_cudnn=True` where there is no cuDNN
        assert "use_cudnn=True" in str(error)
    assert calls == [name.lower()] * reaches
    assert layer.use_cudnn == config.get("use_cudnn", "auto") or backend == "jax"


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("config", [{}, {"weight_drop": 0.5}, {"dtype": "mixed_bfloat16"}])
def test_bidirectional_does_not_pass_the_choice_by(on, calls, backend, name, config):
    on(backend)
    both = keras.layers.Bidirectional(
        getattr(recurrent, name)(4, return_sequences=True, **config), dtype=config.get("dtype")
    )
    assert both.forward_layer.requested_cudnn == both.backward_layer.requested_cudnn == "auto"
    both(X)
    fused = f"bidirectional_{name.lower()}" in calls
    assert fused is (backend == "torch" and "weight_drop" not in config)
    if name == "LSTM":
        chosen = choose_kernel(both.forward_layer, rows=4).name
        assert ("lstm" in calls) is (backend == "torch") or chosen == "generic"
    again = keras.layers.Bidirectional.from_config(both.get_config())
    assert again.forward_layer.requested_cudnn == "auto"
    built = keras.layers.Bidirectional(both.forward_layer)
    assert built.backward_layer.requested_cudnn == "auto"


def test_rows_decide_on_jax(on, calls, monkeypatch):
    layer = recurrent.LSTM(4)
    monkeypatch.setattr("rnnzoo.layers.kernels.cudnn.JAX_CUDNN_FROM", 16)
    on("jax")
    layer(X[:3])
    assert not calls
    layer(X[:4])
    assert calls == ["lstm"]


@pytest.mark.parametrize(
    ("units", "rows", "name"),
    [
        (128, 50, "generic"),
        (512, 64, "generic"),
        (512, 128, "cudnn"),
        (1150, 80, "cudnn"),
        (512, None, "generic"),
        (1150, None, "cudnn"),
    ],
)
def test_what_was_measured_on_a_gpu_is_chosen(on, units, rows, name):
    layer = recurrent.LSTM(units)
    on("jax")
    kernel = choose_kernel(layer, rows=rows)
    assert kernel.name == name
    assert "tokens a second" in kernel.reason and "H100" in kernel.reason
    assert ("assumed" in kernel.reason) is (rows is None)
    assert f"{units} units and {rows or 64} rows" in kernel.reason


def test_a_mask_never_reaches_cudnn_on_jax(on, calls):
    layer = recurrent.LSTM(4, use_cudnn=False)
    on("jax")
    layer(X, mask=np.ones((4, 5), "bool"))
    assert not calls
    assert "a mask reaches it" in choose_kernel(recurrent.LSTM(2000), masked=True).reason


def test_what_was_asked_survives_a_clone_and_a_loop(on, calls):
    layer = recurrent.LSTM(4, return_sequences=True)
    layer.use_cudnn = False
    both = keras.layers.Bidirectional(layer)
    assert both.forward_layer.use_cudnn is both.backward_layer.use_cudnn is False
    on("torch")
    both(X)
    assert not calls
    both.forward_layer.use_cudnn = both.backward_layer.use_cudnn = "auto"
    both(X)
    assert calls
