"""NOTICE tells of every model and corpus, as `scripts/write_notice.py` writes it."""

import importlib.util
import json
from pathlib import Path

from rnnzoo.data import corpora

ROOT = Path(__file__).parents[1]


def test_the_notice_is_current():
    spec = importlib.util.spec_from_file_location("notice", ROOT / "scripts/write_notice.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    found = (ROOT / "NOTICE").read_text("utf-8")
    assert found == writer.notice(), "run `python scripts/write_notice.py`"
    models = json.loads((ROOT / "saved_models/index.json").read_text("utf-8"))["models"]
    assert all(f"\n{name}\n" in found for name in [*models, *corpora.names()])
