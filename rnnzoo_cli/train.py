"""`rnnzoo train`, and training for the scripts that train."""

import contextlib
import io
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence

ABORTED = "Aborted; if a checkpoint was saved before, --resume goes on from it."


def complete_recipe(incomplete: str) -> list[str]:
    """Names of recipes that made a model of the zoo, for the completion of the shell."""
    from rnnzoo_cli.running import without_keras

    with without_keras():
        from rnnzoo import zoo

        recipes = {model.recipe for model in zoo.index().values()}
        return sorted(name for name in recipes if name.startswith(incomplete))


Recipe = Annotated[
    str | None,
    typer.Argument(
        help="Its name; left out, one is chosen that fits the size of --text-file.",
        autocompletion=complete_recipe,
        show_default=False,
    ),
]


def train(
    recipe: Recipe = None,
    show: Annotated[bool, typer.Option("--list", help="List the recipes.")] = False,
    data_dir: options.DataDir = None,
    text_file: options.TextFile = None,
    level: options.Level = None,
    epochs: options.Epochs = None,
    max_minutes: options.MaxMinutes = None,
    seed: options.Seed = None,
    units: options.Units = None,
    layers: options.Layers = None,
    dropout: options.Dropout = None,
    out: options.Out = None,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    from_model: options.FromModel = None,
    fold_lookalikes: options.FoldLookalikes = False,
    teacher: options.Teacher = None,
    teacher_alpha: options.TeacherAlpha = None,
    teacher_temperature: options.TeacherTemperature = None,
    log_dir: options.LogDir = None,
    devices: options.Devices = None,
    processes: options.Processes = None,
    process_id: options.ProcessId = None,
    coordinator: options.Coordinator = None,
):
    """Train a recipe, or a language model of a text of your own.

    Without a recipe, --text-file is enough: a fitting one is chosen by the size of the text and by
    --max-minutes, and the reasons are printed; the result lies in trained/NAME-OF-THE-FILE. Ctrl-C
    stops early and saves; --resume goes on.

    Leaves a folder: model.keras, saved_model/ (for tf.saved_model.load alone), card.md, curve.png,
    metrics.json, log.csv, samples.txt, checkpoint/.

    Examples:
      rnnzoo train --text-file my_novel.txt

      rnnzoo train --text-file my_novel.txt --max-minutes 3

      rnnzoo train --text-file my_novel.txt --level word --max-minutes 20

      rnnzoo train char_lstm_shakespeare --max-minutes 10

      rnnzoo train char_lstm_shakespeare --text-file sonnets.txt --epochs 3
      --from char_lstm_shakespeare --out trained/sonnets

      rnnzoo train char_lstm_shakespeare_small --teacher char_lstm_shakespeare --out trained/small

      rnnzoo train char_lstm_shakespeare --processes 2 --process-id 0 --coordinator 10.0.0.1:29500
    """
    if processes is not None:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # the one that joins them
    with errors_in_a_sentence(ABORTED):
        from rnnzoo import recipes
        from rnnzoo.errors import InputError
        from rnnzoo.publishing.train import train as train_recipe
        from rnnzoo.training.processes import join

        if show:
            for name in recipes.names():
                print(f"{name}  {recipes.get(name).description}")
            return
        if processes is not None:
            join(processes, process_id=process_id, coordinator=coordinator)
        chosen = recipe
        if recipe is None:
            if text_file is None:
                raise InputError(
                    "Name a recipe, such as `rnnzoo train char_lstm_shakespeare`, or give a text "
                    "of your own by --text-file; `rnnzoo train --list` lists the recipes."
                )
            if from_model is not None:
                raise InputError(
                    f"A recipe that fits {text_file} makes a new model; to go on from {from_model} "
                    "name the recipe that made it, as its card says."
                )
            if out is None:
                out = Path("trained") / text_file.resolve().name.lstrip(".").split(".")[0]
            minutes = max_minutes
            if resume:
                level, minutes = _begun_with(out, level, max_minutes=max_minutes)
            chosen, level = _fitting(text_file, level, max_minutes=minutes), None
        train_recipe(
            chosen, text_file=text_file, from_model=from_model, data_dir=data_dir,
            epochs=epochs, max_minutes=max_minutes, seed=seed, out=out, units=units,
            num_layers=layers, dropout=dropout, level=level, teacher=teacher,
            teacher_alpha=teacher_alpha, teacher_temperature=teacher_temperature,
            resume=resume, overwrite=overwrite, fold_lookalikes=fold_lookalikes, log_dir=log_dir,
            devices=_count(devices),
        )  # fmt: skip


def _count(devices):
    """A number where one was typed."""
    return int(devices) if devices is not None and devices.isdecimal() else devices


def _begun_with(out, level, max_minutes):
    """The level and the minutes by which a training's recipe was chosen.

    A resumed one may be given more minutes, which change nothing of its recipe.
    """
    from rnnzoo.errors import InputError
    from rnnzoo.training.checkpoints import Checkpoint

    began = Checkpoint(out / "checkpoint", writes=False).progress.get("began")
    if began is None:  # there is none, or older code noted nothing
        return level, max_minutes
    begun = began.get("vocabulary", {}).get("level", "character")
    if level not in (None, begun):
        raise InputError(
            f"The training in {out} reads {begun}s, and --level says {level}; leave out --level, "
            "or train anew with another --out."
        )
    return begun, began.get("max_minutes", max_minutes)


def _fitting(text_file, level, max_minutes):
    """A recipe that fits a text and the time; says why."""
    from rnnzoo.recipes.fitting import fitting_recipe

    with contextlib.redirect_stderr(io.StringIO()):  # the training says it again
        chosen, reasons = fitting_recipe(
            text_file, level=level or "character", max_minutes=max_minutes
        )
    print(reasons, flush=True)
    return chosen


def train_command(
    recipe: str,
    task: str,
    *,
    text_file: Path | None = None,
    from_model: str | None = None,
    **options: Any,
) -> None:
    """Trains a recipe for a script, or says in one sentence why not.

    Args:
        recipe: Its name.
        task: The task that it must have.
        text_file: A text of one's own.
        from_model: A model to start from.
        **options: What else `rnnzoo.publishing.train.train` takes.
    """
    with errors_in_a_sentence(ABORTED):
        from rnnzoo import recipes
        from rnnzoo.errors import unknown_name
        from rnnzoo.publishing.train import train

        if recipe not in recipes.names(task):
            raise unknown_name("recipe of this script", recipe, recipes.names(task))
        train(recipe, text_file=text_file, from_model=from_model, **options)
