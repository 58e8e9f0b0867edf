"""The examples in the docstrings, those behind `>>>`."""

import doctest
import importlib
from pathlib import Path

import pytest

import rnnzoo

ROOT = Path(rnnzoo.__file__).parent
WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
NEEDS = {
    "rnnzoo.evaluation.translation_quality": "sacrebleu",
    "rnnzoo.export.networks": "onnx",
    "rnnzoo.export.onnx.graph": "onnx",
}


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_run(name, tmp_path, monkeypatch):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert attempted and not failed
