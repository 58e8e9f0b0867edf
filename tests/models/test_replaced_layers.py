"""Another layer in the place of a head or an embedding: it works, or is refused in a sentence."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import Vocabulary, gru_seq2seq, load, word_lm
from rnnzoo.errors import InputError
from rnnzoo.models import grow
from rnnzoo.word_vectors import set_word_vectors

RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(1, 30, (8, 6))


@keras.saving.register_keras_serializable("tests")
class Scaled(keras.layers.Embedding):
    def call(self, inputs):
        return 3.0 * super().call(inputs)


@keras.saving.register_keras_serializable("tests")
class Sharper(keras.layers.Dense):
    def call(self, inputs):
        return 2.0 * super().call(inputs)


def bottleneck(size):
    return keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(size)], name="bottleneck")


HEADS = {"dense": keras.layers.Dense, "subclass": Sharper, "sequential": bottleneck}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("tied, size", [(False, 30), (True, 1500)])
def test_a_head_is_replaced(kind, tied, size, tmp_path):
    model = word_lm(size, units=16, embedding_dim=12, tie_embedding_weights=tied)
    model.compile()
    model.fit(IDS, IDS, verbose=0)
    model.generate([1, 2], 2)
    old = model.head
    model.head = HEADS[kind](size)
    assert old not in model._flatten_layers()
    trained = model.head.weights[0]
    before = np.array(ops.convert_to_numpy(trained.value))
    model.fit(IDS, IDS, verbose=0)
    assert np.any(ops.convert_to_numpy(trained.value) != before)
    hidden, _ = model.recurrent(model.embedding(IDS))
    logits = ops.convert_to_numpy(model.head(hidden))
    np.testing.assert_allclose(ops.convert_to_numpy(model(IDS)), logits, atol=1e-5)
    nats = keras.losses.sparse_categorical_crossentropy(IDS, logits, from_logits=True)
    assert model.evaluate(IDS, IDS, verbose=0)[0] == pytest.approx(float(ops.mean(nats)), rel=1e-4)
    written = model.generate([1, 2, 3], 3, sampler="greedy")
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(IDS)), logits, atol=1e-5)
    np.testing.assert_array_equal(loaded.generate([1, 2, 3], 3, sampler="greedy"), written)
    np.testing.assert_allclose(
        ops.convert_to_numpy(model.copy_in_dtype("float32")(IDS)), logits, atol=1e-5
    )
    loaded.fit(IDS, IDS, verbose=0)


@pytest.mark.filterwarnings("ignore:.*incompatible with fit")
@pytest.mark.parametrize("how", ["int8", "lora"])
def test_a_replaced_head_is_quantized_and_gets_lora(how, tmp_path):
    model = word_lm(30, units=16, embedding_dim=12)
    model.head = keras.layers.Dense(30)
    if how == "lora":
        model.head.enable_lora(2)
        model.head.lora_kernel_b.assign(RANDOM.normal(0, 1, model.head.lora_kernel_b.shape))
    else:
        model.quantize("int8")
    logits = ops.convert_to_numpy(model(IDS))
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(IDS)), logits, atol=1e-4)
    assert loaded.head.quantization_mode == (how if how == "int8" else None)


@pytest.mark.parametrize("tied", [False, True])
def test_an_embedding_of_a_subclass(tied, tmp_path):
    model = word_lm(30, units=16, embedding_dim=12, tie_embedding_weights=tied)
    model.compile()
    model.embedding = Scaled(30, 12)
    np.testing.assert_allclose(
        ops.convert_to_numpy(model.embeddings()),
        3 * ops.convert_to_numpy(model.embedding.embeddings),
        atol=1e-6,
    )
    model.fit(IDS, IDS, verbose=0)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(
        ops.convert_to_numpy(load(tmp_path / "model.keras")(IDS)),
        ops.convert_to_numpy(model(IDS)),
        atol=1e-5,
    )


@pytest.mark.parametrize("tied", [False, "all"])
def test_the_layers_of_a_translator(tied, tmp_path):
    model = gru_seq2seq(30, 30, units=16, tie_embedding_weights=tied)
    model.compile()
    inputs = {"source": IDS, "target": IDS}
    model.fit(inputs, IDS, verbose=0)
    model.translate([3, 4], max_new_tokens=3)
    model.decoder.head = Sharper(30)
    model.encoder.embedding = Scaled(30, 16)
    model.fit(inputs, IDS, verbose=0)
    written = model.translate([3, 4], max_new_tokens=3)
    model.save(tmp_path / "model.keras")
    loaded = load(tmp_path / "model.keras")
    np.testing.assert_allclose(
        ops.convert_to_numpy(loaded(inputs)), ops.convert_to_numpy(model(inputs)), atol=1e-5
    )
    np.testing.assert_array_equal(loaded.translate([3, 4], max_new_tokens=3), written)


@pytest.mark.parametrize(
    "name, layer, sentence",
    [
        ("head", keras.layers.Dense(29), "the model needs 30 numbers a token"),
        ("head", keras.layers.Dense(30, activation="softmax"), "must give logits"),
        ("head", keras.layers.Flatten(), "numbers a token"),
        ("embedding", keras.layers.Embedding(30, 11), "the model needs 12 numbers a token"),
        ("embedding", "glove", "must be a keras.layers.Layer"),
    ],
)
def test_what_does_not_fit_is_refused(name, layer, sentence):
    model = word_lm(30, units=16, embedding_dim=12)
    before = ops.convert_to_numpy(model(IDS))
    with pytest.raises(InputError, match=sentence):
        setattr(model, name, layer)
    np.testing.assert_allclose(ops.convert_to_numpy(model(IDS)), before, atol=1e-6)


@pytest.mark.parametrize("how", ["int8", "replaced"])
def test_a_changed_model_does_not_grow(how):
    vocabulary = Vocabulary.from_text("to be or not to be")
    model = word_lm(vocabulary, units=16, embedding_dim=12)
    if how == "int8":
        model.quantize("int8")
    else:
        model.head = keras.layers.Dense(len(vocabulary))
    with pytest.raises(InputError, match="changed after it was built"):
        grow(model, vocabulary.extended("Ophelia"))


def test_word_vectors_are_refused_where_rows_are_no_floats(tmp_path):
    vocabulary = Vocabulary.from_text("the cat and the dog", level="word")
    (tmp_path / "vectors.txt").write_text("cat 0.25 0.5 1\n")
    for change in (lambda e: e.quantize("int8"), lambda e: e.enable_lora(2)):
        model = word_lm(vocabulary, units=4, embedding_dim=3)
        change(model.embedding)
        before = ops.convert_to_numpy(model.embeddings())
        with pytest.raises(InputError, match="set the vectors first"):
            set_word_vectors(model.embedding, vocabulary, tmp_path / "vectors.txt")
        np.testing.assert_array_equal(ops.convert_to_numpy(model.embeddings()), before)


@pytest.mark.filterwarnings("ignore:.*incompatible with fit")
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_weight_drop_drops_in_a_quantized_matrix_too(cell):
    model = word_lm(30, units=16, embedding_dim=12, cell=cell, weight_drop=0.5)
    before = ops.convert_to_numpy(model(IDS))
    model.quantize("int8")
    np.testing.assert_allclose(ops.convert_to_numpy(model(IDS)), before, atol=0.02)
    one, other = (ops.convert_to_numpy(model(IDS, training=True)) for _ in range(2))
    assert np.abs(one - other).max() > 1e-4  # another mask each time
    np.testing.assert_allclose(one[:, 0], other[:, 0], atol=1e-6)  # no state yet to be dropped
