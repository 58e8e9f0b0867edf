"""Writes NOTICE: who made the corpora, and on what terms the models in the wheel stand.

    python scripts/write_notice.py

It is made of `rnnzoo.data.corpora.about`, of the zoo's index and of the records behind the cards.
"""

import json
import textwrap
from pathlib import Path

from rnnzoo.data import corpora

ROOT = Path(__file__).parents[1]
HEAD = """\
rnnzoo
Copyright the rnnzoo authors. Licensed under the Apache License, Version 2.0; see LICENSE.

This file is made by scripts/write_notice.py. No corpus is a part of this package. It holds models
that were trained on corpora, and cards that quote these, where the terms of the corpus let them be
passed on. What rnnzoo depends on is installed beside it and has its own licences.
"""


def notice() -> str:
    """Returns the whole text."""
    models = json.loads((ROOT / "saved_models" / "index.json").read_text("utf-8"))["models"]
    parts = [HEAD, _heading("Models in this package")]
    parts += [_model(name) for name, model in models.items() if model["in_wheel"]]
    parts += [_heading("Models of the repository that are not in this package")]
    parts += [_model(name) for name, model in models.items() if not model["in_wheel"]]
    parts += [_heading("Corpora that rnnzoo can read"), *map(_corpus, corpora.names())]
    return "\n".join(parts)


def _heading(text):
    return f"{text}\n{'=' * len(text)}\n"


def _model(name):
    record = json.loads((ROOT / "saved_models" / name / "metrics.json").read_text("utf-8"))
    corpus = record["corpus"]
    lines = [f"Trained on {corpus['name']} (SHA-256 {corpus['sha256']}), {record['date'][:10]}."]
    if record["training"]["from_model"]:
        lines.append(f"Started from {record['training']['from_model']}.")
    return _block(name, lines)


def _corpus(name):
    about = corpora.about(name)
    verb = "may" if about.redistributable else "may not"
    reason = about.reason.replace("this card", "the model's card")
    lines = [f"Terms: {about.terms}", f"Models of it {verb} be in this package: {reason}."]
    return _block(name, [f"Origin: {about.origin}."] * bool(about.origin) + lines)


def _block(name, lines):
    wrapped = (
        textwrap.wrap(
            line, 98, initial_indent="  ", subsequent_indent="    ",
            break_long_words=False, break_on_hyphens=False,
        )
        for line in lines
    )  # fmt: skip
    return "\n".join([name, *(part for lines in wrapped for part in lines), ""])


if __name__ == "__main__":
    (ROOT / "NOTICE").write_text(notice(), "utf-8")
