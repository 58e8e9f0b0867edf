"""Words that the project has replaced by the terms of the field; they do not come back."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The word, what is written instead, and the files where it is right: in its plain meaning, in a
# text that a network wrote, or as a name that an old file has.
WORDS = {
    "asked": ("requested", ["docs/serve.md"]),
    "banned": ("suppressed ids", []),
    "carrier": ("stream state", []),
    "cold start": ("zero-state evaluation", []),
    "facts": ("run record, or fields", ["rnnzoo/tasks/language_model.py"]),
    "foretell": ("predict", []),
    "foretells": ("predicts", []),
    "foretold": ("predicted", []),
    "hand_over": ("bridge", ["docs/founding_s1.md"]),
    "may_ship": ("redistributable", []),
    "read_out": ("features", ["rnnzoo/layers/decoder.py"]),  # the old name, which warns
    "room": ("max_new_tokens", ["rnnzoo/plots/gates.py", "docs/founding_s4.md"]),
    "squashed": ("tanh_c", []),
    "surprise": ("surprisal", []),
    "taker": ("gather", []),
    "unfinished": ("atomic path", []),
}


@pytest.fixture(scope="module")
def texts():
    files = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")]
    files += (ROOT / "docs").glob("**/*.md")
    for place in ("rnnzoo", "rnnzoo_cli", "scripts"):
        files += [f for f in (ROOT / place).rglob("*") if f.suffix in (".py", ".html")]
    return {f.relative_to(ROOT).as_posix(): f.read_text(encoding="utf-8") for f in files}


@pytest.mark.parametrize("word", WORDS)
def test_a_dropped_word_stays_away(word, texts):
    instead, allowed = WORDS[word]
    whole = re.compile(rf"\b{word.replace(' ', '[ -]')}\b", re.IGNORECASE)
    found = {name for name, text in texts.items() if whole.search(text)}
    assert not found - set(allowed), f"{word!r}: write {instead!r}"
    assert not set(allowed) - found, "an exception that is no longer needed"
