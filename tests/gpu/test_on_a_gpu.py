"""On a real GPU, on every backend, one after the other:

    KERAS_BACKEND=jax python -m pytest -m gpu -n 0 tests/gpu

A machine with Keras, one backend, pytest and pytest-xdist is enough: neither TensorFlow (but for
KERAS_BACKEND=tensorflow) nor tensorflow-datasets is imported.
"""

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.data import StreamDataset
from rnnzoo.layers import recurrent
from rnnzoo.layers.kernels import choose_kernel, gpu_visible

pytestmark = pytest.mark.gpu
BACKEND = keras.config.backend()
DTYPES = ["float32", "mixed_float16", "mixed_bfloat16"]
TEXT = "to be or not to be, that is the question. " * 8
SPECIAL = ("<pad>", "<start>", "<unk>", "<end>")


@pytest.fixture(autouse=True)
def a_gpu():
    assert gpu_visible(), f"{BACKEND} sees no GPU"


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def to_numpy(tensors):
    return [ops.convert_to_numpy(ops.cast(t, "float32")) for t in keras.tree.flatten(tensors)]


def language_model(**options):
    keras.utils.set_random_seed(0)
    return rnnzoo.char_lstm(rnnzoo.Vocabulary.from_text(TEXT), **options)


def translator(**options):
    keras.utils.set_random_seed(0)
    source = rnnzoo.Vocabulary.from_text("one two", special_tokens=SPECIAL)
    target = rnnzoo.Vocabulary.from_text("12", special_tokens=SPECIAL)
    return rnnzoo.gru_seq2seq(source, target, units=32, **options)


def pairs(model):
    source = [model.source_vocabulary.encode(text) for text in ("one", "two", "one two")] * 4
    target = [model.target_vocabulary.encode(text) for text in ("1", "2", "12")] * 4
    return rnnzoo.data.PairDataset(source, target, 4, start_id=1, end_id=3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_streams_train_in_every_precision(cell, dtype):
    model = language_model(cell=cell, units=64, num_layers=2, dropout=0.1, dtype=dtype)
    model.compile()
    ids = np.asarray(model.vocabulary.encode(TEXT), "int32")
    history = model.fit(StreamDataset(ids, 4, 10), epochs=3, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all() and history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [64, 1024])  # 64 rows of 1024 units are cuDNN's on JAX
def test_large_and_small_layers_train_in_every_precision(units, dtype):
    model = language_model(units=units, num_layers=1, dtype=dtype, weight_drop=0.2)
    model.compile(keras.optimizers.SGD(0.1))
    x = np.random.default_rng(0).integers(0, model.vocabulary_size, (64, 9))
    losses = model.fit(x[:, :-1], x[:, 1:], batch_size=64, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[1] < losses[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attention_position": "after_cell", "cell": "lstm"},
        {"attention": None, "num_layers": 2},
    ],
)
def test_pairs_train_and_translate_in_every_precision(options, dtype):
    model = translator(dtype=dtype, **options)
    model.compile()
    losses = model.fit(pairs(model), epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[1] < losses[0]
    assert all(isinstance(text, str) for text in model.translate(["one two", "two"]))
    assert isinstance(model.translate("one two", beam_width=3), str)
    if model.decoder.attention is not None:
        _, weights = model.translate("one two", return_attention=True)
        np.testing.assert_allclose(np.asarray(weights).sum(-1), 1, atol=1e-3)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_a_layer_of_a_user_trains(name, dtype, bidirectional):
    layer = getattr(recurrent, name)(1100 if name == "LSTM" else 32, dtype=dtype)
    if bidirectional:
        layer = keras.layers.Bidirectional(layer, dtype=dtype)
    model = keras.Sequential([keras.Input((7, 5)), layer, keras.layers.Dense(2, dtype="float32")])
    model.compile("sgd", "mse")
    losses = model.fit(
        numbers(64, 7, 5), numbers(64, 2, seed=1), batch_size=64, epochs=2, verbose=0
    )
    assert np.isfinite(losses.history["loss"]).all()


@pytest.mark.parametrize("mask", [None, "right"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 2e-3), ("mixed_float16", 1e-2), ("mixed_bfloat16", 5e-2)]
)
@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("use_cudnn", ["auto", True])
def test_the_chosen_kernel_agrees_with_the_generic_loop(name, dtype, tolerance, mask, use_cudnn):
    """Outputs and final states; float32 loosely too, for TF32."""
    config = {"return_sequences": True, "return_state": True, "dtype": dtype}
    config["zero_output_for_mask"] = True
    layer = getattr(recurrent, name)(32, **config)
    layer.build((64, 12, 16))
    x = numbers(64, 12, 16)
    mask = None if mask is None else np.arange(12) < 1 + np.arange(64)[:, None] % 12
    if name != "SimpleRNN":
        layer.use_cudnn = use_cudnn
        if use_cudnn is True and choose_kernel(layer, masked=mask is not None).name != "cudnn":
            layer.use_cudnn = "auto"
    found = to_numpy(layer(x, mask=mask))
    if name != "SimpleRNN":
        layer.use_cudnn = False
        assert choose_kernel(layer).name == "generic"
    expected = to_numpy(layer(x, mask=mask))
    if mask is not None:  # beyond the end cuDNN writes zeros, the generic loop repeats itself
        found[0], expected[0] = found[0] * mask[..., None], expected[0] * mask[..., None]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance)


@pytest.mark.parametrize("cell", ["qrnn", "sru"])
def test_elementwise_cells_train_and_write(cell):
    """Prompts of unequal length too, of which TensorFlow does not know the length when traced."""
    model = language_model(cell=cell, units=64, num_layers=2)
    name = "elementwise_loop" if cell == "sru" else "associative_scan"
    assert {row.training.name for row in rnnzoo.kernels(model)} == {name}
    model.compile()
    ids = np.asarray(model.vocabulary.encode(TEXT), "int32")
    history = model.fit(StreamDataset(ids, 4, 10), epochs=3, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all() and history["loss"][-1] < history["loss"][0]
    alone = [model.generate(prompt, 5, sampler="greedy") for prompt in ("to be", "question")]
    assert model.generate(["to be", "question"], 5, sampler="greedy") == alone


@pytest.mark.parametrize("cell", ["qrnn", "sru"])
def test_elementwise_cells_translate(cell):
    model = translator(cell=cell, attention_position="after_cell")
    model.compile()
    losses = model.fit(pairs(model), epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[1] < losses[0]
    assert all(isinstance(text, str) for text in model.translate(["one two", "two"]))


@pytest.mark.parametrize("sampler", [None, "greedy", "top_k", "top_p"])
def test_generation(sampler):
    model = language_model(units=64)
    once = model.generate(["to be", "question"], 20, sampler=sampler, seed=1)
    assert [len(text) for text in once] == [20, 20]
    assert model.generate(["to be", "question"], 20, sampler=sampler, seed=1) == once


def test_a_published_model_writes_and_translates():
    assert rnnzoo.load("gru_seq2seq_numbers").translate("one two five") == "125"
    assert len(rnnzoo.load("char_lstm_shakespeare_small").generate("ROMEO:", 50, seed=1)) == 50


def test_a_saved_model_goes_on(tmp_path):
    model = language_model(units=64, dtype="mixed_bfloat16")
    model.compile()
    ids = np.asarray(model.vocabulary.encode(TEXT), "int32")
    model.fit(StreamDataset(ids, 4, 10), shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = rnnzoo.load(tmp_path / "model.keras")
    assert again.generate("to be", 10, sampler="greedy") == model.generate(
        "to be", 10, sampler="greedy"
    )
    again.fit(StreamDataset(ids, 4, 10), shuffle=False, verbose=0)
