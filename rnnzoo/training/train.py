"""The old place of `rnnzoo.publishing.train`."""

from rnnzoo.errors import moved

__getattr__ = moved(__name__, "rnnzoo.publishing.train")
