"""Quantization, LoRA and dtype policies, through call, fit, evaluate, save, load and generate."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import char_lstm, gru_seq2seq, load, word_lm
from rnnzoo.errors import InputError

RANDOM = np.random.default_rng(0)


def language_model(tied, size=50, **options):
    model = word_lm(
        size, units=32, num_layers=2, embedding_dim=24, tie_embedding_weights=tied, **options
    )
    return shaken(model), RANDOM.integers(0, size, (8, 6))


def shaken(model):
    """Weights large enough that the logits differ from zero."""
    model.set_weights([RANDOM.normal(0, 0.3, weight.shape) for weight in model.weights])
    model.compile()
    return model


def translator(tied, cell="gru", position="before_cell"):
    model = gru_seq2seq(
        30, 30, units=16, cell=cell, tie_embedding_weights=tied, attention_position=position
    )
    ids = RANDOM.integers(1, 30, (8, 6))
    return shaken(model), {"source": ids, "target": ids}


MODELS = {
    "untied": lambda: language_model(False),
    "tied": lambda: language_model(True),
    "large and untied": lambda: language_model(False, 1500),
    "large and tied": lambda: language_model(True, 1500),
    "gru": lambda: language_model(True, cell="gru"),
    "simple_rnn": lambda: language_model(False, cell="simple_rnn"),
    "translator": lambda: translator(False),
    "shared": lambda: translator("all", "lstm"),
    "attention after": lambda: translator(True, "gru", "after_cell"),
}

WAYS = ["int8", "int4", "float8", "lora", "quantized, then lora", "lora, then quantized"]
# Three of them in every run; all ways on all models take minutes.
QUICK = {("untied", "int8"), ("large and tied", "lora"), ("untied", "float8")}
EVERY_WAY = [
    pytest.param(name, how, marks=[] if (name, how) in QUICK else pytest.mark.slow)
    for name in ("untied", "large and tied", "shared")
    for how in WAYS
]


def change(model, how):
    if how == "lora":
        heads = [getattr(model, "decoder", model)]
        for part in (heads[0].head, heads[0].embedding):
            if hasattr(part, "enable_lora"):
                part.enable_lora(4)
                matrix = part._trainable_variables[-1]
                matrix.assign(RANDOM.normal(0, 0.05, matrix.shape))
    elif how == "quantized, then lora":
        model.quantize("int8")
        change(model, "lora")
    elif how == "lora, then quantized":
        change(model, "lora")
        model.quantize("int8")
    elif how == "policy":
        for layer in model._flatten_layers():
            layer.dtype_policy = "mixed_bfloat16"
    else:
        model.quantize(how)


def close(one, other, share):
    one, other = ops.convert_to_numpy(one), ops.convert_to_numpy(other)
    assert np.abs(one - other).max() <= share * np.abs(other).max()


@pytest.mark.parametrize("how", ["int8", "policy"])
@pytest.mark.parametrize("name", MODELS)
def test_logits_stay_where_they_were(name, how):
    model, x = MODELS[name]()
    before = ops.convert_to_numpy(model(x))
    change(model, how)
    close(model(x), before, 0.05 if how == "float8" else 0.03)


@pytest.mark.filterwarnings("ignore:.*incompatible with fit")
@pytest.mark.parametrize(("name", "how"), EVERY_WAY)
def test_every_way_agrees_with_the_logits(name, how, tmp_path):
    model, x = MODELS[name]()
    y = x["target"] if isinstance(x, dict) else x
    change(model, how)
    logits = ops.convert_to_numpy(model(x))
    nats = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
    nats = ops.mean(nats)
    close(model.predict(x, verbose=0), logits, 1e-3)
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(float(nats), rel=1e-3)
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    # LoRA is saved within the matrix: of integers it is rounded once more
    close(loaded(x), logits, 0.03 if "quantized" in how else 1e-3)
    close(keras.saving.load_model(tmp_path / "model.keras")(x), loaded(x), 1e-5)
    close(model.copy_in_dtype("float32")(x), logits, 1e-3)
    if "lora" in how:
        lora = [v for v in loaded.trainable_variables if "lora" in v.name]
        before = [np.array(ops.convert_to_numpy(v.value)) for v in lora]
        loaded.fit(x, y, verbose=0)
        loaded.fit(x, y, verbose=0)
        assert lora and all(
            np.any(ops.convert_to_numpy(v.value) != b) for v, b in zip(lora, before, strict=True)
        )


def test_an_int8_file_is_about_a_quarter(tmp_path):
    model = char_lstm(100, units=256)
    model.save(tmp_path / "float.keras")
    model.quantize("int8")
    model.save(tmp_path / "int8.keras")
    ratio = (tmp_path / "int8.keras").stat().st_size / (tmp_path / "float.keras").stat().st_size
    assert ratio < 0.3


def test_a_policy_of_single_layers_is_saved(tmp_path):
    model, x = language_model(False)
    model.head.dtype_policy = "mixed_bfloat16"
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    assert loaded.head.compute_dtype == "bfloat16" and loaded.compute_dtype == "float32"
    close(loaded(x), model(x), 1e-6)


def test_frozen_layers_stay_frozen(tmp_path):
    model, _ = language_model(False)
    assert model.get_config()["file_format"] == 2
    model.embedding.trainable = model.recurrent.trainable = False
    model.recurrent.recurrent_layers[1].trainable = True
    model.head.trainable = False
    model.head.enable_lora(2)
    model.compile()
    trained = [weight.path for weight in model.trainable_variables]
    assert len(trained) == 3 and all("lstm_1" in path for path in trained)
    assert model.get_config()["file_format"] == 4
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    for other in (loaded, model.copy_in_dtype("mixed_bfloat16")):
        assert [weight.path for weight in other.trainable_variables] == trained
    assert loaded.get_config() == model.get_config()
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
    config = {**model.get_config(), "trainable_layers": {"recurrent/gru_0": False}}
    with pytest.raises(InputError, match="a layer 'recurrent/gru_0' that the model has not"):
        type(model).from_config(config)
    model.trainable = False
    assert model.get_config()["file_format"] == 3  # Keras itself notes that nothing is trained


def test_filters_and_configurations_are_kept(tmp_path):
    model, x = language_model(False)
    config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    model.quantize(config=config, filters="head|lstm_1")
    assert model.embedding.quantization_mode is None and model.head.quantization_mode == "int8"
    lower, upper = model.recurrent.recurrent_layers
    assert not hasattr(lower.cell, "quantized_kernel") and hasattr(upper.cell, "quantized_kernel")
    logits = ops.convert_to_numpy(model(x))
    model.save(tmp_path / "model.keras")
    close(load(tmp_path / "model.keras")(x), logits, 1e-5)
    model.quantize("int8", filters=lambda layer: layer.name in ("embedding", "lstm_0"))
    assert model.embedding.quantization_mode == "int8"


@pytest.mark.parametrize("mode", ["gptq", "awq", "int3", None])
def test_other_modes_are_refused_in_one_sentence(mode):
    model, x = language_model(False)
    before = ops.convert_to_numpy(model(x))
    with pytest.raises(InputError):
        model.quantize(mode)
    close(model(x), before, 1e-6)


def test_what_is_quantized_is_not_quantized_twice():
    model, _ = language_model(False)
    model.quantize("int8", filters="head")
    with pytest.raises(InputError, match="head are quantized already"):
        model.quantize("int8")
    with pytest.raises(InputError, match="No layer is left"):
        model.quantize("int8", filters="nothing")
    with pytest.raises(InputError, match="float16"):
        word_lm(9, units=4, dtype="mixed_float16").quantize("int8")
    with pytest.raises(InputError, match="made quantized"):
        char_lstm(9, units=4, dtype="int8_from_float32")


@pytest.mark.parametrize("how", ["int8", "lora"])
def test_generation_and_translation_are_those_of_the_changed_model(how):
    model, _ = language_model(True)
    model.generate([1, 2, 3], 4)
    change(model, how)
    ids = [1, 2, 3, *model.generate([1, 2, 3], 6, sampler="greedy")]
    logits = ops.convert_to_numpy(model(np.array([ids])))[0]
    assert ids[3:] == [int(np.argmax(row)) for row in logits[2:-1]]
    model, _ = translator(False)
    model.translate([3, 4])
    change(model, how)
    written = [int(each) for each in model.translate([3, 4], max_new_tokens=4)]
    assert written == [int(i) for i in model.copy_in_dtype("float32").translate([3, 4], 4)]
