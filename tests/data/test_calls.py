"""Rules of style of the parts that hold text and data, read from the source."""

import ast
from pathlib import Path

import pytest

import rnnzoo

ROOT = Path(rnnzoo.__file__).parent
FILES = sorted([*ROOT.glob("data/**/*.py"), *ROOT.glob("vocabulary/*.py")])
BELOW = ("rnnzoo.errors", "rnnzoo.files", "rnnzoo.typing", "rnnzoo.vocabulary", "rnnzoo.data")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_above_is_imported_and_no_call_is_a_row_of_arguments(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.module == "rnnzoo":
                names = [f"rnnzoo.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            assert not name.startswith("rnnzoo") or name.startswith(BELOW), name
            if path.parent.name == "vocabulary":
                assert not name.startswith("rnnzoo.data"), name
        if isinstance(node, ast.Call) and ast.unparse(node.func) not in ("partial", "print"):
            assert len(node.args) <= 3, f"line {node.lineno}: {ast.unparse(node)}"
