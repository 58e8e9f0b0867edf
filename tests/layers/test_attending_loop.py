"""The hand-written loop of attention before the cell: it agrees with Keras's generic loop."""

import keras
import numpy as np
import pytest

import rnnzoo
from rnnzoo.layers.decoder import Decoder
from rnnzoo.layers.kernels.attending import choose_attending_kernel
from tests import runners

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="the loop is TensorFlow's"
)
if keras.config.backend() == "tensorflow":
    import tensorflow as tf

    from rnnzoo.layers.kernels import cpu_loop


@pytest.fixture(params=["unrolled", "while"])
def steps(request, monkeypatch):
    """Makes the loop an unrolled or a real one."""
    monkeypatch.setattr(cpu_loop, "UNROLL_STEPS", 128 if request.param == "unrolled" else 0)


def make(cell, dtype="float32", **options):
    keras.utils.set_random_seed(1)
    decoder = Decoder(
        9, units=6, cell=cell, embedding_dim=5, dtype=dtype, attention_position="before_cell",
        **options,
    )  # fmt: skip
    decoder.build((None, None), memory_shape=[(None, None, 7)])
    random = np.random.default_rng(0)
    decoder.set_weights([random.normal(0, 0.5, w.shape) for w in decoder.get_weights()])
    return decoder


def numbers(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype("float32"))


def results(decoder, generic):
    """Hidden states, contexts, and the gradient by every input and weight."""
    decoder.exporting = generic
    name = "cell" if generic else "attending_loop"
    assert decoder.loop_kernel().name == name
    count = 2 if type(decoder.attending_cell).__name__ == "LSTMCell" else 1
    embedded, values = numbers(3, 4, 5, seed=1), numbers(3, 8, 7, seed=2)
    state = [numbers(3, 6, seed=3 + k) for k in range(count)]
    mask = tf.constant(np.arange(8) < np.array([[8], [5], [1]]))
    inputs = [embedded, values, *state]
    dtype = decoder.compute_dtype
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        with keras.src.backend.common.variables.AutocastScope(dtype):
            cast = [tf.cast(i, dtype) for i in inputs]
            memory = decoder.read(cast[1], mask)
            hidden, context = decoder._attend_and_run(cast[0], cast[2:], memory, False)
        loss = tf.reduce_sum(tf.cast(hidden, "float32") * numbers(3, 4, 6, seed=7))
        loss += tf.reduce_sum(tf.cast(context, "float32") * numbers(3, 4, 7, seed=8))
    parts = [*decoder.attention.weights, *decoder.attending_cell.weights]
    gradients = tape.gradient(loss, [*inputs, *(w.value for w in parts)])
    return [tf.cast(t, "float32").numpy() for t in (hidden, context, *gradients)]


@pytest.mark.parametrize(("dtype", "atol"), [("float32", 1e-5), ("mixed_bfloat16", 0.15)])
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_outputs_and_gradients_agree_with_the_generic_loop(steps, cell, dtype, atol):
    decoder = make(cell, dtype)
    for mine, its in zip(results(decoder, False), results(decoder, True), strict=True):
        assert mine.shape == its.shape
        scale = max(1.0, float(np.abs(its).max()))
        np.testing.assert_allclose(mine / scale, its / scale, atol=atol)


def test_unknown_lengths_train_the_same():
    losses = []
    for generic in (False, True):
        keras.utils.set_random_seed(0)
        model = rnnzoo.gru_seq2seq(runners.NUMBERS, runners.DIGITS, units=8)
        model.decoder.exporting = generic
        model.compile(keras.optimizers.SGD(0.5))
        inputs, targets, weights = runners.batch(model)
        batch = (inputs, targets, weights)
        unknown = [
            tf.nest.map_structure(lambda x: tf.TensorSpec([None] * x.ndim, x.dtype), part)
            for part in batch
        ]
        data = tf.data.Dataset.from_generator(
            lambda batch=batch: iter([batch] * 4), output_signature=tuple(unknown)
        )
        losses.append(model.fit(data, epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert losses[0][1] < losses[0][0]


def test_a_second_gradient_is_refused():
    decoder = make("gru")
    memory = decoder.read(numbers(2, 3, 7), tf.ones((2, 3), "bool"))
    x = numbers(2, 4, 5)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            hidden, _ = decoder._attend_and_run(x, [numbers(2, 6)], memory, False)
        gradient = inner.gradient(hidden, x)
    with pytest.raises(LookupError, match="no second-order gradient"):
        outer.gradient(gradient, x)


def test_the_report_says_which_loop_runs_and_why(monkeypatch):
    decoder = make("gru")
    (row,) = rnnzoo.kernels(decoder)
    assert row.training.name == "attending_loop" and row.generation.name == "cell"
    decoder.attending_cell.activation = keras.activations.relu
    assert "activation='tanh'" in rnnzoo.kernels(decoder)[0].training.reason
    monkeypatch.setattr("rnnzoo.layers.kernels.attending.gpu_visible", lambda: True)
    assert "a GPU is visible" in rnnzoo.kernels(make("lstm"))[0].training.reason
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert "this is jax" in rnnzoo.kernels(make("lstm"))[0].training.reason
    assert "no equations" in choose_attending_kernel(keras.layers.GRUCell(3), None).reason
