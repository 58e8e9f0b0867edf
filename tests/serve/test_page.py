"""The page at `/` in Chromium: what a reader sees, with a pointer, with keys, with a screen reader.

The pictures of docs/ are made by `pytest -m slow -n 0 tests/serve/test_page.py`.
"""

import math
from pathlib import Path

import numpy as np
import pytest

import rnnzoo
from rnnzoo.inspection import read_unit
from tests.export.pages import CHROMIUM, CHROMIUM_OPTIONS, run_to_the_end
from tests.serve.loopback import listening

IMAGES = Path(__file__).parents[2] / "docs" / "images"
sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("fastapi")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

# Contrast as WCAG 2 has it; of each text with what is behind it, and of the borders of controls.
CONTRASTS = """() => {
    const parse = (color) => {
        const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
        return [r, g, b, a];
    };
    const over = ([r, g, b, a], below) =>
        [r, g, b].map((value, i) => a * value + (1 - a) * below[i]).concat(1);
    const behind = (element) => element
        ? over(parse(getComputedStyle(element).backgroundColor), behind(element.parentElement))
        : [255, 255, 255, 1];
    const luminance = ([r, g, b]) => [r, g, b]
        .map((value) => value / 255)
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (one, other) => {
        const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
        const style = getComputedStyle(element), ground = behind(element);
        if (!element.checkVisibility() || element.disabled || style.clipPath !== "none") continue;
        const texts = [...element.childNodes].filter((node) => node.nodeType === 3);
        const name = `${element.tagName} ${element.id} ${element.className}`;
        if (texts.some((node) => node.textContent.trim()))
            found.push([name, 4.5, contrast(over(parse(style.color), ground), ground)]);
        const controls = "textarea, select, input[type=text], button:not(.quiet, .row)";
        if (!element.matches(controls)) continue;
        const around = behind(element.parentElement);
        found.push([name, 3, contrast(parse(style.borderTopColor), around)]);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_OPTIONS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(models):
    with listening({name: models[name] for name in ("letters", "numbers", "opinions")}) as (url, _):
        yield url


@pytest.fixture
def page(browser, address):
    opened = open_page(browser, address)
    yield opened
    assert not opened.errors
    opened.context.close()


def open_page(browser, address, **options):
    """Opens the page; a request to another place, and a word in the console, are errors."""
    page = browser.new_context(**options).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda message: page.errors.append(message.text))
    page.on(
        "request",
        lambda request: (
            request.url.startswith((address, "data:")) or page.errors.append(request.url)
        ),
    )
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    return page


def finished(page, count):
    page.wait_for_selector(f"html[data-finished='{count}']", timeout=60_000)


def text_of(page):
    return "".join(page.locator("#text .token").all_text_contents())


def test_a_text_streams_in_shaded_by_probability(page, models):
    text, _ = run_to_the_end(page, "to ", temperature=0.8, top_p=0.9, length=50, seed=7)
    assert text == models["letters"].generate("to ", 50, temperature=0.8, p=0.9, seed=7)
    assert "50 characters" in page.inner_text("#status") and "seed 7" in page.inner_text("#status")
    page.hover("#text .token >> nth=4")
    assert page.get_attribute(".token.chosen", "data-index") == "4"
    probability = page.evaluate("tokens[4].probability")
    strength = float(
        page.eval_on_selector(".token.chosen", "it => it.style.getPropertyValue('--strength')")
    )
    assert strength == pytest.approx(0.55 * min(1, -math.log2(probability) / 8), abs=1e-3)
    assert f"probability {100 * probability:.0f}" in page.inner_text("#token")
    shares = page.evaluate("tokens[4].alternatives.map((other) => other.probability)")
    assert len(shares) == page.locator("#alternatives li").count() == 7  # all characters there are
    assert sum(shares) == pytest.approx(1, abs=1e-3)

    other = page.locator("#alternatives li:not(.taken) button").first
    name = other.locator(".name").inner_text()
    other.click()  # go on with it
    finished(page, 2)
    again = text_of(page)
    assert again[:4] == text[:4] and len(again) == 55
    assert again[4] == {"space": " ", "line break": "\n"}.get(name, name) != text[4]
    page.click("#go-on")
    finished(page, 3)
    assert len(text_of(page)) == 105 and text_of(page)[:55] == again


SHADES = """all => all.map((each) => [
    Number(each.style.getPropertyValue("--strength")), each.style.getPropertyValue("--colour"),
])"""


def shades(page):
    """The activation that each token's shade stands for."""
    found = page.eval_on_selector_all("#text .token", SHADES)
    return [strength / 0.55 * (-1 if "below" in colour else 1) for strength, colour in found]


def test_the_text_is_shaded_by_one_unit_while_it_streams(page, models):
    """With the keyboard alone; and the text at hand by another unit, or by surprisal again."""

    def expected(text, unit):
        return read_unit(models["letters"], "to " + text, f"0:h:{unit}")[1][3:]

    page.focus("#shading")
    page.keyboard.type("layer")
    assert page.eval_on_selector("#shading", "it => it.selectedOptions[0].label") == "layer 0, h"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "unit"
    page.keyboard.press("ArrowUp")
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    text, _ = run_to_the_end(page, "to ", length=50, seed=7)
    assert asked == ["generate"]  # the activations came with the text
    np.testing.assert_allclose(shades(page), expected(text, 1), atol=2e-3)
    page.hover("#text .token >> nth=4")
    assert f"unit 1: {expected(text, 1)[4]:.2f}" in page.inner_text("#token")

    page.fill("#unit", "2")  # is read again
    page.wait_for_function("() => tokens.every((it) => it.activations['0:h:2'] !== undefined)")
    np.testing.assert_allclose(shades(page), expected(text, 2), atol=2e-3)
    page.click("#go-on")
    finished(page, 2)
    assert asked == ["generate", "activations", "generate"]
    np.testing.assert_allclose(shades(page), expected(text_of(page), 2), atol=2e-3)
    other = page.locator("#alternatives li:not(.taken) button").first
    other.click()
    finished(page, 3)
    page.wait_for_function("() => tokens.every((it) => it.activations['0:h:2'] !== undefined)")
    np.testing.assert_allclose(shades(page), expected(text_of(page), 2), atol=2e-3)

    page.select_option("#shading", "surprisal")
    assert page.locator("#which").is_hidden() and min(shades(page)) >= 0
    page.select_option("#shading", label="layer 0, h")
    page.select_option("#model", "numbers")  # a translator has no such menu
    assert page.locator("#shading option").count() == 2
    assert page.input_value("#shading") == "surprisal" and page.locator("#which").is_hidden()


def test_a_translation_with_its_attention(page, models):
    page.select_option("#model", "numbers")
    text, _ = run_to_the_end(page, "one two")
    expected, weights = models["numbers"].translate("one two", return_attention=True)
    assert text == expected
    cells = page.eval_on_selector_all(
        "#map td[title]",
        "all => all.map((cell) => Number(cell.style.getPropertyValue('--strength')))",
    )
    assert cells == pytest.approx(weights.flatten().tolist(), abs=1e-3)
    heads = page.locator("#map thead th").all_text_contents()
    assert heads == [*("space" if each == " " else each for each in "one two"), "end"]
    page.hover("#map tbody tr >> nth=1")
    assert page.get_attribute("#map tr.chosen", "data-index") == "1"
    assert page.get_attribute(".token.chosen", "data-index") == "1"
    assert page.locator("#settings").is_hidden() and page.locator("#go-on").is_hidden()


def test_a_translation_that_is_too_long_for_a_map_or_is_cut(page, models, monkeypatch):
    monkeypatch.setattr("rnnzoo.serve.translating.LONGEST", 5)
    page.select_option("#model", "numbers")
    text, _ = run_to_the_end(page, "one two")
    page.errors.clear()  # the console tells of each answer that is no success
    assert text == models["numbers"].translate("one two")
    assert "too long for a map" in page.inner_text("#status")
    assert page.locator("#map").is_hidden() and page.locator("#source").is_visible()
    monkeypatch.setattr("rnnzoo.serve.translating.MAX_NEW_TOKENS", 1)
    text, _ = run_to_the_end(page, "one")
    assert len(text) == 1 and "It is cut" in page.inner_text("#status")
    assert page.locator("#map").is_visible()


def test_a_model_that_is_chosen_while_another_writes_has_a_clean_status(page):
    page.eval_on_selector("#length", "(field) => { field.value = 2000 }")
    page.fill("#prompt", "to ")
    page.click("#start")
    page.wait_for_selector("#text .token:nth-of-type(5)")
    page.select_option("#model", "numbers")
    finished(page, 1)
    assert page.inner_text("#status") == "" and page.locator("#text .token").count() == 0
    assert page.locator("#start").is_enabled() and page.locator("#stop").is_disabled()


def test_a_label_with_the_probabilities_of_all(page, models):
    page.select_option("#model", "opinions")
    assert "classifies texts: bad, fair, good." in page.inner_text("#about")
    text, _ = run_to_the_end(page, "a good film")
    expected = models["opinions"].classify("a good film")
    assert text == expected.label and expected.label in page.inner_text("#status")
    names = page.locator("#alternatives .name").all_inner_texts()
    assert names == sorted(expected.probabilities, key=expected.probabilities.get, reverse=True)
    shares = page.evaluate("tokens[0].alternatives.map((other) => other.probability)")
    assert shares == pytest.approx(sorted(expected.probabilities.values(), reverse=True), abs=1e-6)
    for hidden in ("#settings", "#go-on", "#legend", "#alternatives button"):
        assert page.locator(f"{hidden}:visible").count() == 0
    assert page.locator("footer .classifying").is_visible()
    page.fill("#prompt", " ")
    page.click("#start")
    page.wait_for_selector("#status.wrong")
    page.errors.clear()  # the console tells of each answer that is no success
    assert "empty" in page.inner_text("#status")
    page.select_option("#model", "letters")
    assert page.locator("footer .classifying").is_hidden() and page.locator("#go-on").is_visible()


def test_all_of_it_with_the_keyboard_alone(page):
    def focused():
        return page.evaluate("document.activeElement.id")

    order = []
    page.keyboard.press("Tab")
    while focused() and focused() not in order:
        order.append(focused())
        if focused() == "prompt":
            page.keyboard.type("to be ")
        if focused() == "length":
            page.keyboard.press("Home")
        page.keyboard.press("Tab")
    assert order[:8] == [
        "theme", "model", "prompt", "start", "temperature", "top-p", "length", "seed",
    ]  # fmt: skip
    assert "text" in order
    page.focus("#start")
    page.keyboard.press("Enter")
    finished(page, 1)
    page.focus("#text")
    for key, index in (("ArrowRight", "0"), ("End", "49"), ("ArrowLeft", "48"), ("Home", "0")):
        page.keyboard.press(key)
        assert page.get_attribute(".token.chosen", "data-index") == index
    for _ in range(20):  # on to an alternative
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('#alternatives li:not(.taken) button')"):
            break
    page.keyboard.press("Enter")
    assert focused() == "text"  # the alternative is gone
    finished(page, 2)
    assert len(text_of(page)) == 51
    page.keyboard.press("ArrowRight")
    page.focus("#previous")
    page.keyboard.press("Enter")
    assert page.get_attribute(".token.chosen", "data-index") == "0"
    assert focused() == "text"  # there is no token before
    shown = page.evaluate(
        "alternative({ id: 0 }, 0, { id: 1, text: 'constructor', probability: 1 })"
        ".querySelector('.name').innerHTML"
    )
    assert shown == "<span>constructor</span>"
    page.eval_on_selector("#length", "(field) => { field.value = 2000 }")
    page.focus("#prompt")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#text .token:nth-of-type(5)")
    page.keyboard.press("Escape")
    finished(page, 3)
    assert 3 < len(text_of(page)) < 2000


def test_what_is_wrong_is_told(page):
    page.fill("#prompt", "XYZ")
    page.click("#start")
    page.wait_for_selector("#status.wrong")
    page.errors.clear()  # the console tells of each answer that is no success
    assert "X" in page.inner_text("#status") and page.get_attribute("#status", "role") == "status"
    page.context.set_offline(True)
    page.click("#start")
    page.wait_for_selector("#status:has-text('not answer')")
    page.errors.clear()


def test_a_screen_reader_finds_names_and_news(page):
    page.select_option("#shading", label="layer 0, h")
    run_to_the_end(page, "to ", length=50)
    page.hover("#text .token >> nth=4")
    names = {}
    session = page.context.new_cdp_session(page)
    for node in session.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if role in ("button", "textbox", "slider", "combobox", "heading", "link", "spinbutton"):
            names.setdefault(role, []).append(node["name"]["value"])
    assert len(names) == 7 and all(name for found in names.values() for name in found)
    assert {"Model", "Begin with", "Shade by"} <= {*names["combobox"], *names["textbox"]}
    assert names["spinbutton"] == ["unit"]
    assert page.get_attribute("#token", "aria-live") == "polite"
    assert page.get_attribute("html", "lang") == "en"
    assert page.locator("main").count() == page.locator("h1").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_motion(browser, address, scheme):
    page = open_page(browser, address, color_scheme=scheme, reduced_motion="reduce")
    for model, prompt in (("letters", "to "), ("numbers", "one two"), ("opinions", "a film")):
        page.select_option("#model", model)
        run_to_the_end(page, prompt)
        page.hover(f"#text .token >> nth={int(model != 'opinions')}")
        page.evaluate(  # as dark as shades get
            "document.querySelectorAll('#text .token').forEach((it) => paint(it, 1))"
        )
        found = page.evaluate(CONTRASTS)
        assert len(found) > 20
        assert [each for each in found if each[2] < each[1]] == []
    cursor = page.eval_on_selector(
        "#text",
        "(text) => { text.classList.add('writing');"
        " return getComputedStyle(text, '::after').animationName }",
    )
    assert cursor == "none"
    page.context.close()


def test_it_fits_a_phone(browser, address):
    page = open_page(browser, address, viewport={"width": 360, "height": 740})
    run_to_the_end(page, "to ", length=50)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.context.close()


def test_nothing_comes_from_elsewhere(client):
    found = client.get("/")
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert "{{" not in found.text and "<style" not in found.text and "http" not in found.text
    for name, kind in (("reading.js", "text/javascript"), ("page.css", "text/css")):
        answer = client.get(f"/page/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
    for name in ("nothing.js", "..%2Fapp.py", "index.html", "%2Fetc%2Fpasswd"):
        assert client.get(f"/page/{name}").status_code == 404


@pytest.mark.slow
def test_pictures_for_the_documentation(browser):
    """Opens the page as a reader would, and keeps what it looks like."""
    names = ("char_lstm_shakespeare", "gru_seq2seq_spa_eng")
    size = {"width": 1060, "height": 800}
    with listening({name: rnnzoo.load(name) for name in names}) as (url, _):
        page = open_page(browser, url, viewport=size, color_scheme="light")
        run_to_the_end(page, "ROMEO:", seed=7, length=400)
        page.hover("#text .token >> nth=29")
        page.evaluate("say('')")  # how fast it was depends on the machine
        page.screenshot(path=IMAGES / "serve_page.png", full_page=True)
        page = open_page(browser, url, viewport=size, color_scheme="dark")
        page.select_option("#model", names[1])
        run_to_the_end(page, "¿Dónde está la biblioteca nueva?")
        page.hover("#text .token >> nth=2")
        page.evaluate("say('')")
        page.screenshot(path=IMAGES / "serve_page_translator.png", full_page=True)
        assert page.locator("#map tbody tr.chosen th").inner_text() == "new"
