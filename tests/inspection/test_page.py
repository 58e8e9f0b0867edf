"""The page of a record: what is in the file, and what it shows in Chromium."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import rnnzoo
from rnnzoo import Vocabulary, char_lstm
from rnnzoo.errors import InputError
from rnnzoo.inspection import find_units, inspect, save_page
from tests.export.pages import in_chromium
from tests.inspection.test_inspect import shaken

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TEXT = "<b> to\nbe</b> & </script>"


@pytest.fixture(scope="module")
def record():
    return inspect(shaken(char_lstm(Vocabulary.from_text(TEXT), units=5, num_layers=2)), TEXT)


@pytest.fixture(scope="module")
def path(record, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    save_page(record, path, units=[(1, "h", 3), (0, "c", 0)], title="<Inside>")
    return path


def test_a_page_holds_the_record_and_needs_nothing_else(record, path):
    text = path.read_text("utf-8")
    shown = json.loads(re.search(r'<script id="record"[^>]*>(.*?)</script>', text, re.S)[1])
    assert "".join(token["text"] for token in shown["tokens"]) == TEXT
    assert [view["name"] for view in shown["views"]] == [
        "surprisal, bits", "recurrent/lstm_1, h, unit 3", "recurrent/lstm_0, c, unit 0",
    ]  # fmt: skip
    surprisal, unit, _ = (view["values"] for view in shown["views"])
    assert surprisal[0] is None
    np.testing.assert_allclose(surprisal[1:], -record.log_probabilities[1:] / np.log(2), atol=1e-4)
    np.testing.assert_allclose(unit, record.layers[1].states["h"][:, 3], atol=1e-4)
    assert shown["tokens"][4]["alternatives"][0][0] == record.alternatives[4][0]
    assert "<title>&lt;Inside&gt;</title>" in text and text.count("</script>") == 2
    assert not re.search(r"https?://|\bimport\b|fetch\(|XMLHttpRequest|src=|href=", text)


def test_a_unit_that_is_not_there_leaves_no_page(record, tmp_path):
    with pytest.raises(InputError, match="has 5 units"):
        save_page(record, tmp_path / "page.html", units=[(0, "h", 5)])
    with pytest.raises(InputError, match="cannot be written"):
        save_page(record, tmp_path / "no_folder" / "page.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_hover_focus_and_the_menu_show_what_they_should(record, path):
    with in_chromium(path) as page:
        spans = page.locator("#text span")
        assert spans.count() == len(TEXT)
        spans.nth(4).hover()
        assert "probability" in page.inner_text("#token")
        found = page.locator("#alternatives li").all_inner_texts()
        assert len(found) == 5 and found[0].startswith(record.alternatives[4][0])
        page.focus("#text .chosen")
        page.keyboard.press("ArrowRight")
        assert page.locator("#text span:focus").evaluate("(one) => one.textContent") == TEXT[5]
        assert f"rank {record.ranks[5]}" in page.inner_text("#token")
        darkest = np.nanargmax(-record.log_probabilities)
        strengths = spans.evaluate_all(
            "all => all.map((one) => +one.style.getPropertyValue('--strength'))"
        )
        assert strengths[darkest] == max(strengths) and strengths[0] == 0
        page.select_option("#view", index=1)
        unit = record.layers[1].states["h"][:, 3]
        strengths = spans.evaluate_all(
            "all => all.map((one) => +one.style.getPropertyValue('--strength'))"
        )
        np.testing.assert_allclose(strengths, 0.75 * np.abs(unit) / np.abs(unit).max(), atol=1e-3)
        colours = spans.evaluate_all(
            "all => all.map((one) => one.style.getPropertyValue('--colour'))"
        )
        assert [colour == "var(--cold)" for colour in colours] == (unit < 0).tolist()
        assert f"{unit[5]:.2f}" in page.inner_text("#token")


@pytest.mark.slow
def test_a_picture_for_the_documentation(tmp_path):
    """Opens the page of a published model as a reader would, and keeps what it looks like."""
    model = rnnzoo.load("char_lstm_shakespeare_small")
    text = model.generate("ROMEO:", 4000, seed=1)
    units = find_units(model, text, "line_position", count=1)
    save_page(inspect(model, text[:700]), tmp_path / "page.html", units=units, title="Inside Romeo")
    with in_chromium(tmp_path / "page.html", viewport={"width": 1000, "height": 620}) as page:
        page.select_option("#view", index=1)
        page.hover("#text span >> nth=120")
        assert "unit 33" in page.inner_text("#token")
        page.screenshot(path=IMAGES / "inside_page.png")
