"""What a language model can gain while it reads the text that it is measured on."""

from rnnzoo.test_time.cache import choose_cache, neural_cache
from rnnzoo.test_time.dynamic import choose_rates, dynamic_evaluation, mean_squared_gradients
from rnnzoo.test_time.mixtures import (
    check_equal_vocabularies,
    choose_weights,
    ensemble_nats,
    kneser_ney_nats,
    mix,
)
from rnnzoo.test_time.reading import token_nats

__all__ = [
    "check_equal_vocabularies",
    "choose_cache",
    "choose_rates",
    "choose_weights",
    "dynamic_evaluation",
    "ensemble_nats",
    "kneser_ney_nats",
    "mean_squared_gradients",
    "mix",
    "neural_cache",
    "token_nats",
]
