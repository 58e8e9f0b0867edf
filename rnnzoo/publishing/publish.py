"""From the folder that a training left to a model of the zoo."""

import contextlib
import hashlib
import json
import os
import re
import shutil
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path

from rnnzoo import recipes, zoo
from rnnzoo.data import corpora
from rnnzoo.data.corpus import split_sha256
from rnnzoo.errors import InputError
from rnnzoo.files import write_atomically
from rnnzoo.publishing.artifact import SAMPLE_SEEDS
from rnnzoo.publishing.card import card
from rnnzoo.publishing.evaluate import RECORD_FILE, figures_of, is_close, make_task, read_record
from rnnzoo.publishing.half_precision import to_half_precision
from rnnzoo.tasks import recipe_class

MOST_BYTES = 50e6  # of all published models together that the wheel holds
NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
IGNORED = """\
# Written by scripts/publish_model.py: what is published is kept, everything else ignored.
/*
!/.gitignore
!/README.md
!/index.json
"""


def publish_model(
    folder: str | os.PathLike,
    name: str,
    *,
    data_dir: str | os.PathLike | None = None,
    text_file: str | os.PathLike | None = None,
    saved_model: bool = False,
    overwrite: bool = False,
) -> Path:
    """Puts a trained model into the zoo, with half-precision weights and figures of these.

    The model of the folder is measured once more, in float32 and with the weights rounded to half
    precision; the card gets the figures of the rounded model and what the rounding costs. Where
    the corpus has a test split, the rounded model is measured on it once, and that is the figure
    the card and the index quote. The folder itself stays as it is.

    Args:
        folder: The folder that `train` left.
        name: The name in the zoo, of lower-case letters, digits and underscores.
        data_dir: A folder that has the corpus.
        text_file: The text, for a model that was trained on one of its user's own.
        saved_model: Whether to add a SavedModel, which holds float32 weights.
        overwrite: Whether to replace a model that has the name already.

    Returns:
        The folder of the published model.

    Raises:
        InputError: If the name is not fit, a file is missing, the model no longer reaches what its
            card says, its recipe is another one by now, or its weights are beyond half precision.

    Example:
        ```python
        publish_model("trained/char_lstm_shakespeare", "char_lstm_shakespeare")
        ```
    """
    folder, target = Path(folder), zoo.folder() / name
    if not NAME.fullmatch(name):
        raise InputError(
            f"The name {name!r} is not fit for the zoo; give one of lower-case letters, digits and "
            "underscores."
        )
    if target.exists() and folder.resolve() == target.resolve():
        raise InputError(
            f"{folder} is where the published model goes; move the trained one elsewhere first, so "
            "that its float32 weights are kept."
        )
    if os.path.lexists(target) and not overwrite:
        raise InputError(
            f"{name!r} is published already in {zoo.folder()}; give another name, or --overwrite "
            "(in Python `overwrite=True`) to replace it."
        )
    zoo.check_in_checkout()
    curve = folder / "curve.png"
    if not curve.is_file():
        raise InputError(f"There is no {curve}; give the folder that a training left.")
    record, model = read_record(folder), zoo.load(folder)
    _check_recipe(record)
    zoo.index()  # a damaged one is told before the work
    given = {"data_dir": data_dir, "text_file": text_file}
    task = make_task(record, model, **given)
    before = task.evaluate(model)
    quoted = next(iter(before))
    if not is_close(quoted, before[quoted], record["figures"].get(quoted)):
        raise InputError(
            f"{folder} has {quoted.replace('_', ' ')} {before[quoted]:.4f} here, but its card says "
            f"{record['figures'].get(quoted)}; train it again, or find out why."
        )
    with _new_folder(target) as new:
        to_half_precision(folder / zoo.MODEL_FILE, new / zoo.MODEL_FILE)
        _check_size(target, new, record)
        model = zoo.load(new)
        record |= {"name": name, "figures": task.evaluate(model), "split": task.split}
        _use_the_words_of_today(record)
        _forget_the_folder(record)
        perplexities = [figure for figure in before if figure.startswith("perplexity")]
        record["half_precision"] = {
            figure: [before[figure], record["figures"][figure]]
            for figure in (quoted, *perplexities)
        }
        if "test" in task.corpus.splits:
            test = make_task(record, model, "test", **given)
            record["test"] = {
                "figures": test.evaluate(model),
                "baselines": test.baselines(),
                "split": test.split,
                "sha256": split_sha256("test", task.corpus.splits["test"]),
            }
            record["corpus"]["notes"] = test.corpus.notes  # what was found in the test split, too
        record["samples"] = [task.sample(model, seed) for seed in SAMPLE_SEEDS]
        write_atomically(new / RECORD_FILE, _json(record))
        write_atomically(new / "card.md", card(record))
        shutil.copyfile(curve, new / "curve.png")
        if saved_model:
            model.export(new / "saved_model", verbose=False)
        _check_size(target, new, record)
        entry = _entry(record, model, new)
        _replace(target, new, lambda: _write_index(zoo.index() | {name: entry}))
    return target


def rewrite_cards() -> None:
    """Writes the cards of all published models anew, in the words that recipe and card have now.

    Figures and samples stay as they are. The index then says of each model what its card says:
    whether it may be in the wheel. Run it after a change of words or terms.

    Raises:
        InputError: If a model's recipe is another one by now; nothing is written then.
    """
    written, models = {}, zoo.index()
    for name, model in models.items():
        record = read_record(zoo.folder() / name)
        _check_recipe(record)
        _use_the_words_of_today(record)
        written[zoo.folder() / name / RECORD_FILE] = _json(record)
        written[zoo.folder() / name / "card.md"] = card(record)
        models[name] = replace(model, in_wheel=corpora.about(model.corpus).redistributable)
    for path, text in written.items():
        write_atomically(path, text)
    _write_index(models)


def _use_the_words_of_today(record):
    recipe = recipes.get(record["recipe"])
    if record["corpus"]["name"] != recipe.corpus:
        return  # the words of a text of one's own are its own
    words = {name: getattr(recipe, name) for name in ("description", "expected", "limits")}
    record["description"] = recipe.description
    record["recipe_arguments"] |= words


def _forget_the_folder(record):
    """Names a folder of the checkout in the command: that of the training may be anywhere."""
    training = record["training"]
    for part in (training, *training.get("segments", ())):
        overrides = part.get("overrides")
        if overrides and overrides.get("out"):
            overrides["out"] = f"trained/{record['name']}"


def _check_size(target, new, record):
    """Refuses a model that would make the wheel too large, before anything is replaced."""
    if not corpora.about(record["corpus"]["name"]).redistributable:
        return
    others = [model for name, model in zoo.index().items() if name != target.name]
    kept = [zoo.folder() / model.name for model in others if model.in_wheel]
    files = [zoo.folder() / zoo.INDEX_FILE]
    files += [file for folder in (*kept, new) for file in folder.rglob("*")]
    size = sum(file.stat().st_size for file in files if file.is_file())
    if size > MOST_BYTES:
        raise InputError(
            f"With {target.name} the models in the wheel would have {size:,} bytes, of the "
            f"{MOST_BYTES:,.0f} that they may have; train a smaller one, or take another one out "
            "of saved_models/ and its index first."
        )


def _check_recipe(record):
    """Refuses a model that the command on its card would not make again."""
    registered, training = recipes.get(record["recipe"]), record["training"]
    last = (training.get("segments") or [{}])[-1]
    overrides = last.get("overrides") or training.get("overrides")
    noted = record["recipe_arguments"]
    # Older code noted no overrides: then these may have been any.
    options = {name: noted.get(name) for name in ("epochs", "max_minutes", "seed")}
    now = registered.with_options(overrides["options"] if overrides else options).as_json()
    defaults = {
        field.name: _default(field) for field in fields(recipe_class(noted["task"]))
    }  # older code noted fewer
    for name in sorted(now.keys() - registered.own_words):
        if noted.get(name, defaults[name]) != now[name]:
            raise InputError(
                f"The model was trained with {name} {noted.get(name, defaults[name])!r}, but its "
                f"recipe {record['recipe']!r} has {now[name]!r} now, so that the command on the "
                "card would not make it again; correct the recipe, or train it again."
            )


def _default(field):
    """The default of a recipe's argument, as JSON has it."""
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return list(value) if isinstance(value, tuple) else value


def _entry(record, model, folder):
    content = (folder / zoo.MODEL_FILE).read_bytes()
    split = "test" if "test" in record else "validation"
    figures = figures_of(record, split)
    quoted = next(iter(figures))
    return zoo.Published(
        name=record["name"],
        file=f"{record['name']}/{zoo.MODEL_FILE}",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        family=type(model).__name__,
        builder=record["model"]["builder"],
        corpus=record["corpus"]["name"],
        parameters=record["model"]["parameters"],
        figure={"name": quoted, "value": figures[quoted], "split": split},
        minutes=record["training"]["minutes"],
        recipe=record["recipe"],
        file_format=model.get_config()["file_format"],
        in_wheel=corpora.about(record["corpus"]["name"]).redistributable,
    )


def _write_index(models):
    entries = {name: asdict(models[name]) for name in sorted(models)}
    for entry in entries.values():
        del entry["name"]
    ignored = IGNORED + "".join(f"!/{name}/\n" for name in entries)
    write_atomically(zoo.folder() / ".gitignore", ignored)
    content = {"format": zoo.INDEX_FORMAT, "models": entries}
    write_atomically(zoo.folder() / zoo.INDEX_FILE, _json(content))


def _json(content):
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def _new_folder(target):
    """An empty folder beside the target, gone at the end unless it was moved."""
    new = target.with_name(f".partial.{target.name}")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _replace(target, new, then):
    """Puts a folder in the place of another and does the rest; if that fails, all is as before."""
    old = target.with_name(f".old.{target.name}")
    if old.exists() and not target.exists():  # publishing was killed between the two renames
        old.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
        then()
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
