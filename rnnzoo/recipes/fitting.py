"""A recipe that fits a text of one's own, and why."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnnzoo.data import corpora
from rnnzoo.data.corpus import Corpus
from rnnzoo.errors import InputError, unknown_name
from rnnzoo.recipes.registry import get
from rnnzoo.tasks import LanguageModelRecipe
from rnnzoo.tasks.recipe import SIZES, check_above_zero

# Up to so many characters; how large a model is, and how much is dropped: a short text is soon
# known by heart. The second of characters is that of `char_lstm_alice` (0.15 million characters),
# the third that of `char_lstm_shakespeare` (1.1 million).
OF_CHARACTERS = (
    (50_000, {"units": 128, "num_layers": 1, "dropout": 0.5}),
    (500_000, {"units": 256, "num_layers": 2, "dropout": 0.5}),
    (5_000_000, {"units": 512, "num_layers": 2, "dropout": 0.4, "weight_drop": 0.2}),
    (float("inf"), {"units": 512, "num_layers": 2, "dropout": 0.1}),
)
# The last is that of `imdb_lm` (30 million characters).
OF_WORDS = (
    (500_000, {"units": 128, "embedding_dim": 128, "dropout": 0.5}),
    (5_000_000, {"units": 256, "embedding_dim": 128, "dropout": 0.4}),
    (float("inf"), {"units": 512, "embedding_dim": 256, "dropout": 0.1}),
)
# Of a text of characters that is as long as tiny Shakespeare or longer, in trainings from so many
# minutes on and below `SHORT`: what was ahead after 1, 3 and 10 minutes on two slow cores, which
# `benchmarks/equal_time.py` compares with nanoGPT (RESULTS.md, "Equal time").
OF_MINUTES = {
    0: {
        "builder_options": {"units": 128, "num_layers": 3, "cell": "min_gru", "block": "residual"},
        "batch_size": 16,
        "sequence_length": 64,
        "learning_rate": 6e-3,
        "warmup_steps": 50,
        "reset_probability": 0.5,
    },
    3: {
        "builder_options": {"units": 160, "num_layers": 2, "block": "residual", "dropout": 0.05},
        "batch_size": 16,
        "sequence_length": 64,
        "learning_rate": 6e-3,
        "warmup_steps": 50,
        "reset_probability": 0.1,
    },
    10: {
        "builder_options": {"units": 192, "num_layers": 2, "block": "residual", "dropout": 0.1},
        "batch_size": 16,
        "sequence_length": 64,
        "learning_rate": 2e-3,
        "reset_probability": 0.5,
    },
}
SHORT, LONG_TEXT = 15, 500_000  # minutes, characters
# Characters of training, epochs together: `char_lstm_shakespeare` reads 20 million, in 39 minutes
# on one core, `imdb_lm` 100 million, in 11 minutes on two.
READ = {"character": 20_000_000, "word": 100_000_000, "subword": 50_000_000}
MOST_EPOCHS, PATIENCE = 60, 5
ROWS = ((100_000, 8), (500_000, 16), (float("inf"), 32))  # of a batch: a short text has few
TYPICAL_LENGTH = {"word": 6, "subword": 4}  # characters of a token with the space before it
OCCURRENCES = 20  # of a token in the text, on average, by which it is learnt


def fitting_recipe(
    text_file: str | os.PathLike, *, level: str = "character", max_minutes: float | None = None
) -> tuple[LanguageModelRecipe, str]:
    """Makes a recipe of a language model that fits the size of a text, and the time there is.

    Args:
        text_file: A text file, a folder of `.txt` files or a `.jsonl` file with a field "text".
        level: Its tokens: `"character"`, `"subword"` or `"word"`.
        max_minutes: How many minutes the training may take; `None` for as long as its epochs take.

    Returns:
        A variant of `char_lstm_shakespeare` or `imdb_lm`, and sentences that say what was chosen
        and why.

    Raises:
        InputError: If the text cannot be read or holds pairs, there is no such level, or
            `max_minutes` is not above 0.

    Example:
        >>> from rnnzoo.recipes.fitting import fitting_recipe
        >>> with open("novel.txt", "w") as file:
        ...     _ = file.write("It was the best of times. " * 1000)
        >>> recipe, why = fitting_recipe("novel.txt")
        >>> recipe.builder_options["units"]
        128
    """
    if level not in SIZES:
        raise unknown_name("level", level, SIZES)
    if max_minutes is not None:
        check_above_zero("max_minutes", max_minutes)
    corpus = corpora.load(Path(text_file))
    if corpus.kind == "pairs":
        raise InputError(
            f"{text_file} holds pairs, of which a translator is trained; name its recipe, such as "
            "`rnnzoo train gru_seq2seq_spa_eng --text-file ...`."
        )
    length = count_characters(corpus)
    recipe, name = _recipe(length, level), Path(text_file).name
    short = max_minutes is not None and max_minutes < SHORT
    if level == "character" and length > LONG_TEXT and short:
        recipe = replace(recipe, **in_minutes(max_minutes))
        return recipe, _reasons_of_minutes(recipe, length, max_minutes, name=name)
    return recipe, _reasons(recipe, length, level, name=name)


def in_minutes(minutes: float) -> dict[str, Any]:
    """What a recipe of characters has instead, where it has so few minutes; see `OF_MINUTES`."""
    return OF_MINUTES[max(least for least in OF_MINUTES if least <= minutes)]


def count_characters(corpus: Corpus) -> int:
    """The number of characters of a text, or of all documents."""
    parts = corpus.chunks() if corpus.kind == "text" else corpus.documents
    return sum(map(len, parts))


def _recipe(length, level):
    """The recipe for a text of so many characters."""
    options = _first(OF_CHARACTERS if level == "character" else OF_WORDS, length)
    base = get("char_lstm_shakespeare" if level == "character" else "imdb_lm")
    epochs = max(1, min(MOST_EPOCHS, round(READ[level] / max(1, length))))
    rows = _first(ROWS, length)
    tokens = length // TYPICAL_LENGTH.get(level, 1)
    batches = epochs * tokens // (rows * base.sequence_length)
    vocabulary = {}
    if level != "character":
        size = min(SIZES[level], max(200, tokens // OCCURRENCES))
        vocabulary = {"level": level, "size": size}
    return replace(
        base,
        vocabulary=vocabulary,
        builder_options=dict(options),
        batch_size=rows,
        warmup_steps=max(10, min(base.warmup_steps, batches // 20)),
        validation_batch_size=None if length < 500_000 else base.validation_batch_size,
        epochs=epochs,
        patience=PATIENCE if epochs > 2 * PATIENCE else None,
        max_minutes=None,
        sample_every_batches=500,
        prompts=(),
        expected="",
        limits="",
        ngram_orders=(),
    )


def _first(table, length):
    return next(value for limit, value in table if length <= limit)


def _reasons(recipe, length, level, name):
    """Says what was chosen, and why."""
    options = recipe.builder_options
    kind = {"character": "characters", "word": "words", "subword": "subwords"}[level]
    known = "" if level == "character" else f", the {recipe.vocabulary['size']:,} most frequent"
    epochs = recipe.epochs
    if epochs > 2 * PATIENCE:
        passes, ends = f"{epochs} times", f", and stops after {PATIENCE} that bring nothing"
    else:
        passes, ends = "once" if epochs == 1 else f"{epochs} times", ""
    if options["dropout"] >= 0.3:
        dropout = f"high, since a text that is read up to {passes} is soon known by heart"
    else:
        dropout = f"low, since a text of this size that is read {passes} is not learnt by heart"
    return (
        f"{name} has {length:,} characters. The model reads {kind}{known}. It has "
        f"{_size(options)}: more would need more text, fewer would learn less of it. Dropout is "
        f"{options['dropout']}, {dropout}. It trains for at most {epochs} "
        f"epoch{'s' if epochs > 1 else ''}, which read {epochs * length / 1e6:,.1f} million "
        f"characters{ends}. --units, --layers, --dropout, --epochs and --level change this."
    )


def _reasons_of_minutes(recipe, length, minutes, name):
    """Says what was chosen for a few minutes, and why."""
    options = recipe.builder_options
    return (
        f"{name} has {length:,} characters, and there are {minutes:g} minutes. A large model would "
        "hardly begin to learn in them; a small one of residual blocks, in batches of "
        f"{recipe.batch_size}, reads the text several times. It has {_size(options)} "
        f"({options.get('cell', 'lstm')}). Dropout is {options.get('dropout', 0)}: there is hardly "
        f"time to learn the text by heart. {SHORT} minutes or more get a larger model; --units, "
        "--layers, --dropout and --level change this one."
    )


def _size(options):
    layers = options.get("num_layers", 1)
    return f"{layers} layer{'s' if layers > 1 else ''} of {options['units']} units"
