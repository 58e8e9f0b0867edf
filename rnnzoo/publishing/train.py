"""From a recipe to the folder of a trained model: the whole way."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from rnnzoo import recipes
from rnnzoo.files import is_published
from rnnzoo.publishing.artifact import write_artifact
from rnnzoo.replicas import scope_over
from rnnzoo.tasks import Recipe
from rnnzoo.tasks.own_text import check_from
from rnnzoo.terminal import write_any_text
from rnnzoo.training.checkpoints import Checkpoint
from rnnzoo.training.fit import fit_recipe
from rnnzoo.training.processes import count, is_first, together


def train(
    recipe: str | Recipe,
    *,
    out: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    text_file: str | os.PathLike | None = None,
    epochs: int | None = None,
    max_minutes: float | None = None,
    seed: int | None = None,
    units: int | None = None,
    num_layers: int | None = None,
    dropout: float | None = None,
    level: str | None = None,
    teacher: str | None = None,
    teacher_alpha: float | None = None,
    teacher_temperature: float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    from_model: str | os.PathLike | None = None,
    fold_lookalikes: bool = False,
    log_dir: str | os.PathLike | None = None,
    devices: int | str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Path:
    """Trains a recipe's model and leaves it in a folder, with all that belongs to it.

    The folder gets `model.keras` (the weights with the lowest validation loss), `saved_model/`
    (text in, text out), `card.md`, `metrics.json`, `curve.png`, `log.csv`, `samples.txt`, and
    `checkpoint/` for `resume`. Ctrl-C ends the training as the end of its minutes does: after a
    validation, with everything written.

    A training that was killed, at whatever moment, is resumed from its last checkpoint, made after
    every epoch and every minute (or less often, so that it takes under 2 % of the time). On one
    machine it ends with the weights, the log and the samples of one that was never cut off, bit
    for bit; with `max_minutes`, the batches that it trains again have the learning rates that they
    had. A checkpoint that is damaged is found, and the one before it used.

    Args:
        recipe: A `Recipe`, or the name of one.
        out: The folder; when left out `saved_models/<recipe>` in the current one, or
            `trained/<recipe>` where a published model lies there.
        data_dir: A folder that has the recipe's corpus.
        text_file: A text to train on instead: a file, a folder or a `.jsonl` file.
        epochs: Another number of epochs than the recipe's.
        max_minutes: Other minutes than the recipe's. The learning rate is fitted to them, and they
            include validation but not what comes before and after: how long the measuring took is
            printed and noted.
        seed: Another seed than the recipe's.
        units: Another size of the recurrent layers.
        num_layers: Another number of them.
        dropout: Another rate of dropout.
        level: Another level of tokens: `"character"`, `"subword"` or `"word"`.
        teacher: A trained model, a name or path, whose predictions are learnt too; several, whose
            mean is, with commas between them.
        teacher_alpha: The share of the teachers in the loss.
        teacher_temperature: The temperature of their probabilities.
        resume: Whether to go on with the training in `out`. Options that are not given then are
            what they were.
        overwrite: Whether results in `out` may be replaced, or a training that was cut off there
            be given up. A published model is never replaced.
        from_model: A trained model to go on from, a path or a name for `rnnzoo.zoo.load`, which
            must not lie in `out`. Symbols of the text that its vocabulary lacks are added to it,
            unless it has an unknown token.
        fold_lookalikes: Whether symbols of the text that the model to go on from lacks are written
            by those of its vocabulary that look alike, such as straight quotes for curly ones.
        log_dir: A folder for TensorBoard.
        devices: On how many devices of this machine to train, or `"all"`; one when left out. They
            share the rows of each batch. TensorFlow alone. Processes that have joined
            (`rnnzoo.training.processes`) train together by themselves.
        callbacks: Further Keras callbacks.

    Returns:
        The path of the folder.

    Raises:
        InputError: If an argument is not valid, the corpus is not found or does not fit, or the
            folder cannot be written.

    Example:
        ```python
        folder = train("spelled_numbers", max_minutes=5)
        rnnzoo.zoo.load(folder).translate("one two five")
        ```
    """
    write_any_text()
    options = {
        "epochs": epochs, "max_minutes": max_minutes, "seed": seed, "units": units,
        "num_layers": num_layers, "dropout": dropout, "level": level, "teacher": teacher,
        "teacher_alpha": teacher_alpha, "teacher_temperature": teacher_temperature,
    }  # fmt: skip
    check_from(from_model, options)
    chosen = recipes.get(recipe) if isinstance(recipe, str) else recipe
    folder = _default_output(chosen.name) if out is None else Path(out)
    if resume:
        before, folded = _as_begun(folder, chosen.name)
        options = _completed(options, before)
        fold_lookalikes = fold_lookalikes or folded
    adapted = chosen.with_options(options)
    if count() > 1 and options["epochs"] is not None and options["max_minutes"] is None:
        adapted = replace(adapted, max_minutes=None)  # of the recipe: they share no clock
    first = is_first()  # of the processes
    with scope_over(devices), together():
        trained = fit_recipe(
            adapted,
            out=folder,
            overrides=overrides(
                chosen, options, out=out, text_file=text_file, from_model=from_model,
                fold_lookalikes=fold_lookalikes,
            ),
            data_dir=data_dir,
            text_file=text_file,
            resume=resume,
            overwrite=overwrite,
            from_model=from_model,
            fold_lookalikes=fold_lookalikes,
            log_dir=log_dir,
            callbacks=callbacks,
        )  # fmt: skip
    return folder if trained is None or not first else write_artifact(trained)


def _as_begun(folder, recipe):
    """The options that a training of a recipe had so far, and whether it folds lookalikes."""
    segments = Checkpoint(folder / "checkpoint", writes=False).progress.get("segments", [])
    told = [one.get("overrides") or {} for one in segments]  # older code noted none
    told = [one for one in told if one.get("recipe") == recipe]
    options = {name: value for one in told for name, value in one["options"].items()}
    return options, any(one["fold_lookalikes"] for one in told)


def _completed(options, before):
    """The options of a resumed training: those that are not given are what they were; says so."""
    same = {name: value for name, value in before.items() if options[name] is None}
    if same:
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in same.items())
        print(f"As it began: {told}.")
    return {**options, **same}


def overrides(chosen: Recipe, options: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """How a run was requested, as data: what its card makes a command of.

    Args:
        chosen: The recipe.
        options: Arguments of `Recipe.with_options`.
        **given: Paths and switches by their names in `train`.

    Returns:
        A dictionary for JSON: `recipe`, its name; `changes`, what is different in it from the
        recipe that is registered by this name (`None`: there is none); `options`, those that were
        given; and the paths and switches.
    """
    changes = None
    if chosen.name in recipes.names():
        known = recipes.get(chosen.name).as_json()
        changes = {
            name: value for name, value in chosen.as_json().items() if value != known.get(name)
        }
    paths = {name: os.fspath(value) for name, value in given.items() if _is_path(value)}
    return {
        "recipe": chosen.name,
        "changes": changes,
        "options": {name: value for name, value in options.items() if value is not None},
        **given,
        **paths,
    }


def _is_path(value):
    return isinstance(value, str | os.PathLike)


def _default_output(name):
    """The folder to write to: that of the recipe, unless a published model lies there."""
    folder = Path("saved_models") / name
    return Path("trained") / name if is_published(folder) else folder
