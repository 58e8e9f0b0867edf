"""Options, error handling and quiet imports that the scripts share.

The scripts import rnnzoo only once they run, so that `--help` answers at once.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder that has the corpus. Else: RNNZOO_DATA_DIR, caches, download."),
]
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
    Path | None, typer.Option(help="Folder for the result [default: saved_models/RECIPE].")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the last checkpoint in the output folder.")
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


@contextlib.contextmanager
def errors_in_a_sentence():
    """Imports rnnzoo without TensorFlow's log, and says mistakes in one sentence, exit code 2."""
    quiet_import()
    from rnnzoo.errors import InputError

    try:
        yield
    except InputError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or 'A file'}: {error.strerror or error}. Nothing more was written.")
    except KeyboardInterrupt:
        fail("Aborted; if a checkpoint was saved before, --resume goes on from it.", code=130)


def fail(sentence, code=2):
    """Prints an error and ends the script."""
    print(f"Error: {sentence}", file=sys.stderr)
    raise typer.Exit(code)


def quiet_import():
    """Imports rnnzoo while what TensorFlow's libraries write to stderr goes nowhere."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors come as exceptions anyway
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras

        import rnnzoo  # noqa: F401

        keras.distribution.list_devices()  # the first look at the devices is noisy too
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def train_command(recipe, task, text_file=None, from_model=None, **options):
    """Trains a recipe, or says in one sentence why not."""
    with errors_in_a_sentence():
        from rnnzoo import recipes
        from rnnzoo.errors import unknown_name
        from rnnzoo.training.train import train

        if recipe not in recipes.names(task):
            raise unknown_name("recipe of this script", recipe, recipes.names(task))
        train(recipe, text_file=text_file, from_model=from_model, **options)
