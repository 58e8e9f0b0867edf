"""Pages of the published models in a real browser: Chromium, opened from a file, offline.

Run by hand with `pytest -m slow -n 0`; translators need their corpora (`RNNZOO_DATA_DIR`).
"""

import re
from pathlib import Path

import numpy as np
import pytest
from keras import ops

import rnnzoo
from rnnzoo.data import corpora
from rnnzoo.errors import InputError
from tests.export.pages import in_chromium, run_to_the_end

pytestmark = pytest.mark.slow
WRITERS = {
    "char_lstm_shakespeare": "ROMEO:",
    "char_lstm_shakespeare_small": "ROMEO:",
    "word_lm_imdb": "this film is",
}
TRANSLATORS = {
    "gru_seq2seq_numbers": "spelled_numbers",
    "gru_seq2seq_spa_eng": "spa_eng",
    "gru_seq2seq_multi30k_en_de": "multi30k_en_de",
    "gru_seq2seq_multi30k_en_de_lowercase": "multi30k_en_de",
}
TIE = 1e-3  # nats: two tokens that are as close may change places
IMAGES = Path(__file__).parents[2] / "docs" / "images"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exports a published model once."""
    folder, made = tmp_path_factory.mktemp("pages"), {}

    def export(name, prompt=""):
        if name not in made:
            model = rnnzoo.load(name)
            model.export(folder / f"{name}.html", prompt=prompt, verbose=False)
            made[name] = model, folder / f"{name}.html"
        return made[name]

    return export


def weights_of(path):
    return re.search(r'<script id="weights"[^>]*>([^<]*)<', path.read_text("utf-8"))[1]


@pytest.mark.parametrize("name", WRITERS)
def test_a_language_model_writes_in_a_browser_what_it_writes_in_python(exported, name):
    prompt = WRITERS[name]
    model, path = exported(name, prompt)
    ids = model.vocabulary.encode(prompt + model.generate(prompt, 100, seed=1)).tolist()
    with in_chromium(path) as page:
        logits = page.evaluate(
            """([data, ids]) => {
                const { model } = new Writer(description, decodeBase64(data));
                let state = model.startState;
                return ids.map((id) => {
                    const step = model.step(id, state);
                    ({ state } = step);
                    return Array.from(step.logits);
                });
            }""",
            [weights_of(path), ids],
        )
        greedy, rate = run_to_the_end(page, prompt, sampler="greedy", length=300)
        drawn, _ = run_to_the_end(
            page, prompt, sampler="top_p", top_p=0.9, temperature=0.8, seed=7, length=300
        )
    assert weights_are_half(model)  # so that a float16 page has exactly the weights of the model
    expected = ops.convert_to_numpy(model(np.array([ids])))[0]
    assert np.abs(np.array(logits) - expected).max() < 1e-3
    assert greedy == model.generate(prompt, 300, sampler="greedy")
    assert drawn == model.generate(prompt, 300, sampler="top_p", p=0.9, temperature=0.8, seed=7)
    assert rate >= 100
    if name == "char_lstm_shakespeare_small":
        assert path.stat().st_size < 3e6


def weights_are_half(model):
    return all(
        np.array_equal(weight, weight.astype("float16").astype("float32"))
        for weight in model.get_weights()
    )


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_translator_translates_in_a_browser_as_in_python(exported, name):
    model, path = exported(name)
    try:
        corpus = corpora.load(TRANSLATORS[name])
    except InputError:
        pytest.skip(f"The corpus {TRANSLATORS[name]} is not at hand")
    swap = name == "gru_seq2seq_spa_eng"
    pairs = corpus.test or corpus.validation
    texts = [pair[1] if swap else pair[0] for pair in pairs[:100]]
    found = []
    with in_chromium(path) as page:
        for text in texts:
            found.append(
                page.evaluate(
                    """([data, text]) => {
                        window.writer ||= new Writer(description, decodeBase64(data));
                        return [...window.writer.translate({ text })]
                            .filter(({ kind }) => kind === "token" || kind === "last")
                            .map(({ id, text, kind }) => [id, kind === "last" ? "" : text]);
                    }""",
                    [weights_of(path) if not found else "", text],
                )
            )
    for text, tokens, expected in zip(texts, found, model.translate(texts), strict=True):
        if "".join(written for _, written in tokens) != expected:
            assert is_tie(model, text, [id for id, _ in tokens], expected), text


def is_tie(model, text, tokens, expected):
    """Whether the first token that differs was as likely in Python, within `TIE`."""
    source, target = model.source_vocabulary, model.target_vocabulary
    ids = [*source.encode(text).tolist(), source.end_id]
    logits, state = model.decodable().start((np.array([ids]),))
    for token in tokens:
        logits = ops.convert_to_numpy(model.decodable().rules.suppress(logits))[0]
        if int(logits.argmax()) != token:
            return logits.max() - logits[token] < TIE
        logits, state = model.decodable().step(np.array([token]), state)
    raise AssertionError(f"{target.decode(tokens)!r} is no greedy translation: {expected!r}")


def test_a_person_can_stop_go_on_and_choose_another_way(exported):
    _, path = exported("char_lstm_shakespeare_small", "ROMEO:")
    with in_chromium(path) as page:
        assert page.get_attribute("html", "data-writer") == "worker"
        assert page.input_value("#prompt") == "ROMEO:"
        page.eval_on_selector("#length", "(field) => { field.value = 2000 }")
        page.fill("#seed", "3")
        page.click("#start")
        page.wait_for_selector("#text .token:nth-of-type(20)")
        page.click("#stop")
        page.wait_for_selector("html[data-finished='1']")
        stopped = page.locator("#text .token").count()
        assert 19 <= stopped < 2000
        page.eval_on_selector("#length", "(field) => { field.value = 50 }")
        page.click("#go-on")
        page.wait_for_selector("html[data-finished='2']")
        assert page.locator("#text .token").count() == stopped + 50

        page.hover("#text .token >> nth=4")
        assert page.locator("#alternatives li").count() == 8
        assert page.locator("#alternatives li.taken").count() <= 1
        page.focus("#text")
        page.keyboard.press("ArrowRight")
        assert page.get_attribute("#text .token.chosen", "data-index") == "5"
        page.keyboard.press("Home")
        assert page.get_attribute("#text .token.chosen", "data-index") == "0"
        page.keyboard.press("End")
        assert page.get_attribute("#text .token.chosen", "data-index") == str(stopped + 49)
        page.hover("#text .token >> nth=4")
        other = page.locator("#alternatives li:not(.taken) button").first
        name = other.locator(".name").inner_text()
        other.click()
        page.wait_for_selector("html[data-finished='3']")
        assert page.locator("#text .token").count() == 55
        shown = page.locator("#text .token >> nth=4").inner_text()
        assert name == {" ": "space", "\n": "line break"}.get(shown, shown)

        page.fill("#prompt", "\u201cRomeo\u2019s\u201d")
        page.click("#start")
        page.wait_for_selector("#status.wrong")
        assert page.input_value("#prompt") == "\u201cRomeo's\u201d"  # it has no quotation marks
        assert page.inner_text("#status").startswith("The network has never seen")

        page.click("#theme")
        assert page.get_attribute("html", "data-theme") == "dark"
        page.fill("#prompt", "ROMEO: é")
        page.click("#start")
        page.wait_for_selector("#status.wrong")
        assert "never seen “é”" in page.inner_text("#status")


STRENGTHS = """all => all.map((each) => [
    Number(each.style.getPropertyValue("--strength")), each.style.getPropertyValue("--colour"),
])"""


def test_the_text_is_shaded_by_surprisal_or_by_one_unit_while_it_is_written(exported):
    model, path = exported("char_lstm_shakespeare_small", "ROMEO:")
    with in_chromium(path) as page:
        text, _ = run_to_the_end(page, "ROMEO:", sampler="greedy", length=100)
        record = rnnzoo.inspect(model, "ROMEO:" + text)
        bits = -record.log_probabilities[6:] / np.log(2)
        found = page.eval_on_selector_all("#text .token", STRENGTHS)
        strengths = [strength for strength, _ in found]
        np.testing.assert_allclose(strengths, 0.55 * np.minimum(1, bits / 8), atol=2e-3)

        page.select_option("#shading", label="layer 1, h")
        page.fill("#unit", "7")
        unit = record.layers[1].states["h"][6:, 7]
        found = page.eval_on_selector_all("#text .token", STRENGTHS)
        np.testing.assert_allclose([each for each, _ in found], 0.55 * np.abs(unit), atol=2e-3)
        below = np.array([colour == "var(--below)" for _, colour in found])
        np.testing.assert_array_equal(below, unit < 0)
        page.hover("#text .token >> nth=4")
        assert f"unit 7: {unit[4]:.2f}" in page.inner_text("#token")

        # The same while more is written, token by token.
        page.eval_on_selector("#length", "(field) => { field.value = 2000 }")
        page.click("#go-on")
        page.wait_for_selector("#text .token:nth-of-type(130)")
        page.click("#stop")
        page.wait_for_selector("html[data-finished='2']")
        more = page.eval_on_selector_all("#text .token", STRENGTHS)
        assert more[:100] == found and all(strength > 0 for strength, _ in more[100:125])

        page.select_option("#shading", label="nothing")
        found = page.eval_on_selector_all("#text .token", STRENGTHS)
        assert not any(strength for strength, _ in found)


def test_a_screen_reader_finds_a_name_for_every_control(exported):
    _, path = exported("char_lstm_shakespeare_small", "ROMEO:")
    with in_chromium(path) as page:
        run_to_the_end(page, "ROMEO:", length=50)
        page.select_option("#shading", label="layer 0, h")
        page.hover("#text .token >> nth=4")
        session = page.context.new_cdp_session(page)
        names = {}
        for node in session.send("Accessibility.getFullAXTree")["nodes"]:
            role = node.get("role", {}).get("value")
            if role in ("button", "textbox", "slider", "combobox", "spinbutton"):
                names.setdefault(role, []).append(node["name"]["value"])
    assert set(names) == {"button", "textbox", "slider", "combobox", "spinbutton"}
    assert all(name for found in names.values() for name in found)


def test_a_page_fits_a_phone(exported):
    _, path = exported("gru_seq2seq_spa_eng")
    with in_chromium(path, viewport={"width": 360, "height": 740}) as page:
        run_to_the_end(page, "Nunca pensé que viajar fuera tan difícil y tan caro como ahora.")
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_without_workers_the_page_writes_itself(exported):
    model, path = exported("char_lstm_shakespeare_small", "ROMEO:")
    script = "window.Worker = class { constructor() { throw new Error('not allowed'); } };"
    with in_chromium(path, script=script) as page:
        assert page.get_attribute("html", "data-writer") == "page"
        greedy, _ = run_to_the_end(page, "ROMEO:", sampler="greedy", length=100)
    assert greedy == model.generate("ROMEO:", 100, sampler="greedy")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_for_the_documentation(exported, scheme):
    """Opens the pages as a reader would, and keeps what they look like."""
    IMAGES.mkdir(exist_ok=True)
    size = {"width": 1180, "height": 900}
    with in_chromium(
        exported("char_lstm_shakespeare", "ROMEO:")[1], viewport=size, color_scheme=scheme
    ) as page:
        run_to_the_end(page, "ROMEO:", seed=7, length=500)
        page.hover("#text .token >> nth=29")
        page.screenshot(path=IMAGES / f"html_page_{scheme}.png", full_page=True)
    with in_chromium(
        exported("gru_seq2seq_spa_eng")[1], viewport=size, color_scheme=scheme
    ) as page:
        run_to_the_end(page, "¿Dónde está la biblioteca nueva?")
        page.hover("#text .token >> nth=2")
        page.screenshot(path=IMAGES / f"html_page_translator_{scheme}.png", full_page=True)
        assert page.locator("#map tbody tr").count() == 6
        assert page.locator("#map tbody tr.chosen th").inner_text() == "new"
