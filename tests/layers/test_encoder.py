"""The encoder: directions, merging, padding."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.layers import Encoder
from tests import reference

SOURCE = np.array([[3, 1, 4, 1, 5], [2, 6, 5, 0, 0], [7, 0, 0, 0, 0]], "int32")
LENGTHS = (5, 3, 1)
CELLS = list(reference.CELLS)


def to_numpy(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", None])
def test_agrees_with_the_equations(cell, merge_mode):
    encoder = Encoder(8, units=3, cell=cell, embedding_dim=2, merge_mode=merge_mode)
    values, state, mask = encoder(SOURCE)
    values, *state = to_numpy([values, *state])
    assert values.shape == (3, 5, encoder.output_dim)
    np.testing.assert_array_equal(ops.convert_to_numpy(mask), SOURCE > 0)
    table = ops.convert_to_numpy(encoder.embedding.embeddings)
    (layer,) = encoder.layers
    layers = [layer] if merge_mode is None else [layer.forward_layer, layer.backward_layer]
    merge = {
        "concat": lambda *both: np.concatenate(both, -1),
        "sum": np.add,
        "mul": np.multiply,
        None: lambda ahead: ahead,
    }[merge_mode]
    for row, length in enumerate(LENGTHS):
        outputs, finals = [], []
        for one, direction in zip(layers, (1, -1), strict=False):
            zeros = [np.zeros((1, 3))] * (2 if cell == "lstm" else 1)
            x = table[SOURCE[row, :length]][None, ::direction]
            output, final = reference.CELLS[cell](x, zeros, *to_numpy(one.weights))
            outputs.append(output[0, ::direction])
            finals.append(final)
        np.testing.assert_allclose(values[row, :length], merge(*outputs), atol=1e-5)
        for index, both in enumerate(zip(*finals, strict=True)):
            handed = np.concatenate(both, -1)[0]
            if merge_mode is not None:
                kernel, bias = to_numpy(encoder.bridges[index].weights)
                handed = np.tanh(handed @ kernel + bias)
            np.testing.assert_allclose(state[index][row], handed, atol=1e-5)


@pytest.mark.parametrize("merge_mode", ["concat", None])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_changes_nothing(cell, merge_mode):
    encoder = Encoder(8, units=3, num_layers=2, cell=cell, merge_mode=merge_mode)
    values, state, mask = encoder(SOURCE)
    longer, longer_state, longer_mask = encoder(np.pad(SOURCE, ((0, 0), (0, 4))))
    real = SOURCE > 0
    np.testing.assert_allclose(
        ops.convert_to_numpy(longer)[:, :5][real], ops.convert_to_numpy(values)[real], atol=1e-5
    )
    for mine, its in zip(to_numpy(longer_state), to_numpy(state), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-5)
    assert ops.convert_to_numpy(longer_mask).sum() == ops.convert_to_numpy(mask).sum()


def test_state_suits_a_decoder_of_as_many_layers():
    _, state, _ = Encoder(8, units=3, num_layers=2, cell="lstm")(SOURCE)
    assert [tuple(each.shape) for each in state] == [(3, 3)] * 4


def test_locked_dropout_drops_the_same_at_every_step():
    encoder = Encoder(8, units=8, dropout=0.5, locked_dropout=True)
    values, *_ = encoder(np.ones((2, 5), "int32"), training=True)
    dropped = ops.convert_to_numpy(values) == 0
    assert 0 < dropped.mean() < 1
    assert (dropped == dropped[:, :1]).all() and (dropped[0] != dropped[1]).any()


def test_configuration():
    options = {"dropout": 0.1, "locked_dropout": True}
    encoder = Encoder(
        8, units=3, num_layers=2, cell="lstm", embedding_dim=2, merge_mode="sum", **options
    )
    assert Encoder.from_config(encoder.get_config()).get_config() == encoder.get_config()
    with pytest.raises(InputError, match="No merge mode is called 'concatenate'"):
        Encoder(8, units=3, merge_mode="concatenate")
    with pytest.raises(InputError, match="No cell is called"):
        Encoder(8, units=3, cell="mlp")


def test_what_is_cloned_lives_on(monkeypatch):
    """While loading, Keras takes an object at the `id` of one that died for the one that died."""
    cloned = []

    class Watched(keras.layers.Bidirectional):
        def __init__(self, layer, **kwargs):
            cloned.append(weakref.ref(layer))
            super().__init__(layer, **kwargs)

    monkeypatch.setattr(keras.layers, "Bidirectional", Watched)
    encoder = Encoder(8, units=3, num_layers=2, cell="gru", merge_mode="sum")
    gc.collect()
    assert [layer().name for layer in cloned] == ["gru_0", "gru_1"]
    encoder(SOURCE)
    assert len(encoder.weights) == 1 + 2 * (2 * 3 + 2)  # those cloned are nobody's weights
