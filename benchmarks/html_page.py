"""Published models as HTML pages: size, speed in a browser, and how near they come to Keras.

    python benchmarks/html_page.py                              # all of them, some minutes
    python benchmarks/html_page.py char_lstm_shakespeare_small

Each model is exported with float16 and with int8 weights and opened in headless Chromium from its
file, without a network; that needs `pip install playwright` and Debian's chromium. A language model
writes 300 tokens greedily three times, a translator translates 100 sentences of its corpus (found
in `RNNZOO_DATA_DIR`, or `../shared/data` beside the checkout where it is not set). Tokens a second
are the median of what the page itself tells, of sentences their mean. The logits are compared with
Keras's after 100 tokens, or along the translations. The rows become a section of RESULTS.md.
"""

import argparse
import re
import statistics
import tempfile
from pathlib import Path

import _common
import _processes  # noqa: F401 (names the folder of the real corpora)
import numpy as np
from keras import ops

import rnnzoo
from rnnzoo import zoo
from rnnzoo.data import corpora
from tests.export.pages import in_chromium, run_to_the_end

PROMPTS = {"character": "ROMEO:", "word": "this film is"}
SENTENCES = 100
OPENED = "window.writer ||= new Writer(description, decodeBase64(data));"
LOGITS = (
    "([data, ids]) => {" + OPENED + """
        let state = writer.model.startState;
        return ids.map((id) => {
            const step = writer.model.step(id, state);
            state = step.state;
            return Array.from(step.logits);
        });
    }"""
)  # fmt: skip
TRANSLATIONS = (
    "([data, texts]) => {" + OPENED + """
        const began = performance.now();
        const written = texts.map((text) => [...writer.translate({ text })]
            .filter(({ kind }) => kind === "token").map(({ text }) => text));
        const seconds = (performance.now() - began) / 1000;
        const steps = written.reduce((sum, tokens) => sum + tokens.length + 1, 0);
        return [written.map((tokens) => tokens.join("")), steps / seconds];
    }"""
)  # fmt: skip
PAIR = (
    "([data, source, target]) => {" + OPENED + """
        const { memory, state: first } = writer.model.encode(source);
        let state = first;
        return target.map((id) => {
            const step = writer.model.step(id, state, memory);
            state = step.state;
            return Array.from(step.logits);
        });
    }"""
)  # fmt: skip


def weights_of(path):
    return re.search(r'<script id="weights"[^>]*>([^<]*)<', path.read_text("utf-8"))[1]


def language_model(model, path):
    """Tokens a second, the largest difference of logits, and whether the greedy text is equal."""
    prompt = PROMPTS[model.vocabulary.level]
    expected = model.generate(prompt, 300, sampler="greedy")
    ids = model.vocabulary.encode(prompt + expected)[:100].tolist()
    with in_chromium(path) as page:
        runs = [run_to_the_end(page, prompt, sampler="greedy", length=300) for _ in range(3)]
        logits = page.evaluate(LOGITS, [weights_of(path), ids])
    difference = np.abs(np.array(logits) - ops.convert_to_numpy(model(np.array([ids])))[0]).max()
    text = (
        "300 tokens equal"
        if runs[0][0] == expected
        else f"{common(runs[0][0], expected)} characters equal"
    )
    return statistics.median(rate for _, rate in runs), difference, text


def common(one, other):
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def translator(model, path, texts):
    """Tokens a second, the largest difference of logits, and how many translations are equal."""
    expected = model.translate(texts)
    source, target = model.source_vocabulary, model.target_vocabulary
    differences = []
    with in_chromium(path) as page:
        found, rate = page.evaluate(TRANSLATIONS, [weights_of(path), texts])
        for text, translation in list(zip(texts, expected, strict=True))[:10]:
            ids = [*source.encode(text).tolist(), source.end_id]
            written = [target.start_id, *target.encode(translation).tolist()]
            logits = page.evaluate(PAIR, ["", ids, written])
            keras = model({"source": np.array([ids]), "target": np.array([written])})
            differences.append(np.abs(np.array(logits) - ops.convert_to_numpy(keras)[0]).max())
    equal = sum(one == other for one, other in zip(found, expected, strict=True))
    return rate, max(differences), f"{equal} of {len(texts)} translations equal"


def row(name):
    """The row of one model."""
    model, texts = rnnzoo.load(name), None
    if not hasattr(model, "vocabulary"):
        corpus = corpora.load(zoo.index()[name].corpus)
        side = 1 if name == "gru_seq2seq_spa_eng" else 0  # from Spanish
        texts = [pair[side] for pair in (corpus.test or corpus.validation)[:SENTENCES]]
    cells = [name]
    with tempfile.TemporaryDirectory() as folder:
        for weights in ("float16", "int8"):
            path = Path(folder) / f"{name}_{weights}.html"
            model.export(path, weights=weights, verbose=False)
            if texts is None:
                rate, difference, text = language_model(model, path)
            else:
                rate, difference, text = translator(model, path, texts)
            cells += [f"{path.stat().st_size / 1e6:.2f}", f"{rate:.0f}", f"{difference:.1e}", text]
    return cells


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help="names of the zoo [all of them]")
    args = parser.parse_args()
    columns = ("MB", "tokens/s", "largest logit difference", "text")
    head = ["model", *columns, *(f"{column}, int8" for column in columns)]
    rows = []
    for name in args.models or zoo.index():
        rows.append(row(name))
        print(*rows[-1], sep=" | ", flush=True)
    if not args.models:
        _common.write_section("HTML page", _common.table(head, rows))


if __name__ == "__main__":
    main()
