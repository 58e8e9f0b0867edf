"""The old place of `rnnzoo.publishing.evaluate`."""

from rnnzoo.errors import moved

__getattr__ = moved(__name__, "rnnzoo.publishing.evaluate")
