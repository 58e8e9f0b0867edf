"""Samplers against their distributions; on any Keras backend."""

import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from rnnzoo import char_lstm
from rnnzoo.errors import InputError
from rnnzoo.generation.protocol import NEVER
from rnnzoo.generation.samplers import (
    PENALTIES,
    GreedySampler,
    Sampler,
    TemperatureSampler,
    TopKSampler,
    TopPSampler,
    TypicalSampler,
    get_sampler,
)

ALL = [
    GreedySampler(),
    TemperatureSampler(0.7),
    TopKSampler(3, temperature=0.7),
    TopPSampler(0.8, temperature=0.7),
]
INFINITY = float("inf")


def sample(sampler, logits, uniform):
    ids = sampler(ops.array(logits, "float32"), ops.array(uniform, "float32"))
    assert keras.backend.standardize_dtype(ids.dtype) == "int32"
    return ops.convert_to_numpy(ids)


def softmax(logits):
    exponents = np.exp(logits - np.max(logits))
    return exponents / exponents.sum()


def test_greedy_is_argmax():
    logits = np.random.default_rng(0).normal(size=(20, 9))
    np.testing.assert_array_equal(sample(GreedySampler(), logits, np.ones(20)), logits.argmax(-1))


def test_temperature_inverts_the_cumulative_distribution():
    rng = np.random.default_rng(1)
    logits, uniform = rng.normal(0, 2, (200, 11)), rng.random(200)
    cumulative = np.array([softmax(row / 0.7).cumsum() for row in logits])
    clear = np.abs(cumulative - uniform[:, None]).min(1) > 1e-5  # float32 decides the others
    expected = (cumulative <= uniform[:, None]).sum(1)
    ids = sample(TemperatureSampler(0.7), logits, uniform)
    assert clear.sum() > 190
    np.testing.assert_array_equal(ids[clear], expected[clear])


LOGITS = np.array([1.0, -INFINITY, 0.0, 2.5, -1.0, 0.5, -INFINITY])


def kept_by_top_k(p, k):
    return np.where(p >= np.sort(p)[-k], p, 0)


def kept_by_top_p(p, mass):
    kept = np.zeros_like(p)
    for token in np.argsort(-p):
        kept[token] = p[token]
        if kept.sum() >= mass:
            break
    return kept


@pytest.mark.parametrize(
    ("sampler", "weights"),
    [
        (TemperatureSampler(), softmax(LOGITS)),
        (TemperatureSampler(2.0), softmax(LOGITS / 2)),
        (TemperatureSampler(0.5), softmax(LOGITS / 0.5)),
        (TopKSampler(3, temperature=2.0), kept_by_top_k(softmax(LOGITS / 2), 3)),
        (TopKSampler(100), softmax(LOGITS)),
        (TopPSampler(0.8, temperature=2.0), kept_by_top_p(softmax(LOGITS / 2), 0.8)),
        (TopPSampler(1.0), softmax(LOGITS)),
    ],
    ids=repr,
)
def test_draws_follow_the_distribution(sampler, weights):
    draws = 20_000
    uniform = np.random.default_rng(2).random(draws)
    ids = sample(sampler, np.tile(LOGITS, (draws, 1)), uniform)
    observed = np.bincount(ids, minlength=len(LOGITS))
    expected = draws * weights / weights.sum()
    assert (observed[expected == 0] == 0).all()
    possible = expected > 0
    chi_square = ((observed - expected)[possible] ** 2 / expected[possible]).sum()
    assert chi_square < 25  # at most 4 degrees of freedom: p < 1e-4


def test_top_p_keeps_the_smallest_set():
    probabilities = np.array([[0.1, 0.5, 0.05, 0.3, 0.05]])
    kept = TopPSampler(0.75).probabilities(ops.array(np.log(probabilities)))
    np.testing.assert_allclose(ops.convert_to_numpy(kept), [[0, 0.5, 0, 0.3, 0]], rtol=1e-5)
    kept = TopPSampler(1e-6).probabilities(ops.array(np.log(probabilities)))
    np.testing.assert_allclose(ops.convert_to_numpy(kept), [[0, 0.5, 0, 0, 0]], rtol=1e-5)


LOGIT = st.one_of(st.just(-INFINITY), st.floats(-200, 200, width=32))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([TemperatureSampler(), TemperatureSampler(0.1), *ALL[2:]]),
    # few lengths, because JAX compiles for each
    st.sampled_from([2, 7, 40])
    .flatmap(lambda size: st.lists(LOGIT, min_size=size, max_size=size))
    .filter(lambda row: max(row) > -INFINITY),
    st.one_of(st.sampled_from([0.0, 1.0, 1 - 2**-24]), st.floats(0, 1, width=32)),
)
def test_a_token_of_probability_zero_is_never_drawn(sampler, row, uniform):
    (token,) = sample(sampler, [row], [uniform])
    probabilities = ops.convert_to_numpy(sampler.probabilities(ops.array([row], "float32")))[0]
    assert 0 <= token < len(row)
    assert probabilities[token] > 0 and row[token] > -INFINITY


def test_no_impossible_token_in_a_large_vocabulary():
    # cumulative sums over 10,000 tokens round; nine in ten of these are forbidden
    rng = np.random.default_rng(3)
    logits = np.where(rng.random(10_000) < 0.9, -INFINITY, rng.normal(size=10_000))
    logits[-1] = -INFINITY
    for start in (0.0, 0.5, 1 - 500 * 2**-24):
        uniform = np.append(start + np.arange(400) * 2.0**-24, 1.0)
        ids = sample(TemperatureSampler(), np.tile(logits, (401, 1)), uniform)
        assert (logits[ids] > -INFINITY).all()


def test_extreme_temperatures_and_logits():
    logits = [[1e4, -1e4, 1e4 - 1]]
    assert sample(TemperatureSampler(1e-6), logits, [0.999])[0] == 0
    assert sample(TemperatureSampler(1e6), logits, [0.999])[0] == 2
    half = TemperatureSampler()(ops.array([[0.0, 20.0]], "float16"), ops.array([0.5], "float32"))
    assert int(half[0]) == 1


@pytest.mark.parametrize("k", [2**31 - 1, 9])
@pytest.mark.parametrize("shape", [(), (4, 1)])
def test_a_k_above_the_size_of_the_vocabulary_keeps_all(k, shape):
    """Also one that float32 rounds to 2**31, which is no int32."""
    logits = ops.array(np.random.default_rng(0).normal(size=(4, 9)), "float32")
    number = ops.array(np.full(shape, k), "float32")
    kept = ops.convert_to_numpy(TopKSampler().probabilities(logits, k=number))
    np.testing.assert_allclose(kept.sum(axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", [TopPSampler, TypicalSampler])
def test_a_p_that_float32_takes_for_0_keeps_a_token(kind):
    sampler = kind(1e-300)
    logits = ops.array([[3.0, 0.0, 1.0]])
    for numbers in ({}, {"p": ops.array(sampler.numbers()["p"], "float32")}):
        kept = ops.convert_to_numpy(sampler.probabilities(logits, **numbers))
        assert (kept > 0).sum() == 1


def test_suppressed_ids_are_out_of_reach_of_the_largest_numbers():
    penalty = PENALTIES["repetition_penalty"]
    state = ops.array([[False, True, True, True]])
    logits = ops.array([[NEVER, 3.0, 0.0, -30.0]])
    logits = ops.repeat(penalty.apply(logits, state, ops.array(1e6)), 3, axis=0)
    assert 0 not in sample(TemperatureSampler(1e6), logits, [0.0, 0.5, 1.0])


def test_rows_are_independent():
    rng = np.random.default_rng(4)
    logits, uniform = rng.normal(size=(6, 8)), rng.random(6)
    for sampler in ALL:
        alone = [sample(sampler, logits[i : i + 1], uniform[i : i + 1])[0] for i in range(6)]
        np.testing.assert_array_equal(sample(sampler, logits, uniform), alone)


@pytest.mark.parametrize("sampler", ALL, ids=repr)
def test_runs_compiled(sampler):
    rng = np.random.default_rng(5)
    logits, uniform = rng.normal(size=(50, 8)).astype("f4"), rng.random(50).astype("f4")
    expected = sample(sampler, logits, uniform)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # the batch is free, as in an export; then XLA
        signature = [tf.TensorSpec((None, 8)), tf.TensorSpec((None,))]
        compiled = [
            tf.function(sampler, input_signature=signature, autograph=False),
            tf.function(sampler, jit_compile=True),
        ]
    elif keras.backend.backend() == "jax":
        import jax

        compiled = [jax.jit(sampler)]
    else:
        pytest.skip(f"no compiled functions are tried on {keras.backend.backend()}")
    for function in compiled:
        ids = ops.convert_to_numpy(function(logits, uniform))
        assert ids.dtype == np.int32
        np.testing.assert_array_equal(ids, expected)


@pytest.mark.parametrize("sampler", ALL, ids=repr)
def test_serialises(sampler):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(sampler)))
    assert config["registered_name"] == f"rnnzoo>{type(sampler).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(sampler) and again.get_config() == sampler.get_config()
    assert repr(again) == repr(sampler)


class Shifted(Sampler):
    """Takes the likeliest token of logits to which something is added."""

    def __init__(self, bias, name="a"):
        self.bias, self.name = bias, name

    def __call__(self, logits, uniform):
        return GreedySampler()(logits + ops.array(self.bias, "float32"), uniform)

    def get_config(self):
        return {"bias": self.bias, "name": self.name}


def test_long_arrays_share_no_compiled_function():
    size = 10_000  # NumPy's text of it shows three numbers at each end
    model = char_lstm(size, units=2)
    for place in (4000, 6000):
        bias = np.zeros(size, "float32")
        bias[place] = 100
        assert model.generate([1], 2, sampler=Shifted(bias)).tolist() == [place] * 2


def test_keys_tell_values_apart():
    assert Shifted([0.5, (1, None)]).key() == Shifted([0.5, (1, None)]).key()
    assert Shifted(np.float32(0.5)).key() == Shifted(np.float32(0.5)).key()
    for values in [(1, "1"), (1, 1.0), ([1], (1,)), (np.ones(3), np.ones(3)), ({}, {})]:
        one, other = map(Shifted, values)  # both are kept, so that each has an id of its own
        assert one.key() != other.key()
    assert Shifted("a", "b, name=c").key() != Shifted("a, name=b", "c").key()


def test_get_sampler():
    assert repr(get_sampler()) == "TemperatureSampler(temperature=1.0)"
    assert repr(get_sampler(temperature=0.5)) == "TemperatureSampler(temperature=0.5)"
    assert repr(get_sampler("temperature", 2)) == "TemperatureSampler(temperature=2.0)"
    assert repr(get_sampler("greedy")) == "GreedySampler()"
    assert repr(get_sampler("top_k", 0.5)) == "TopKSampler(k=40, temperature=0.5)"
    assert repr(get_sampler("top_p")) == "TopPSampler(p=0.9, temperature=1.0)"
    own = TopKSampler(2)
    assert get_sampler(own) is own


@pytest.mark.parametrize(
    "temperature",
    [-1, 1e-9, 1e7, pytest.param(10**400, id="huge"), math.nan, math.inf, "hot", True],
)
def test_wrong_temperatures(temperature):
    with pytest.raises(InputError, match="`temperature` must be"):
        get_sampler(temperature=temperature)
    with pytest.raises(InputError, match="`temperature` must be"):
        TopPSampler(0.9, temperature=temperature)


def test_wrong_samplers():
    with pytest.raises(InputError, match="did you mean 'greedy'"):
        get_sampler("gredy")
    with pytest.raises(InputError, match="'greedy' takes no temperature"):
        get_sampler("greedy", 0.5)
    with pytest.raises(InputError, match="is an object already"):
        get_sampler(GreedySampler(), 0.5)
    for wrong in (3, GreedySampler):
        with pytest.raises(InputError, match=r"a name .* or a sampler object"):
            get_sampler(wrong)
    for k in (0, -1, 2.5, 2**31, 10**400):
        with pytest.raises(InputError, match="`k`"):
            TopKSampler(k)
    for p in (0, 1.5, math.nan, "much", True):
        with pytest.raises(InputError, match="`p`"):
            TopPSampler(p)
