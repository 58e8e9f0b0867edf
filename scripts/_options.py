"""Options that the scripts share; what they share with the `rnnzoo` command is in `rnnzoo_cli`.

The scripts import rnnzoo only once they run, so that `--help` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import DataDir, errors_in_a_sentence  # noqa: F401 (DataDir is for the scripts)

TextFile = Annotated[
    Path | None,
    typer.Option(help="Your own text instead: a text file, a folder of .txt files, or a .jsonl."),
]
Epochs = Annotated[int | None, typer.Option(help="Most passes over the data [recipe's own].")]
MaxMinutes = Annotated[
    float | None,
    typer.Option(help="Most minutes of training; the learning rate is fitted to them."),
]
Seed = Annotated[
    int | None, typer.Option(help="Of weights, dropout and data order [recipe's own].")
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the result [default: saved_models/RECIPE, or trained/RECIPE where a "
        "published model has that name]."
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the last checkpoint in the output folder.")
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace results that lie there; published ones never."),
]
FromModel = Annotated[
    str | None,
    typer.Option("--from", help="Fine-tune this model: a folder or a .keras file."),
]
LogDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for TensorBoard. Keras needs the package for it: pip install tensorboard."
    ),
]


def run(main):
    """Runs a script's `main` as a command line."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(main)
    app()


def train_command(recipe, task, text_file=None, from_model=None, **options):
    """Trains a recipe, or says in one sentence why not."""
    aborted = "Aborted; if a checkpoint was saved before, --resume goes on from it."
    with errors_in_a_sentence(aborted):
        from rnnzoo import recipes
        from rnnzoo.errors import unknown_name
        from rnnzoo.training.train import train

        if recipe not in recipes.names(task):
            raise unknown_name("recipe of this script", recipe, recipes.names(task))
        train(recipe, text_file=text_file, from_model=from_model, **options)
