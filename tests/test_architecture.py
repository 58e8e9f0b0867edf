"""Arrows run down: the imports of all modules against the floors in ARCHITECTURE.md."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("drawing", ROOT / "scripts/draw_architecture.py")
drawing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(drawing)


@pytest.fixture(scope="module")
def found():
    return drawing.arrows()


@pytest.fixture(scope="module")
def level():
    """The number of the floor of each part."""
    return {name: number for number, line in enumerate(drawing.floors()) for name in line}


def test_every_part_has_a_floor(found, level):
    assert {drawing.part(module) for module in found} - level.keys() == set()


def test_no_arrow_runs_up(found, level):
    up = [
        f"{module} imports {other}"
        for module, others in found.items()
        for other in others
        if level[drawing.part(other)] > level[drawing.part(module)]
    ]
    assert up == []


def test_no_circle(found):
    assert drawing.circles(found) == []


def made(folder, **files):
    for name, text in files.items():
        path = folder / "rnnzoo" / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return drawing.arrows(folder)


def test_imports_are_seen_wherever_they_stand(tmp_path):
    found = made(
        tmp_path,
        a="def f():\n    from rnnzoo.low import b\n",
        c="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import rnnzoo.low.b\n",
        low__b="from . import d\nfrom ..a import f\nimport os\n",
        low__d="from rnnzoo.low.b import x\n",
    )
    assert found["rnnzoo.a"] == found["rnnzoo.c"] == {"rnnzoo.low.b"}
    assert found["rnnzoo.low.b"] == {"rnnzoo.low.d", "rnnzoo.a"}
    assert drawing.circles(found) == [["rnnzoo.a", "rnnzoo.low.b", "rnnzoo.low.d"]]
    assert drawing.part("rnnzoo.low.b") == "low" and drawing.part("rnnzoo") == "rnnzoo"
    assert drawing.part("rnnzoo_cli.list") == "rnnzoo_cli"


def test_the_drawing_has_every_part(found):
    text = drawing.drawing(found, drawing.floors())
    for module in found:
        assert f"    {drawing.part(module)}\n" in text
    assert "  training --> tasks\n" in text
    assert drawing.PAGE.read_text(encoding="utf-8").endswith(text + "\n")  # it is that of today
