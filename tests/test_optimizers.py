"""The fused Adam does what Keras's Adam does."""

import keras
import numpy as np
import pytest

from rnnzoo import char_lstm, word_lm
from rnnzoo.optimizers import FusedAdam

IDS = np.random.default_rng(0).integers(0, 30, (24, 9))


def trained(optimizer, builder=char_lstm, **options):
    """A model after some steps."""
    keras.utils.set_random_seed(3)
    model = builder(30, units=8, **options)
    model.compile(optimizer)
    model.fit(IDS[:, :-1], IDS[:, 1:], batch_size=4, epochs=2, verbose=0)
    return model


def values(model):
    return list(map(keras.ops.convert_to_numpy, [*model.weights, *model.optimizer.variables]))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"global_clipnorm": 0.1},
        {"weight_decay": 0.1, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3},
        {"use_ema": True, "ema_momentum": 0.15},  # from the second batch on 2 / 11 is above it
        {"amsgrad": True},
        {"gradient_accumulation_steps": 2},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.5)},
    ],
    ids=["plain", "clipped", "decayed", "averaged", "amsgrad", "accumulated", "scheduled"],
)
def test_updates_as_keras_does(options):
    options = {"learning_rate": 0.02, **options}
    draw = np.random.default_rng(1)
    start = [draw.normal(size=size).astype("float32") for size in ((5, 4), (3,), ())]
    gradients = [[draw.normal(size=x.shape).astype("float32") for x in start] for _ in range(6)]
    sides = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        variables = [keras.Variable(x) for x in start]
        optimizer = kind(**options)
        optimizer.build(variables)
        for each in gradients:
            optimizer.apply(list(map(keras.ops.convert_to_tensor, each)), variables)
        sides.append(list(map(keras.ops.convert_to_numpy, [*variables, *optimizer.variables])))
    for one, other in zip(*sides, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert np.abs(sides[0][0] - start[0]).max() > 0.02


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("builder", [char_lstm, word_lm])  # with sparse gradients, and without
def test_trains_as_keras_does(builder, dtype):
    """The loss is equal; a weight may differ where a gradient is nothing but rounding."""
    losses = [
        trained(kind(0.02), builder, dtype=dtype).evaluate(IDS[:, :-1], IDS[:, 1:], verbose=0)[0]
        for kind in (FusedAdam, keras.optimizers.Adam)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4 if dtype == "float32" else 0.01)


def test_is_what_compile_takes_and_goes_on_after_saving(tmp_path):
    model = trained(None)
    fused = keras.backend.backend() == "tensorflow"
    expected = FusedAdam() if fused else keras.optimizers.Adam()  # on torch, of a class of its own
    assert type(model.optimizer) is type(expected)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is type(model.optimizer)
    for each in (model, again):
        each.fit(IDS[:, :-1], IDS[:, 1:], shuffle=False, verbose=0)
    for one, other in zip(values(model), values(again), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the operation is TensorFlow's")
def test_is_one_operation_a_variable():
    import tensorflow as tf

    variables = [keras.Variable(np.ones((2, 3), "float32")) for _ in range(3)]
    optimizer = FusedAdam()
    optimizer.build(variables)

    @tf.function
    def step():
        optimizer.apply(tf.unstack(tf.ones((3, 2, 3))), variables)

    kinds = [each.type for each in step.get_concrete_function().graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 3 and "AssignSubVariableOp" not in kinds


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's strategies")
def test_runs_under_a_strategy():
    import tensorflow as tf

    plain = values(trained(FusedAdam(0.02)))
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        mirrored = values(trained(FusedAdam(0.02)))
    for one, other in zip(plain, mirrored, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
