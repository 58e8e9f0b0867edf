"""What the tests of pages share: the engine of a page in Node, and a page in Chromium."""

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("page_in_node.js")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
CHROMIUM_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
)  # fmt: skip
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


def in_node(page, *requests):
    """Asks the engine of a page; `page_in_node.js` says what."""
    asked = json.dumps({"page": str(page), "requests": requests})
    done = subprocess.run(["node", DRIVER], input=asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def written(prompt, length, sampler="greedy", seed=0, **settings):
    """A request to write."""
    settings = {"temperature": 1.0, **settings, "sampler": sampler, "seed": str(seed)}
    return {
        "ask": "events", "type": "write", "prompt": prompt, "length": length, "settings": settings,
    }  # fmt: skip


def translated(text):
    """A request to translate."""
    return {"ask": "events", "type": "translate", "text": text}


@contextlib.contextmanager
def in_chromium(path, script="", **options):
    """Opens a page as by a double click, without a network; yields it once it is ready.

    The script runs before those of the page.
    """
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_OPTIONS))
        page = browser.new_context(offline=True, **options).new_page()
        page.add_init_script(script or ";")
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda message: page.errors.append(message.text))
        page.goto(Path(path).resolve().as_uri())
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        yield page
        assert not page.errors
        browser.close()


def run_to_the_end(page, text, **fields):
    """Fills in the form, starts, and waits; returns what was written and how many a second."""
    page.fill("#prompt", text)
    for name, value in fields.items():
        field = f"#{name.replace('_', '-')}"
        if page.get_attribute(field, "type") == "range":
            page.eval_on_selector(
                field,
                "(field, value) => { field.value = value; field.dispatchEvent(new Event('input',"
                " { bubbles: true })) }",
                str(value),
            )
        elif name == "sampler":
            page.select_option(field, value)
        else:
            page.fill(field, str(value))
    before = int(page.get_attribute("html", "data-finished") or 0)
    page.click("#start")
    page.wait_for_selector(f"html[data-finished='{before + 1}']", timeout=120_000)
    texts = page.eval_on_selector_all("#text .token", "all => all.map((each) => each.textContent)")
    return "".join(texts), float(page.get_attribute("html", "data-rate"))
