"""The examples in the docstrings, those behind `>>>`."""

import doctest
import importlib
import pkgutil

import pytest

import rnnzoo

MODULES = sorted(found.name for found in pkgutil.walk_packages(rnnzoo.__path__, "rnnzoo."))
NEEDS = {"rnnzoo.evaluation.translation_quality": "sacrebleu"}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name, tmp_path, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(name)).failed == 0
