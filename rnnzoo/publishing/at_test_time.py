"""What models reach that adapt to the text, or several together: never a card's figure."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnzoo import zoo
from rnnzoo.data.corpus import echo
from rnnzoo.data.sequences import is_documents
from rnnzoo.errors import InputError, unknown_name
from rnnzoo.models import LanguageModel
from rnnzoo.publishing.evaluate import make_task, read_record
from rnnzoo.test_time import (
    check_equal_vocabularies,
    dynamic_evaluation,
    mean_squared_gradients,
    mix,
    neural_cache,
    token_nats,
)
from rnnzoo.test_time.cache import SHARE, SIZE, THETA
from rnnzoo.test_time.dynamic import DECAY, RATE

SEGMENTS = 120  # of the end of the training part, of which the size of gradients is estimated


@dataclass(frozen=True)
class AtTestTime:
    """What models reach in another way than that of their cards, beside what they reach plainly.

    Attributes:
        now: Figures by name; the first is the one to quote, with `how`.
        plain: The figures of each model as it is, on the same text in the same rows, by its name.
        how: What was done, in a sentence.
        split: `"validation"` or `"test"`.
        data: A sentence that says what the figures are of.
    """

    now: dict
    plain: dict
    how: str
    split: str
    data: str


def evaluate_at_test_time(
    name_or_path: str | os.PathLike,
    *,
    adapt: str | None = None,
    data_dir: str | os.PathLike | None = None,
    text_file: str | os.PathLike | None = None,
) -> AtTestTime:
    """Measures language models that adapt, or several together, on the text of their cards.

    Args:
        name_or_path: A name of the zoo, or the folder that a training left; or several with `+`
            between them, whose probabilities are averaged.
        adapt: `"dynamic"`: the weights go on learning (`rnnzoo.test_time.dynamic_evaluation`);
            `"cache"`: `rnnzoo.test_time.neural_cache`. `None` is for several models as they are.
        data_dir: A folder that has the corpus.
        text_file: The text, for models that were trained on one of their user's own.

    Returns:
        The `AtTestTime`.

    Raises:
        InputError: As `rnnzoo.publishing.evaluate.evaluate`; if a model is a translator, there is
            no such way to adapt, or several models have other vocabularies or other data.

    Example:
        ```python
        from rnnzoo.publishing.at_test_time import evaluate_at_test_time

        print(evaluate_at_test_time("char_lstm_shakespeare", adapt="dynamic").now)
        ```
    """
    if adapt is not None and adapt not in WAYS:
        raise unknown_name("way to adapt", adapt, WAYS)
    names = names_of(name_or_path)
    records = [read_record(zoo.find(name).parent) for name in names]
    _check_same_data(names, records)
    models = [zoo.load(name) for name in names]
    for name, model in zip(names, models, strict=True):
        if not isinstance(model, LanguageModel):
            raise InputError(
                f"{name} is a {type(model).__name__}; --adapt and A+B are for language models."
            )
    check_equal_vocabularies(models)
    split = "test" if "test" in records[0] else "validation"
    task = make_task(records[0], models[0], split, data_dir=data_dir, text_file=text_file)
    echo(f"Measuring {name_or_path} on its {split} data; this may take many minutes.")
    train, held_out = task.parts
    # A model that adapts reads a text in one row, so that it knows the text before alone.
    rows = task.recipe.validation_batch_size or task.recipe.batch_size
    rows = min(rows, len(held_out)) if task.documents else 1 if adapt else rows
    sizes = {"batch_size": rows, "sequence_length": task.recipe.sequence_length}
    plain = [token_nats(model, held_out, **sizes) for model in models]
    nats, hows = plain, ["the models as they are"]
    if adapt:
        found = [WAYS[adapt](model, train, held_out, sizes=sizes) for model in models]
        nats, hows = zip(*found, strict=True)
    together = [f"the mean of the probabilities of {' and '.join(map(str, names))}"]
    return AtTestTime(
        now=_figures(task, mix(nats)),
        plain={str(name): _figures(task, each) for name, each in zip(names, plain, strict=True)},
        how="; ".join(together * (len(names) > 1) + [hows[0], f"read in rows of {rows}"]),
        split=split,
        data=task.split,
    )


def names_of(name_or_path: str | os.PathLike) -> list[str | os.PathLike]:
    """The names of one model, or of several with `+` between them; a path that exists is one.

    Example:
        >>> names_of("char_lstm_shakespeare+char_lstm_shakespeare_small")
        ['char_lstm_shakespeare', 'char_lstm_shakespeare_small']
    """
    return [name_or_path] if Path(name_or_path).exists() else str(name_or_path).split("+")


def _check_same_data(names, records):
    """Refuses models that were measured on other data, or trained on what is measured."""

    def data(record: dict[str, Any]) -> tuple:
        arguments = record["recipe_arguments"]
        options = arguments.get("corpus_options"), arguments.get("validation_split")
        return record["corpus"]["sha256"], "test" in record, *map(str, options)

    for name, record in zip(names[1:], records[1:], strict=True):
        if data(record) != data(records[0]):
            raise InputError(
                f"{names[0]} and {name} were not trained and measured on the same parts of the "
                "same corpus; give models whose cards name the same data."
            )


def _figures(task, nats):
    """The task's figures of the nats of each token."""
    figures = task.figures(float(nats.astype("float64").mean()))
    return figures | ({"tokens": len(nats)} if "tokens" in figures else {})


def _dynamic(model, train, held_out, *, sizes):
    end = last_tokens(train, SEGMENTS * sizes["batch_size"] * sizes["sequence_length"] + 1)
    squares = mean_squared_gradients(model, end, **sizes)
    nats = dynamic_evaluation(model, held_out, squares, **sizes)
    return nats, f"dynamic evaluation (rate {RATE:g}, decay {DECAY:g})"


def _cache(model, train, held_out, *, sizes):
    nats = neural_cache(model, held_out, **sizes)
    return nats, f"neural cache ({SIZE} tokens, share {SHARE:g}, theta {THETA:g})"


def last_tokens(ids: np.ndarray | list, count: int) -> np.ndarray | list:
    """The end of a text, or the last documents that together have so many tokens or more.

    Example:
        >>> [len(document) for document in last_tokens([[1] * 5, [1] * 3, [1] * 4], 6)]
        [3, 4]
    """
    if not is_documents(ids):
        return ids[-count:]
    lengths = np.cumsum([len(document) for document in reversed(ids)])
    return ids[-1 - int(np.searchsorted(lengths[:-1], count)) :]


WAYS: dict[str, Callable] = {"cache": _cache, "dynamic": _dynamic}
