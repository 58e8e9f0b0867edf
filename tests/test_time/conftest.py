"""A tiny model, a text and documents."""

import keras
import numpy as np
import pytest

from rnnzoo import LanguageModel


@pytest.fixture(scope="package")
def model():
    keras.utils.set_random_seed(0)
    made = LanguageModel(7, units=5, tie_embedding_weights=True)
    for variable in made.trainable_variables:  # large enough for predictions that differ
        variable.assign(variable * 3.0)
    return made


@pytest.fixture(scope="package")
def text():
    return np.random.default_rng(0).integers(0, 7, 47)


@pytest.fixture(scope="package")
def documents():
    random = np.random.default_rng(1)
    return [random.integers(1, 7, length) for length in (9, 2, 14, 6)]
