"""The fixtures of the tests of training."""

from tests.training.conftest import own_cache, small_data, trained  # noqa: F401
