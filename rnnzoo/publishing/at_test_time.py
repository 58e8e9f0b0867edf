"""What models reach that adapt to the text, or several together: never a card's figure."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnnzoo import zoo
from rnnzoo.data.corpus import echo
from rnnzoo.data.sequences import is_documents
from rnnzoo.errors import InputError, unknown_name
from rnnzoo.models import LanguageModel
from rnnzoo.publishing.evaluate import make_task, read_record
from rnnzoo.tasks.language_model import LanguageModelTask
from rnnzoo.test_time import dynamic_evaluation, mean_squared_gradients, token_nats
from rnnzoo.test_time.dynamic import DECAY, RATE

SEGMENTS = 300  # of the end of the training part, for what is estimated there


@dataclass(frozen=True)
class AtTestTime:
    """What a model reaches in another way than that of its card, beside what it reaches plainly.

    Attributes:
        now: Figures by name; the first is the one to quote, with `how`.
        plain: The figures of the models as they are, on the same text in the same order, by name.
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
    """Measures a language model that adapts to the text of its card's figure.

    Args:
        name_or_path: A name of the zoo, or the folder that a training left.
        adapt: `"dynamic"`: the weights go on learning (`rnnzoo.test_time.dynamic_evaluation`).
        data_dir: A folder that has the corpus.
        text_file: The text, for a model that was trained on one of its user's own.

    Returns:
        The `AtTestTime`.

    Raises:
        InputError: As `rnnzoo.publishing.evaluate.evaluate`, if the model is a translator, or there
            is no such way to adapt.

    Example:
        ```python
        from rnnzoo.publishing.at_test_time import evaluate_at_test_time

        print(evaluate_at_test_time("char_lstm_shakespeare", adapt="dynamic").now)
        ```
    """
    if adapt not in WAYS:
        raise unknown_name("way to adapt", adapt, WAYS)
    record = read_record(zoo.find(name_or_path).parent)
    model = zoo.load(name_or_path)
    if not isinstance(model, LanguageModel):
        raise InputError(
            f"{name_or_path} is a translator, and language models alone adapt to what they read; "
            "leave out --adapt."
        )
    split = "test" if "test" in record else "validation"
    task = make_task(record, model, split, data_dir=data_dir, text_file=text_file)
    echo(f"Measuring {name_or_path} on its {split} data; this may take many minutes.")
    train, held_out = task.parts
    sizes = _sizes(task)
    plain = token_nats(model, held_out, **sizes)
    nats, how = WAYS[adapt](model, train, held_out, sizes=sizes)
    rows = sizes["batch_size"]
    order = "in its own order" if rows == 1 else f"{rows} documents side by side"
    return AtTestTime(
        now=_figures(task, nats),
        plain={Path(name_or_path).name: _figures(task, plain)},
        how=f"{how}; read {order}, {sizes['sequence_length']} tokens at a time",
        split=split,
        data=task.split,
    )


def _sizes(task: LanguageModelTask) -> dict[str, int]:
    """A text is read in one row, so that what is adapted knows the text before alone."""
    recipe = task.recipe
    rows = 1
    if task.documents:
        rows = min(recipe.validation_batch_size or recipe.batch_size, len(task.parts[1]))
    return {"batch_size": rows, "sequence_length": recipe.sequence_length}


def _figures(task, nats):
    """The task's figures of the nats of each token."""
    figures = task.figures(float(nats.astype("float64").mean()))
    return figures | ({"tokens": len(nats)} if "tokens" in figures else {})


def _dynamic(model, train, held_out, *, sizes):
    end = last_tokens(train, SEGMENTS * sizes["batch_size"] * sizes["sequence_length"])
    squares = mean_squared_gradients(model, end, **sizes)
    nats = dynamic_evaluation(model, held_out, squares, **sizes)
    return nats, f"dynamic evaluation (rate {RATE:g}, decay {DECAY:g})"


def last_tokens(ids: np.ndarray | list, count: int) -> np.ndarray | list:
    """The end of a text, or the last documents that together have so many tokens or more."""
    if not is_documents(ids):
        return ids[-count:]
    lengths = np.cumsum([len(document) for document in reversed(ids)])
    return ids[-1 - int(np.searchsorted(lengths[:-1], count)) :]


WAYS: dict[str, Callable] = {"dynamic": _dynamic}
