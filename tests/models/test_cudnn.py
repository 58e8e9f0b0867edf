"""On a GPU whole passes run in cuDNN: shown without one, by tracing with the GPU flag patched."""

import importlib
from collections import Counter

import keras
import numpy as np
import pytest

import rnnzoo
from tests import runners

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="looks into TensorFlow graphs"
)


@pytest.fixture(autouse=True)
def gpu_flag(monkeypatch):
    module = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(module, "_is_gpu_available", lambda: True)


def operations(model, inputs, targets):
    """Counts the operations of the traced training step, those of called functions too."""
    import tensorflow as tf

    model.compile()
    assert not model.jit_compile
    step = tf.function(model.train_step, autograph=False)
    graph = step.get_concrete_function((inputs, targets)).graph.as_graph_def()
    nodes = [node for function in graph.library.function for node in function.node_def]
    return Counter(node.op for node in [*graph.node, *nodes])


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_language_model_has_a_kernel_a_layer_and_no_loop(dtype):
    model = rnnzoo.char_lstm(9, units=4, num_layers=2, dropout=0.5, dtype=dtype)
    inputs, targets, _ = runners.batch(model)
    found = operations(model, inputs, targets)
    assert found["CudnnRNNV3"] == 2 and found["CudnnRNNBackpropV3"] == 2
    assert not found["While"] and not found["StatelessWhile"]


def test_weight_drop_and_locked_dropout_keep_the_kernel():
    model = rnnzoo.word_lm(
        9, units=4, num_layers=2, dropout=0.5, locked_dropout=True, weight_drop=0.5,
        embedding_dropout=0.1,
    )  # fmt: skip
    inputs, targets, _ = runners.batch(model)
    found = operations(model, inputs, targets)
    assert found["CudnnRNNV3"] == 2 and found["CudnnRNNBackpropV3"] == 2
    assert not found["While"] and not found["StatelessWhile"]
    assert [row.training.name for row in rnnzoo.kernels(model)] == ["cudnn"] * 2


def test_stream_with_carried_state_has_a_kernel_a_layer():
    from rnnzoo.data import StreamDataset

    model = rnnzoo.char_lstm(9, units=4, num_layers=2, cell="gru")
    inputs, targets, _ = StreamDataset(np.arange(61) % 9, 3, 5)[0]
    model._training_state.prepare(3)
    with model._carry(model._training_state, None, 3):
        found = operations(model, inputs, targets)
    assert found["CudnnRNNV3"] == 2 and not found["While"] and not found["StatelessWhile"]


@pytest.mark.parametrize(
    ("options", "kernels", "loops"),
    [
        ({"attention_position": "before_cell"}, 2, True),  # one a direction of the encoder
        ({"attention_position": "after_cell"}, 3, False),
        ({"attention_position": "after_cell", "bidirectional": False}, 2, False),
        ({"attention": None, "num_layers": 2}, 6, False),
    ],
)
def test_encoder_decoder(options, kernels, loops):
    model = rnnzoo.gru_seq2seq(9, 8, units=4, **options)
    inputs, targets, _ = runners.batch(model)
    found = operations(model, inputs, targets)
    assert found["CudnnRNNV3"] == kernels
    report = [row.training.name for row in rnnzoo.kernels(model)]
    assert sorted(report) == ["cell"] * loops + ["cudnn"] * kernels
    assert bool(found["While"] + found["StatelessWhile"]) is loops


@pytest.mark.parametrize("make", [runners.MODELS["char_lstm"], runners.MODELS["gru_seq2seq"]])
def test_xla_stays_off_when_it_is_asked_for(make):
    model = make()
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model.compile(jit_compile=True)
    assert not model.jit_compile
    model.compile(jit_compile="auto")
    assert not model.jit_compile
