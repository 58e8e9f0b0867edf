"""Compiled functions follow what is changed on a model after their first call."""

import keras
import numpy as np
import pytest
from keras import ops

from rnnzoo import char_lstm, gru_seq2seq
from rnnzoo.models import compiled_functions

IDS = np.random.default_rng(0).integers(0, 20, (8, 6))


def add_lora(layer):
    layer.enable_lora(2)
    name = "lora_kernel_b" if isinstance(layer, keras.layers.Dense) else "lora_embeddings_b"
    matrix = getattr(layer, name)
    matrix.assign(np.random.default_rng(1).normal(0, 5, matrix.shape))


@pytest.mark.parametrize("part", ["head", "embedding"])
def test_lora_added_after_a_first_generate_is_seen_by_the_next(part):
    model = char_lstm(20, units=16)
    model.generate([1, 2], 5, sampler="greedy")
    add_lora(getattr(model, part))
    logits, expected = ops.convert_to_numpy(model(np.array([[1, 2]])))[0, -1], []
    expected = [int(np.argmax(logits))]
    assert list(model.generate([1, 2], 1, sampler="greedy")) == expected
    written = list(model.generate([1, 2], 5, sampler="greedy"))
    again = [1, 2, *written]
    logits = ops.convert_to_numpy(model(np.array([again])))[0]
    assert written == [int(np.argmax(row)) for row in logits[1:-1]]


def test_lora_added_after_fit_evaluate_and_predict_is_seen_and_trained():
    model = char_lstm(20, units=16)
    model.compile()
    model.fit(IDS, IDS, verbose=0)
    model.predict(IDS, verbose=0)
    before = model.evaluate(IDS, IDS, verbose=0)[0]
    add_lora(model.head)
    matrix = np.array(ops.convert_to_numpy(model.head._kernel))
    logits = ops.convert_to_numpy(model(IDS))
    np.testing.assert_allclose(model.predict(IDS, verbose=0), logits, atol=1e-5)
    assert abs(model.evaluate(IDS, IDS, verbose=0)[0] - before) > 1e-4
    lora = np.array(ops.convert_to_numpy(model.head.lora_kernel_a))
    model.fit(IDS, IDS, verbose=0)
    assert np.abs(ops.convert_to_numpy(model.head.lora_kernel_a) - lora).max() > 0
    np.testing.assert_array_equal(ops.convert_to_numpy(model.head._kernel), matrix)


def test_a_translation_follows_a_changed_policy():
    model = gru_seq2seq(9, 9, units=8)
    model.translate([1, 2])
    assert model._functions
    model.decoder.head.dtype_policy = "mixed_bfloat16"
    model.translate([1, 2])
    assert len(model._functions) == 1
    assert model._compiled("other", lambda: 3) == 3


def test_the_functions_that_are_kept_are_bounded():
    model = char_lstm(5, units=2)
    for key in range(100):
        assert model._compiled(key, lambda key=key: key) == key
    assert len(model._functions) == compiled_functions.MAX_FUNCTIONS
    assert model._compiled(99, lambda: "anew") == 99
    assert model._compiled(0, lambda: "anew") == "anew"
