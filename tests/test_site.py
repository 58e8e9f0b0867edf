"""The site: its strict build, and the code on its pages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = {
    page.name: "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    for page in PAGES
    for text in [page.read_text(encoding="utf-8")]
}


WITH_A_SERVER = {"serve.md"}  # which tests/serve/test_completions.py runs


@pytest.mark.parametrize(
    "page", [name for name, code in BLOCKS.items() if code and name not in WITH_A_SERVER]
)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[page], page, "exec"), {"__name__": "__main__"})


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    zoo = (tmp_path / "site" / "zoo" / "index.html").read_text(encoding="utf-8")
    assert "char_lstm_shakespeare_small" in zoo
    index = (tmp_path / "site" / "search" / "search_index.json").read_text(encoding="utf-8")
    assert "Kneser-Ney" in index  # the search needs no server
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|img)[^>]* src=.?https?:", text), page
