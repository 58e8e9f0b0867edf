"""The layers are Keras's own in all but speed: same results, weights, configuration and files."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops
from keras.src import testing

from rnnzoo.layers import recurrent

NAMES = ("LSTM", "GRU", "SimpleRNN")
MASKS = {
    "none": None,
    "right padding": [[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]],
    "left padding": [[0, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1]],
    "holes": [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1]],
    "an empty row": [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 0]],
}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def pair(name, units=5, inputs=3, **config):
    """Our layer and Keras's, built, with the same random weights."""
    layers = [getattr(module, name)(units, **config) for module in (recurrent, keras.layers)]
    for layer in layers:
        layer.build((3, 4, inputs))
        layer.set_weights([numbers(*w.shape, seed=i) for i, w in enumerate(layer.get_weights())])
    return layers


def assert_same(ours, theirs, tolerance=2e-6):
    for a, b in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        assert keras.backend.standardize_dtype(a.dtype) == keras.backend.standardize_dtype(b.dtype)
        np.testing.assert_allclose(
            ops.convert_to_numpy(ops.cast(a, "float32")),
            ops.convert_to_numpy(ops.cast(b, "float32")),
            atol=tolerance,
            rtol=tolerance,
        )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(name, weights, x, state, mask):
    """The cells written out in NumPy, float64, one row at a time; returns outputs and state."""
    kernel, recurrent_kernel, bias = (np.asarray(w, "float64") for w in weights)
    outputs = np.zeros((*x.shape[:2], recurrent_kernel.shape[0]))
    final = [np.array(s, "float64") for s in state]
    for row in range(x.shape[0]):
        h, *c = [s[row] for s in final]
        output = np.zeros_like(h)
        for t in range(x.shape[1]):
            if mask is None or mask[row][t]:
                if name == "LSTM":
                    i, f, g, o = np.split(x[row, t] @ kernel + h @ recurrent_kernel + bias, 4)
                    c = [sigmoid(f) * c[0] + sigmoid(i) * np.tanh(g)]
                    h = sigmoid(o) * np.tanh(c[0])
                elif name == "GRU":
                    xz, xr, xn = np.split(x[row, t] @ kernel + bias[0], 3)
                    hz, hr, hn = np.split(h @ recurrent_kernel + bias[1], 3)
                    z = sigmoid(xz + hz)
                    h = z * h + (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn)
                else:
                    h = np.tanh(x[row, t] @ kernel + h @ recurrent_kernel + bias)
                output = h
            outputs[row, t] = output
        for whole, part in zip(final, [h, *c], strict=True):
            whole[row] = part
    return outputs, final


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_equations(name, mask):
    layer, _ = pair(name, return_sequences=True, return_state=True)
    x, mask = numbers(3, 4, 3, seed=7), MASKS[mask]
    state = [numbers(3, 5, seed=8 + i) for i in range(len(layer.state_size))]
    if keras.backend.backend() != "tensorflow":  # elsewhere Keras outputs the initial state where
        state = [np.zeros_like(s) for s in state]  # on TensorFlow it outputs zeros before a step
    keras_mask = None if mask is None else np.array(mask, "bool")
    outputs, *final = layer(x, initial_state=state, mask=keras_mask)
    expected, expected_final = reference(name, layer.get_weights(), x, state, mask)
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), expected, atol=1e-5)
    for a, b in zip(final, expected_final, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(a), b, atol=1e-5)


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("zero_output", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_masks_as_keras(name, zero_output, go_backwards, return_sequences):
    ours, theirs = pair(
        name,
        zero_output_for_mask=zero_output,
        go_backwards=go_backwards,
        return_sequences=return_sequences,
        return_state=True,
    )
    x = numbers(3, 4, 3)
    state = [numbers(3, 5, seed=8 + i) for i in range(len(ours.state_size))]
    for mask in ("left padding", "an empty row"):
        mask = np.array(MASKS[mask], "bool")
        for initial in (None, state):
            arguments = {"mask": mask, "initial_state": initial}
            assert_same(ours(x, **arguments), theirs(x, **arguments))


@pytest.mark.parametrize(
    "config",
    [
        {"use_bias": False},
        {"unroll": True},
        {"activation": "relu"},
        {"dropout": 0.5, "seed": 3},
        {"dropout": 0.5, "recurrent_dropout": 0.25, "seed": 3},
        {"dtype": "float64"},
        {"dtype": "mixed_float16"},
        {"recurrent_activation": "hard_sigmoid"},
        {"implementation": 1},
        {"use_cudnn": False},
        {"reset_after": False},
        {"unit_forget_bias": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", NAMES)
def test_every_argument_as_keras(name, config):
    known = inspect.signature(getattr(keras.layers, name).__init__).parameters
    if set(config) - {"dtype", "implementation"} - set(known) or (
        name == "SimpleRNN" and "implementation" in config
    ):
        pytest.skip(f"{name} has no {', '.join(config)}")
    ours, theirs = pair(name, return_state=True, **config)
    x = numbers(3, 4, 3)
    for training in (False, True):
        tolerance = 3e-3 if config.get("dtype") == "mixed_float16" else 2e-6
        assert_same(ours(x, training=training), theirs(x, training=training), tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_drops_the_same_inputs_at_every_step(name):
    layer, _ = pair(name, dropout=0.5, seed=1)
    x = np.ones((3, 4, 3), "float32")
    first, second = (ops.convert_to_numpy(layer(x, training=True)) for _ in range(2))
    assert not np.allclose(first, second)
    plain = getattr(recurrent, name)(5)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    # Every draw keeps some of 3 inputs, doubled: each row must be one of 8 possible outcomes.
    kept = np.array(list(np.ndindex(2, 2, 2)), "float32") * 2
    outcomes = ops.convert_to_numpy(plain(np.repeat(kept[:, None], 4, 1)))
    for row in first:
        assert np.isclose(outcomes, row, atol=1e-5).all(-1).any()


@pytest.mark.parametrize("name", NAMES)
def test_keras_own_layer_checks(name):
    """Keras's generic checks: shapes, dtypes, symbolic calls, configuration, files, training."""
    case = testing.TestCase()
    case.setUp()
    for config, losses in (
        ({"dropout": 0.5}, 0),
        ({"dropout": 0.5, "recurrent_dropout": 0.5}, 0),
        (
            {
                "return_sequences": True,
                "bias_regularizer": "l1",
                "kernel_regularizer": "l2",
                "recurrent_regularizer": "l2",
            },
            3,
        ),
    ):
        case.run_layer_test(
            getattr(recurrent, name),
            init_kwargs={"units": 3, **config},
            input_shape=(3, 2, 4),
            call_kwargs={"training": True},
            expected_output_shape=(3, 2, 3) if "return_sequences" in config else (3, 3),
            expected_num_losses=losses,
            expected_num_trainable_weights=3,
            expected_num_non_trainable_weights=0,
            supports_masking=True,
            custom_objects={name: getattr(recurrent, name)},
        )


@pytest.mark.parametrize("name", NAMES)
def test_stateful_as_keras(name):
    ours, theirs = pair(name, stateful=True)
    x = numbers(3, 4, 3)
    for _ in range(2):
        assert_same(ours(x), theirs(x))
    once = ops.convert_to_numpy(ours(x))
    for layer in (ours, theirs):
        layer.reset_state()
    assert_same(ours(x), theirs(x))
    assert not np.allclose(once, ops.convert_to_numpy(ours(x)))
    with pytest.raises(ValueError, match="batch size"):
        ours(x[:2])


@pytest.mark.parametrize("name", NAMES)
def test_a_carried_state_makes_two_halves_one_sequence(name):
    layer, _ = pair(name, return_sequences=True, return_state=True)
    x = numbers(3, 4, 3)
    whole, *final = layer(x)
    first, *state = layer(x[:, :1])
    second, *state = layer(x[:, 1:], initial_state=state)
    assert_same(ops.concatenate([first, second], 1), whole)
    assert_same(state, final)


@pytest.mark.parametrize("name", NAMES)
def test_same_configuration_and_either_loads_the_other(name, tmp_path):
    ours, theirs = pair(name, return_sequences=True, go_backwards=True, kernel_regularizer="l2")
    config, expected = ours.get_config(), theirs.get_config()
    assert {**config, "name": None} == {**expected, "name": None}
    assert_same(type(ours).from_config(config)(numbers(3, 4, 3)) * 0, ours(numbers(3, 4, 3)) * 0)
    type(ours).from_config({**config, "implementation": 0} if name != "SimpleRNN" else config)

    def model(module):
        return keras.Sequential([keras.Input((None, 3)), getattr(module, name)(5)])

    a, b = model(recurrent), model(keras.layers)
    for source, target in ((a, b), (b, a)):
        path = tmp_path / f"{id(source)}.weights.h5"
        source.set_weights([w + 0.1 for w in source.get_weights()])
        source.save_weights(path)
        target.load_weights(path)
        assert_same(source(numbers(2, 4, 3)), target(numbers(2, 4, 3)))
    a.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[0]) is getattr(recurrent, name)
    assert_same(loaded(numbers(2, 4, 3)), a(numbers(2, 4, 3)))


@pytest.mark.parametrize("name", NAMES)
def test_unknown_lengths_and_masks_of_embeddings(name):
    def model(module, weights=None):
        layers = [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(7, 3, mask_zero=True),
            keras.layers.Bidirectional(getattr(module, name)(4)),
        ]
        result = keras.Sequential(layers)
        if weights:
            result.set_weights(weights)
        return result

    theirs = model(keras.layers)
    ours = model(recurrent, theirs.get_weights())
    for tokens in ([[1, 2, 3], [4, 0, 0]], [[1, 2, 3, 4, 5], [0, 0, 6, 0, 0]]):
        tokens = np.array(tokens, "int32")
        assert_same(ours.predict(tokens, verbose=0), theirs(tokens))


@pytest.mark.parametrize("name", NAMES)
def test_mixed_bfloat16_keeps_the_state_in_float32(name):
    ours, theirs = pair(name, units=16, return_state=True, dtype="mixed_bfloat16")
    exact, _ = pair(name, units=16, return_state=True)
    for layer in (ours, theirs, exact):
        layer.set_weights([0.3 * numbers(*w.shape, seed=5) for w in layer.get_weights()])
    x = numbers(3, 60, 3)
    wanted = [ops.convert_to_numpy(v) for v in exact(x)]
    errors = []
    for layer in (ours, theirs):
        results = layer(x)
        assert all(keras.backend.standardize_dtype(r.dtype) == "bfloat16" for r in results)
        results = [ops.convert_to_numpy(ops.cast(r, "float32")) for r in results]
        errors.append(max(np.abs(r - w).max() for r, w in zip(results, wanted, strict=True)))
    assert errors[0] < 0.05
    if keras.backend.backend() == "tensorflow" and name != "SimpleRNN":
        assert errors[0] < errors[1]  # Keras rounds the state it carries at every step


@pytest.mark.parametrize("name", NAMES)
def test_fits_as_keras_does(name):
    weights = None
    results = []
    for module in (keras.layers, recurrent):
        model = keras.Sequential(
            [
                keras.Input((4, 3)),
                getattr(module, name)(5, return_sequences=True),
                keras.layers.Dropout(0.0),
                getattr(module, name)(5),
                keras.layers.Dense(1),
            ]
        )
        if weights is None:
            weights = model.get_weights()
        model.set_weights(weights)
        model.compile("adam", "mse")
        history = model.fit(
            numbers(12, 4, 3), numbers(12, 1), batch_size=4, epochs=2, shuffle=False, verbose=0
        )
        results.append(history.history["loss"])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool", "float64", "float16"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_numbers_of_any_dtype_are_cast_as_keras_does(name, policy, dtype):
    ours, theirs = pair(name, dtype=policy, return_sequences=True)
    x = np.abs(numbers(3, 4, 3) * 3).astype(dtype)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]], "bool")
    tolerance = 2e-6 if policy == "float32" else 0.1
    assert_same(ours(x), theirs(x), tolerance)
    assert_same(ours(x, mask=mask), theirs(x, mask=mask), tolerance)
    both = [keras.layers.Bidirectional(layer)(x) for layer in (ours, theirs)]
    assert both[0].shape == both[1].shape
