"""The SRU's kernel: what it gives is what the generic loop gives."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.layers.cells import recurrent_layer
from rnnzoo.layers.cells.sru import GateLoop
from rnnzoo.layers.kernels import choose_kernel
from rnnzoo.models.weights_file import read_headers
from tests import runners

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(4, 7, 5)).astype("float32")
MASK = np.array([[1] * 7, [0, 1, 0, 0, 1, 1, 0], [1, 1, 1, 0, 0, 0, 0], [0] * 7], "bool")
ON_TENSORFLOW = keras.config.backend() == "tensorflow"


def make_layer(units=5, **options):
    """An SRU layer with random weights."""
    layer = recurrent_layer("sru", units, **options)
    layer.build((None, None, 5))
    layer.set_weights([RANDOM.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def generic(layer, function):
    """What a function gives while the layer runs the generic loop."""
    layer.kernels = ()
    assert choose_kernel(layer).name == "generic"
    result = function()
    del layer.kernels
    return result


def numbers(tensors):
    return [ops.convert_to_numpy(ops.cast(t, "float32")) for t in keras.tree.flatten(tensors)]


@pytest.mark.parametrize(
    ("units", "mask", "sequences", "backwards", "zeros"),
    [
        (5, None, True, False, False),
        (3, None, False, True, False),  # with a projection for the highway
        (5, MASK, True, True, False),
        (3, MASK, True, False, True),
        (5, MASK, False, False, False),
        (5, MASK, False, True, True),
    ],
)
def test_the_kernel_is_the_generic_loop(units, mask, sequences, backwards, zeros):
    """Outputs, states and all gradients, with masks anywhere and a state to begin with."""
    options = {"return_sequences": sequences, "go_backwards": backwards}
    layer = make_layer(units, zero_output_for_mask=zeros, **options)
    assert choose_kernel(layer).name == "elementwise_loop"
    x, state = keras.Variable(INPUTS), keras.Variable(RANDOM.normal(size=(4, units)))
    wanted = RANDOM.normal(size=(4, 7, units)).astype("float32")
    wanted = ops.convert_to_tensor(wanted if sequences else wanted[:, 0])

    def run():
        return layer(x + 0, initial_state=[state + 0], mask=mask)

    def scored():
        outputs, final = run()
        return ops.sum(outputs * wanted) + ops.sum(final**2)

    variables = [*layer.trainable_variables, x, state]

    def both():
        return numbers(run()) + runners.gradients(scored, variables)

    for mine, its in zip(both(), generic(layer, both), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "float64"])
def test_the_kernel_in_other_precisions(dtype):
    layer = make_layer(dtype=dtype)
    outputs, final = layer(INPUTS, mask=MASK)
    expected = generic(layer, lambda: layer(INPUTS, mask=MASK))
    assert outputs.dtype == expected[0].dtype and final.dtype == expected[1].dtype
    tolerance = 1e-5 if dtype == "float64" else 0.02
    for mine, its in zip(numbers([outputs, final]), numbers(expected), strict=True):
        np.testing.assert_allclose(mine, its, atol=tolerance, rtol=tolerance)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="the gradient by hand is TensorFlow's")
@pytest.mark.parametrize("known", [True, False])
def test_the_gradient_by_hand_is_the_derivative(known):
    """In float64, of unrolled steps and of a loop in the graph; and its own derivative."""
    import tensorflow as tf

    steps = 5
    shapes = [(3, steps, 4), (3, steps, 4), (4,), (3, 4)]
    given = [tf.constant(RANDOM.normal(size=shape)) for shape in shapes]
    wanted = tf.constant(RANDOM.normal(size=(3, steps, 4)))

    def scan(forget, candidate, vector, start):
        return GateLoop().scan(forget, candidate, vector=vector, start=start)

    def plainly(forget, candidate, vector, c):
        states = []
        for t in range(steps):
            f = tf.sigmoid(forget[:, t] + vector * c)
            c = f * c + (1 - f) * candidate[:, t]
            states.append(c)
        return tf.stack(states, 1)

    def derivatives(scan, *inputs):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                states = scan(*inputs)
                score = tf.reduce_sum(states * wanted)
            first = tape.gradient(score, inputs)
            total = sum(tf.reduce_sum(each**2) for each in first)
        return [states, *first, *outer.gradient(total, inputs)]

    unknown = [(None, None, 4), (None, None, 4), (4,), (None, 4)]
    signature = [tf.TensorSpec(shape, "float64") for shape in (shapes if known else unknown)]

    @tf.function(input_signature=signature)
    def found(*inputs):
        return derivatives(scan, *inputs)

    for mine, its in zip(found(*given), derivatives(plainly, *given), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-9)


def test_files_have_the_weights_where_they_were(tmp_path):
    """Before the SRU had a kernel, its layer was a `CellLoop`: Keras goes by the class's name."""
    model = rnnzoo.char_lstm(runners.CHARACTERS, units=4, num_layers=2, cell="sru")
    model.save_weights(tmp_path / "model.weights.h5")
    with (tmp_path / "model.weights.h5").open("rb") as file:
        paths = {header.path for header in read_headers(file)}
    layers = "layers/recurrent_stack/recurrent_layers"
    for name, number in itertools.product(("cell_loop", "cell_loop_1"), range(3)):
        assert f"{layers}/{name}/cell/vars/{number}" in paths


def test_a_layer_is_remade_with_its_kernel():
    layer = make_layer()
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == "rnnzoo>SRULoop"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer) and again.get_config() == layer.get_config()
    older = keras.saving.deserialize_keras_object({**config, "registered_name": "rnnzoo>CellLoop"})
    for each in (again, older):
        each.build((None, None, 5))
        each.set_weights(layer.get_weights())
        for mine, its in zip(numbers(each(INPUTS)), numbers(layer(INPUTS)), strict=True):
            np.testing.assert_allclose(mine, its, atol=1e-5)
