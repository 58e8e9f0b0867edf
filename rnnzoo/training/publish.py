"""The old place of `rnnzoo.publishing.publish`."""

from rnnzoo.errors import moved

__getattr__ = moved(__name__, "rnnzoo.publishing.publish")
