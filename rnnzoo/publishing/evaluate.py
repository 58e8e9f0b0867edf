"""The figure of a card, made again from the data."""

import json
import math
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rnnzoo import zoo
from rnnzoo.data.corpus import Corpus, Splits, echo, split_sha256
from rnnzoo.errors import InputError
from rnnzoo.models.base import ZooModel
from rnnzoo.publishing.report import is_share
from rnnzoo.tasks import TASKS, Recipe, Task, recipe_class
from rnnzoo.tasks.own_text import folded
from rnnzoo.tasks.splits import load_corpus

RECORD_FILE = "metrics.json"
Figure = float | list[float] | dict[str, float]
DIGITS = 3  # that a figure made again has in common with the card's


@dataclass(frozen=True)
class Evaluation:
    """What a model reaches now, beside what its card says.

    Attributes:
        now: Figures by name; the first is the one the card quotes.
        card: The card's figures.
        split: `"validation"` or `"test"`.
        data: A sentence that says what the figures are of.
    """

    now: dict
    card: dict
    split: str
    data: str

    @property
    def different(self) -> list[str]:
        """The names of the figures that differ in three digits, or that one side lacks."""
        names = dict.fromkeys([*self.card, *self.now])
        return [
            name for name in names if not is_close(name, self.now.get(name), self.card.get(name))
        ]


def evaluate(
    name_or_path: str | os.PathLike,
    *,
    data_dir: str | os.PathLike | None = None,
    text_file: str | os.PathLike | None = None,
) -> Evaluation:
    """Measures a trained model again, with the code, data and split that its card's figure is of.

    Args:
        name_or_path: A name of the zoo, or the folder that a training left.
        data_dir: A folder that has the corpus.
        text_file: The text, for a model that was trained on one of its user's own.

    Returns:
        The `Evaluation`: of the test split where the card quotes one, else of the validation data.

    Raises:
        InputError: If the model has no `metrics.json` beside it, or its corpus is not found or is
            another one now.

    Example:
        ```python
        from rnnzoo.publishing.evaluate import evaluate

        assert not evaluate("char_lstm_shakespeare").different
        ```
    """
    record = read_record(zoo.find(name_or_path).parent)
    model = zoo.load(name_or_path)
    split = "test" if "test" in record else "validation"
    task = make_task(record, model, split, data_dir=data_dir, text_file=text_file)
    echo(f"Measuring {name_or_path} on its {split} data; this may take minutes.")
    return Evaluation(task.evaluate(model), figures_of(record, split), split, data=task.split)


def is_close(name: str, value: Figure | None, expected: Figure | None) -> bool:
    """Whether two figures, or two lists or dictionaries of them, are equal to three digits.

    A share of 100 % is compared as those just below it are, to a tenth of a per cent.

    Example:
        >>> is_close("perplexity", 1.4144, 1.4103), is_close("perplexity", 1.4204, 1.4103)
        (True, False)
        >>> is_close("symbols_right", 0.9951, 1.0), is_close("symbols_right", None, 1.0)
        (False, False)
    """
    if isinstance(value, list) and isinstance(expected, list):
        pairs = zip(value, expected, strict=False)
        return len(value) == len(expected) and all(is_close(name, *pair) for pair in pairs)
    if isinstance(value, dict) and isinstance(expected, dict):
        same = value.keys() == expected.keys()
        return same and all(is_close(name, value[key], expected[key]) for key in value)
    numbers = isinstance(value, int | float) and isinstance(expected, int | float)
    if not numbers or value == expected:
        return value == expected
    if not (math.isfinite(value) and math.isfinite(expected)):
        return False
    first_digit = math.floor(math.log10(max(abs(expected), abs(value))))
    if is_share(name):
        first_digit = min(first_digit, -1)
    return abs(value - expected) <= 0.5 * 10 ** (first_digit + 1 - DIGITS)


def read_record(folder: Path) -> dict:
    """Reads what a training noted of its model, the content of its metrics.json."""
    path = folder / RECORD_FILE
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if all(record[name] for name in ("recipe", "recipe_arguments", "figures", "corpus")):
            return record
        raise ValueError("It lacks what a training notes.")
    except FileNotFoundError:
        raise InputError(
            f"There is no {RECORD_FILE} beside the model in {folder}, which says what it reached "
            "on which data; give the folder that a training left, or a name of the zoo."
        ) from None
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{path} is damaged; restore it, or train the model again.") from None


def figures_of(record: dict[str, Any], split: str) -> dict:
    """The card's figures of a split."""
    return record["test"]["figures"] if split == "test" else record["figures"]


def make_task(
    record: dict[str, Any],
    model: ZooModel,
    split: str = "validation",
    *,
    data_dir: str | os.PathLike | None = None,
    text_file: str | os.PathLike | None = None,
) -> Task:
    """Makes the task that a model was trained on again, to measure it.

    The test split is measured as the validation split is: it takes its place.

    Args:
        record: The content of metrics.json.
        model: The model, whose vocabulary is used.
        split: `"validation"` or `"test"`.
        data_dir: A folder that has the corpus.
        text_file: The text, for a model that was trained on one of its user's own.

    Returns:
        The task, one of `rnnzoo.tasks`.

    Raises:
        InputError: If the corpus or its test split is not found, or is another one than noted.
    """
    recipe = _recipe(record["recipe_arguments"])
    corpus = load_corpus(recipe, data_dir=data_dir, text_file=text_file)
    noted, sha256 = record["corpus"], corpus.sha256
    if sha256 != noted["sha256"]:
        raise InputError(
            f"The figures on the card of {record['recipe']} are of another text: {noted['name']} "
            f"with the SHA-256 {noted['sha256'][:12]}..., and {corpus.name} here has "
            f"{sha256[:12]}...; give that one by --data-dir, or by --text-file if it is a text of "
            "your own."
        )
    overrides = record.get("training", {}).get("overrides") or {}
    if overrides.get("fold_lookalikes"):
        corpus = folded(corpus, TASKS[recipe.task].vocabularies_of(model), recipe)
    if split == "test":
        recipe, corpus = with_test_as_validation(recipe, corpus)
        _check_test(record, corpus)
    task = TASKS[recipe.task](recipe, corpus, seed=recipe.seed, model=model)
    if split == "test":
        task.split = task.split.replace("validation split", "test split")
    return task


def with_test_as_validation(recipe: Recipe, corpus: Corpus) -> tuple[Recipe, Corpus]:
    """Puts the whole test split of a corpus in the place of the validation split.

    Args:
        recipe: The recipe.
        corpus: Its corpus.

    Returns:
        Both, changed.

    Raises:
        InputError: If the corpus has no test split.
    """
    if "test" not in corpus.splits:
        raise InputError(
            f"The figure is of the test split of {corpus.name}, which was not found with the "
            "rest; give a folder that has it by --data-dir."
        )
    parts = {"train": corpus.splits["train"], "validation": corpus.splits["test"]}
    splits = Splits({name: lambda part=part: part for name, part in parts.items()})
    return replace(recipe, validation_limit=None), replace(corpus, splits=splits)


def _check_test(record, corpus):
    """Refuses another test split than the card's, which `Corpus.sha256` does not tell."""
    noted = record.get("test", {}).get("sha256")  # older cards have none
    if noted is None:
        return
    found = split_sha256("test", corpus.validation)
    if noted != found:
        raise InputError(
            f"The figures on the card of {record['recipe']} are of another test split: that of "
            f"{corpus.name} with the SHA-256 {noted[:12]}..., and the one here has {found[:12]}"
            "...; give that one by --data-dir."
        )


def _recipe(arguments):
    """The recipe that was noted: JSON has lists where a recipe has tuples."""
    known = {field.name for field in fields(recipe_class(arguments["task"]))}
    of_others = {field.name for task in TASKS for field in fields(recipe_class(task))} - known
    unknown = set(arguments) - known - of_others  # older code noted all options of all tasks
    if unknown:
        raise InputError(
            f"The recipe of this model has an argument {min(unknown)!r}, which this rnnzoo does "
            "not know; use the version that its card names."
        )
    return Recipe(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in arguments.items()
            if name in known
        }
    )
