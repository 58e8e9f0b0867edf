"""The output layer that shares the embedding."""

import keras
import numpy as np
from keras import ops

from rnnzoo.layers import TiedHead

RANDOM = np.random.default_rng(0)
EMBEDDINGS = RANDOM.normal(size=(7, 4)).astype("float32")


def test_scores_are_products_with_the_embeddings():
    hidden = RANDOM.normal(size=(2, 3, 4)).astype("float32")
    head = TiedHead(7, embedding_dim=4)
    head.build((None, None, 4))
    head.set_weights([np.arange(7)])
    logits = ops.convert_to_numpy(head(hidden, EMBEDDINGS))
    np.testing.assert_allclose(logits, hidden @ EMBEDDINGS.T + np.arange(7), atol=1e-5)
    assert head.compute_output_shape((2, 3, 4)) == (2, 3, 7)


def test_another_length_is_projected_first():
    hidden = RANDOM.normal(size=(2, 3, 5)).astype("float32")
    head = TiedHead(7, embedding_dim=4)
    logits = ops.convert_to_numpy(head(hidden, EMBEDDINGS))
    kernel, bias = map(ops.convert_to_numpy, head.projection.weights)
    np.testing.assert_allclose(logits, (hidden @ kernel + bias) @ EMBEDDINGS.T, atol=1e-5)
    assert len(head.weights) == 3


def test_computes_in_the_dtype_of_its_policy():
    head = TiedHead(7, embedding_dim=4, dtype="mixed_bfloat16")
    logits = head(RANDOM.normal(size=(2, 5)).astype("float32"), EMBEDDINGS)
    assert keras.backend.standardize_dtype(logits.dtype) == "bfloat16"
    assert {weight.dtype for weight in head.weights} == {"float32"}
    assert TiedHead.from_config(head.get_config()).get_config() == head.get_config()
