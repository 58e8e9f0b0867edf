"""The examples in the docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import rnnzoo

MODULES = sorted(found.name for found in pkgutil.walk_packages(rnnzoo.__path__, "rnnzoo."))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(name)).failed == 0
