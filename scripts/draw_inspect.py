"""Draws the pictures of docs/see_inside.md from real models.

    python scripts/draw_inspect.py

writes `docs/images/inside_*.png` in some ten minutes. It trains a SimpleRNN, a GRU and an LSTM on
tiny Shakespeare, `EPOCHS` each; the other models are published.
"""

import dataclasses
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import rnnzoo
from rnnzoo import plots
from rnnzoo.data import corpora
from rnnzoo.inspection import find_units, sensitivity
from rnnzoo.recipes.shakespeare import CHAR_LSTM_SHAKESPEARE
from rnnzoo.training.fit import fit_recipe

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
CELLS = {"SimpleRNN": "simple_rnn", "GRU": "gru", "LSTM": "lstm"}
EPOCHS = 1
LINE = "ROMEO:\nBut soft! what light through yonder window breaks?\n"
CONTEXT, POSITIONS = 100, range(200, 1400, 240)  # characters read, and which are predicted
STEPS, CLIPNORM, RATE = 200, 1.0, 1.0


def main() -> None:
    """Draws them all."""
    corpus = corpora.load("tiny_shakespeare")
    published_models()
    cells(corpus)
    gradients(corpus)


def published_models() -> None:
    """Draws what needs no training."""
    model = rnnzoo.load("char_lstm_shakespeare_small")
    record = rnnzoo.inspect(model, LINE)
    plots.plot_gates(record.layers[0], path("gates"), tokens=record.tokens)
    text = model.generate("ROMEO:", 4000, seed=1)
    best, *others = find_units(model, text, "line_position")
    print("Units that follow the position in the line:", best, *others[:2])
    plots.plot_gates(record.layers[best.layer], path("unit"), tokens=record.tokens, unit=best.unit)
    plots.plot_embeddings(model.embeddings(), path("embeddings"), labels=model.vocabulary.tokens)
    texts = {
        temperature: model.generate("ROMEO:", 250, temperature=temperature, seed=1)
        for temperature in (0.2, 0.5, 0.8, 1.0, 1.2, 1.5)
    }
    plots.plot_temperatures(texts, path("temperatures"))
    translator = rnnzoo.load("gru_seq2seq_numbers")
    record = rnnzoo.inspect(translator, "one two five")
    plots.plot_attention(
        record.attention[1:], path("attention"), source=record.source, target=record.tokens[1:]
    )


def cells(corpus: corpora.Corpus) -> None:
    """Trains a network of each cell; draws how far back they look, and their learning curves."""
    text, norms, logs = corpus.splits["train"][-20_000:], {}, {}  # of what validates
    with tempfile.TemporaryDirectory() as folder:
        for name, cell in CELLS.items():
            recipe = recipe_of(cell)
            nothing = {"options": {}, "changes": {}, "from_model": None}
            trained = fit_recipe(recipe, out=Path(folder, cell), overrides=nothing)
            keras.utils.set_random_seed(recipe.seed)
            untrained = rnnzoo.char_lstm(trained.model.vocabulary, **recipe.builder_options)
            logs[name] = trained.checkpoint.log
            norms[name] = {
                "untrained": sensitivities(untrained, text),
                "trained": sensitivities(trained.model, text),
            }
        plots.plot_learning_curves(logs, path("curves"))
    plots.plot_sensitivity(norms, path("sensitivity"))


def recipe_of(cell):
    """A small network of one recurrent layer."""
    return dataclasses.replace(
        CHAR_LSTM_SHAKESPEARE,
        name=f"inside_{cell}",
        builder_options={"units": 128, "num_layers": 1, "cell": cell},
        reset_probability=0.0,
        epochs=EPOCHS,
        dtype="float32",
        expected="",
    )


def sensitivities(model, text):
    """The sensitivity of predictions in several places to the characters before each."""
    return [sensitivity(model, text[place - CONTEXT : place + 1]) for place in POSITIONS]


def gradients(corpus: corpora.Corpus) -> None:
    """Trains a SimpleRNN with clipped gradients and with others; draws their norms."""
    vocabulary = rnnzoo.Vocabulary.from_text(corpus.splits["train"])
    ids = vocabulary.encode(corpus.splits["train"])
    norms = {}
    for name, clipnorm in (("without clipping", None), ("with clipping", CLIPNORM)):
        keras.utils.set_random_seed(0)
        model = rnnzoo.char_lstm(vocabulary, units=128, num_layers=1, cell="simple_rnn")
        optimizer = keras.optimizers.SGD(RATE, global_clipnorm=clipnorm)
        norms[name] = list(gradient_norms(model, optimizer, batches(ids)))
    plots.plot_gradient_norms(norms, path("gradient_norms"), clipnorm=CLIPNORM)


def batches(ids: np.ndarray, rows: int = 32, length: int = 64) -> Iterator[np.ndarray]:
    """Yields random windows, a character longer than what is read."""
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        starts = random.integers(0, len(ids) - length - 1, rows)
        yield np.stack([ids[start : start + length + 1] for start in starts])


def gradient_norms(
    model: rnnzoo.LanguageModel, optimizer: keras.Optimizer, windows: Iterable[np.ndarray]
) -> Iterator[float]:
    """Trains a model; yields the norm of each step's gradient before it is clipped."""
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(window):
        with tf.GradientTape() as tape:
            logits = model(window[:, :-1], training=True)
            nats = keras.losses.sparse_categorical_crossentropy(
                window[:, 1:], logits, from_logits=True
            )
            loss = tf.reduce_mean(nats)
        found = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(found, model.trainable_variables)
        return tf.linalg.global_norm(found)

    for window in windows:
        yield float(step(tf.constant(window)))


def path(name):
    """Where a picture lies."""
    return IMAGES / f"inside_{name}.png"


if __name__ == "__main__":
    main()
