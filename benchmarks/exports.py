"""Published models as SavedModels, ONNX and LiteRT networks: size, speed, and what int8 costs.

    python benchmarks/exports.py                                # three models, some minutes
    python benchmarks/exports.py char_lstm_shakespeare_small

Needs `pip install onnx onnxruntime ai-edge-litert`. Everything is one row, on one thread. The speed
is that of greedy search, 500 characters of a language model, 50 translations of a translator, in
characters for a second of processor time: other work on the machine changes it little. The loss is
in nats for each character, of the first 10,000 of the validation text read as one, or for each
token of the 50 translations that the corpus (its test part) has of these sources. The largest
difference of logits is that from Keras's, along 500 characters or the first 10 pairs. Corpora are
found in `RNNZOO_DATA_DIR` (`../shared/data` beside the checkout where it is not set). The rows
become a section of RESULTS.md.
"""

import argparse
import importlib.util
import tempfile
import time
from pathlib import Path

import _common
import _processes  # noqa: F401 (names the folder of the real corpora)
import numpy as np
import onnxruntime
import tensorflow as tf
from keras import ops

import rnnzoo
from rnnzoo import zoo
from rnnzoo.data import corpora

MODELS = ("char_lstm_shakespeare", "char_lstm_shakespeare_small", "gru_seq2seq_spa_eng")
CHARACTERS, PAIRS, PROMPT = 10_000, 50, "ROMEO:"
HEAD = (
    "model", "format", "MB", "characters/s", "largest logit difference", "loss", "greedy texts",
)  # fmt: skip


class Export:
    """The networks of an exported folder, one row on one thread."""

    def __init__(self, folder):
        spec = importlib.util.spec_from_file_location("network", folder / "network.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        networks = [path for path in folder.iterdir() if path.suffix in (".onnx", ".tflite")]
        self.megabytes = sum(path.stat().st_size for path in networks) / 1e6
        self.networks = {path.stem: module.Network(path.stem) for path in networks}
        for path in networks:
            if path.suffix == ".onnx":
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                session = onnxruntime.InferenceSession(str(path), options)
                self.networks[path.stem].session = session

    def start(self, source=None, shapes=()):
        """Forgets all; reads a source, or begins with zeros."""
        self.memory = {}
        self.state = {
            f"state_{i}": np.zeros((1, *shape), "float32") for i, shape in enumerate(shapes)
        }
        if source is not None:
            read = self.networks["encoder"](source=np.array([source], "int32"))
            self.state = {name: each for name, each in read.items() if name.startswith("state_")}
            self.memory = {name: each for name, each in read.items() if name not in self.state}

    def step(self, token):
        """Reads a token; returns the logits of the next."""
        result = self.networks["step"](
            token=np.array([token], "int32"), **self.state, **self.memory
        )
        self.state = {name: result[f"new_{name}"] for name in self.state}
        return result["logits"][0]

    def greedy(self, token, rules, most):
        """The tokens after one, up to the end token or so many."""
        tokens = []
        while len(tokens) < most:
            logits = self.step(token).copy()
            logits[list(rules.suppressed_ids)] = -np.inf
            token = int(np.argmax(logits))
            if token == rules.end_id:
                break
            tokens.append(token)
        return tokens


def nats(logits, token):
    """The negative log-probability of a token."""
    top = logits.max()
    return top + np.log(np.exp(np.float64(logits) - top).sum()) - logits[token]


def timed(function):
    """What a function returns, and the processor time that it took."""
    began = time.process_time()
    result = function()
    return result, time.process_time() - began


class Writer:
    """What is measured of a language model."""

    def __init__(self, name):
        self.model = rnnzoo.load(name)
        corpus = corpora.load(zoo.index()[name].corpus)
        start = int(0.9 * len(corpus.text))  # of the validation text
        text = corpus.text[start : start + CHARACTERS]
        self.ids = self.model.vocabulary.encode(text).tolist()
        self.prompt = self.model.vocabulary.encode(PROMPT).tolist()
        self.shapes = self.model.recurrent.state_shapes
        self.keras = ops.convert_to_numpy(self.model(np.array([self.ids[:500]])))[0]
        self.ours()  # compiles

    def ours(self):
        """Greedy texts of rnnzoo itself, and the processor time."""
        (text, seconds) = timed(lambda: self.model.generate(PROMPT, 500, sampler="greedy"))
        return [text], seconds

    def exported(self, export):
        """The same of an export."""
        rules = self.model.decodable().rules

        def run():
            export.start(shapes=self.shapes)
            for token in self.prompt[:-1]:
                export.step(token)
            return export.greedy(self.prompt[-1], rules, most=500)

        tokens, seconds = timed(run)
        return [self.model.vocabulary.decode(tokens)], seconds

    def served(self, saved_model):
        """The same of a SavedModel."""
        return timed(
            lambda: saved_model.generate([PROMPT], max_new_tokens=500, temperature=0.0, seed=0)
        )

    def compared(self, export):
        """The largest difference of logits, and the loss."""
        export.start(shapes=self.shapes)
        difference, losses = 0.0, []
        for place, (token, label) in enumerate(zip(self.ids, self.ids[1:], strict=False)):
            logits = export.step(token)
            losses.append(nats(logits, label))
            if place < len(self.keras):
                difference = max(difference, np.abs(logits - self.keras[place]).max())
        return difference, np.mean(losses)


class Translator:
    """What is measured of a translator."""

    def __init__(self, name):
        self.model = rnnzoo.load(name)
        corpus = corpora.load(zoo.index()[name].corpus)
        side = 1 if name == "gru_seq2seq_spa_eng" else 0  # from Spanish
        pairs = (corpus.test or corpus.validation)[:PAIRS]
        self.texts = [pair[side] for pair in pairs]
        source, target = self.model.source_vocabulary, self.model.target_vocabulary
        self.sources = [[*source.encode(text).tolist(), source.end_id] for text in self.texts]
        self.targets = [
            [target.start_id, *target.encode(pair[1 - side]).tolist(), target.end_id]
            for pair in pairs
        ]
        self.ours()  # compiles for every length

    def ours(self):
        """Translations of rnnzoo itself, and the processor time."""
        return timed(lambda: [self.model.translate(text) for text in self.texts])

    def exported(self, export):
        """The same of an export."""
        rules, vocabulary = self.model.decodable().rules, self.model.target_vocabulary

        def run():
            for ids in self.sources:
                export.start(ids)
                yield vocabulary.decode(
                    export.greedy(rules.start_id, rules, most=2 * len(ids) + 10)
                )

        return timed(lambda: list(run()))

    def served(self, saved_model):
        """The same of a SavedModel."""
        return timed(lambda: tf.concat([saved_model.translate([text]) for text in self.texts], 0))

    def compared(self, export):
        """The largest difference of logits, and the loss."""
        difference, losses = 0.0, []
        for place, (source, target) in enumerate(zip(self.sources, self.targets, strict=True)):
            export.start(source)
            logits = np.array([export.step(token) for token in target[:-1]])
            losses += [nats(each, label) for each, label in zip(logits, target[1:], strict=True)]
            if place < 10:
                pair = {"source": np.array([source]), "target": np.array([target[:-1]])}
                keras = ops.convert_to_numpy(self.model(pair))[0]
                difference = max(difference, np.abs(logits - keras).max())
        return difference, np.mean(losses)


def rows(name):
    """The rows of one model."""
    measured = (Translator if "seq2seq" in name else Writer)(name)
    expected, seconds = measured.ours()
    size = zoo.find(name).stat().st_size / 1e6
    rate = sum(map(len, expected)) / seconds
    yield name, "rnnzoo (float16 file)", f"{size:.2f}", f"{rate:,.0f}", "", "", ""
    with tempfile.TemporaryDirectory() as folder:
        measured.model.export(folder + "/model", verbose=False)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
        saved_model = tf.saved_model.load(folder + "/model")
        measured.served(saved_model)  # warms up
        texts, seconds = measured.served(saved_model)
    texts = [text.decode() for text in texts.numpy()]
    rate = f"{sum(map(len, texts)) / seconds:,.0f}"
    yield name, "SavedModel", f"{size:.2f}", rate, "", "", alike(texts, expected)
    for format in ("onnx", "litert"):
        for weights in ("float32", "int8"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / name
                measured.model.export(path, format=format, weights=weights, verbose=False)
                export = Export(path)
                measured.exported(export)  # warms up
                texts, seconds = measured.exported(export)
                difference, loss = measured.compared(export)
            yield (
                name, f"{format}, {weights}", f"{export.megabytes:.2f}",
                f"{sum(map(len, texts)) / seconds:,.0f}", f"{difference:.1e}", f"{loss:.4f}",
                alike(texts, expected),
            )  # fmt: skip


def alike(texts, expected):
    """How many texts are equal, or of a single one how many characters."""
    if len(texts) > 1:
        equal = sum(one == other for one, other in zip(texts, expected, strict=True))
        return f"{equal} of {len(texts)} equal"
    pairs = zip(texts[0], expected[0], strict=False)
    first = next((place for place, (a, b) in enumerate(pairs) if a != b), len(expected[0]))
    return f"{first} of {len(expected[0])} characters equal"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", help=f"names of the zoo [{', '.join(MODELS)}]")
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    found = []
    for name in args.models or MODELS:
        for row in rows(name):
            print(*row, sep=" | ", flush=True)
            found.append(row)
    if not args.models:
        _common.write_section("ONNX and LiteRT", _common.table(HEAD, found))


if __name__ == "__main__":
    main()
