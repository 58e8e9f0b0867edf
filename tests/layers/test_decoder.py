"""The decoder: attention before or after its cells, whole sequences and single steps."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.layers import Decoder
from tests import reference
from tests.runners import UNTRACED

RANDOM = np.random.default_rng(0)
TARGET = np.array([[1, 4, 2, 3], [1, 5, 5, 0]], "int32")
VALUES = RANDOM.normal(size=(2, 3, 6)).astype("float32")
MASK = np.array([[1, 1, 1], [1, 1, 0]], bool)
CELLS = list(reference.CELLS)


def make(cell, position, num_layers):
    decoder = Decoder(
        6, units=3, num_layers=num_layers, cell=cell, embedding_dim=2, attention_position=position
    )
    memory = decoder.read(VALUES, MASK)
    count = num_layers * (2 if cell == "lstm" else 1)
    state = [RANDOM.normal(size=(2, 3)).astype("float32") for _ in range(count)]
    return decoder, memory, state


@pytest.mark.parametrize("num_layers", [1, 2] if UNTRACED else [2])
@pytest.mark.parametrize("position", ["before_cell", "after_cell", None])
@pytest.mark.parametrize("cell", CELLS)
def test_steps_are_the_whole(cell, position, num_layers):
    decoder, memory, state = make(cell, position, num_layers)
    logits = ops.convert_to_numpy(decoder(TARGET, state, memory))  # builds the weights
    assert logits.shape == (2, 4, 6)
    for time in range(4):
        step, state, weights = decoder.step(TARGET[:, time], state, memory)
        np.testing.assert_allclose(ops.convert_to_numpy(step), logits[:, time], atol=1e-5)
        weights = ops.convert_to_numpy(weights)
        np.testing.assert_allclose(weights.sum(-1), 0 if position is None else 1, atol=1e-6)
        assert (weights[~MASK] == 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_attention_before_the_cell_agrees_with_the_paper(cell):
    decoder, memory, state = make(cell, "before_cell", 1)
    logits = ops.convert_to_numpy(decoder(TARGET, state, memory))

    def weights_of(layer):
        return [ops.convert_to_numpy(weight) for weight in layer.weights]

    (table,) = weights_of(decoder.embedding)
    attention = decoder.attention
    parts = attention.query_projection.kernel, attention.key_projection.kernel
    kernels = [ops.convert_to_numpy(each) for each in (*parts, attention.score_vector)]
    readout, head = weights_of(decoder.readout), weights_of(decoder.head)
    for time in range(4):
        embedded = table[TARGET[:, time]]
        context, _ = reference.additive_attention(state[0], VALUES, MASK, *kernels)
        inputs = np.concatenate([embedded, context], -1)[:, None]
        output, state = reference.CELLS[cell](inputs, state, *weights_of(decoder.attending_cell))
        said = np.concatenate([output[:, 0], context, embedded], -1)
        expected = np.tanh(said @ readout[0] + readout[1]) @ head[0] + head[1]
        np.testing.assert_allclose(logits[:, time], expected, atol=1e-5)


def test_without_attention_only_the_state_counts():
    decoder, memory, state = make("gru", None, 1)
    logits = decoder(TARGET, state, memory)
    other = decoder(TARGET, state, decoder.read(VALUES + 1, MASK))
    np.testing.assert_array_equal(ops.convert_to_numpy(logits), ops.convert_to_numpy(other))


def test_tied_weights_score_tokens_by_their_embeddings():
    _, _, state = make("gru", "before_cell", 1)
    decoder = Decoder(6, units=3, embedding_dim=2, tie_embedding_weights=True)
    memory = decoder.read(VALUES, MASK)
    logits = ops.convert_to_numpy(decoder(TARGET, state, memory))
    decoder.head.bias.assign(np.arange(6.0))
    again = ops.convert_to_numpy(decoder(TARGET, state, memory))
    np.testing.assert_allclose(again, logits + np.arange(6.0), atol=1e-5)
    hidden = ops.convert_to_numpy(decoder.features(TARGET, state, memory))
    matrix, bias = map(ops.convert_to_numpy, (decoder.embedding.embeddings, decoder.head.bias))
    np.testing.assert_allclose(again, hidden @ matrix.T + bias, atol=1e-5)
    step, *_ = decoder.step(TARGET[:, 0], state, memory)
    np.testing.assert_allclose(ops.convert_to_numpy(step), again[:, 0], atol=1e-5)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_locked_dropout_drops_the_same_at_every_step(num_layers):
    keras.utils.set_random_seed(0)
    decoder = Decoder(6, units=8, num_layers=num_layers, dropout=0.5, locked_dropout=True)
    memory = decoder.read(VALUES, MASK)
    state = [np.zeros((2, 8), "float32")] * num_layers
    readout = decoder.features(np.ones((2, 5), "int32"), state, memory, training=True)
    dropped = ops.convert_to_numpy(readout) == 0
    assert 0 < dropped.mean() < 1
    assert (dropped == dropped[:, :1]).all() and (dropped[0] != dropped[1]).any()


def test_configuration():
    options = {"tie_embedding_weights": True, "locked_dropout": True}
    decoder = Decoder(
        6,
        units=3,
        num_layers=2,
        cell="lstm",
        embedding_dim=2,
        attention_position="after_cell",
        **options,
    )
    assert Decoder.from_config(decoder.get_config()).get_config() == decoder.get_config()
    with pytest.raises(InputError, match="No attention position is called 'inside'"):
        Decoder(6, units=3, attention_position="inside")
    with pytest.raises(InputError, match="No cell is called 'mlp'"):
        Decoder(6, units=3, cell="mlp")
