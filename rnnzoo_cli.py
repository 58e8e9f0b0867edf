"""The `rnnzoo` command: which models there are, what they reach, which kernels they run.

It stands beside the package: importing `rnnzoo` imports Keras and its backend, which takes seconds
and writes to stderr, while `--help` should answer at once. So the commands import it when they run.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="rnnzoo",
    help="Recurrent networks for Keras 3, trained, tested and ready to use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder that has the corpus. Else: RNNZOO_DATA_DIR, caches, download."),
]
Model = Annotated[str, typer.Argument(help="A name of the zoo, a model's folder or .keras file.")]


def main():
    """Runs the command line."""
    app()


@contextlib.contextmanager
def errors_in_a_sentence(aborted="Aborted."):
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
        fail(aborted, code=130)


def fail(sentence, code=2):
    """Prints an error and ends the program."""
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


@app.command("list")
def list_command(
    pattern: Annotated[str, typer.Argument(help="Which: * stands for anything.")] = "*",
):
    """List the models of the zoo.

    "not here" stands behind the size of a model whose weights may not be in the installed package,
    because of the terms of its corpus; they are in a checkout of the repository.

    Example:
      rnnzoo list "char_*"
    """
    with errors_in_a_sentence():
        from rnnzoo import zoo
        from rnnzoo.errors import InputError, unknown_name

        models, names = zoo.index(), zoo.list_models(pattern)
        if not models:
            raise InputError(f"There are no published models in {zoo.folder()}.")
        if not names:
            raise unknown_name("model", pattern, models)
        _show([models[name] for name in names])


@app.command()
def kernels(model: Model):
    """Show which kernel each recurrent layer of a model runs here, and why.

    Example:
      rnnzoo kernels saved_models/imdb_lm
    """
    with errors_in_a_sentence():
        import rnnzoo

        print(rnnzoo.kernels(rnnzoo.load(model)))


@app.command()
def evaluate(
    model: Model,
    data_dir: DataDir = None,
    text_file: Annotated[
        Path | None, typer.Option(help="The text, if the model was trained on one of your own.")
    ] = None,
):
    """Make the figures of a model's card again from the data; exit code 1 if they differ.

    They are equal if they agree in three digits. The data, the split, how it is read and the code
    are those of the training.

    Examples:
      rnnzoo evaluate char_lstm_shakespeare

      rnnzoo evaluate saved_models/my_novel --text-file my_novel.txt
    """
    with errors_in_a_sentence():
        from rnnzoo.training import evaluate

        found = evaluate.evaluate(model, data_dir, text_file)
        _compare(model, found)
    if found.different:
        raise typer.Exit(1)


def _show(models):
    """Prints published models as a table."""
    from rich.table import Table

    from rnnzoo import zoo
    from rnnzoo.training.report import readable

    table = Table()
    table.add_column("name", no_wrap=True)  # whole, to be copied, in a narrow terminal too
    for column in ("family", "corpus"):
        table.add_column(column, overflow="fold")
    for column in ("parameters", "size", "figure", "trained"):
        table.add_column(column, justify="right")
    for model in models:
        figure = " ".join(reversed(readable(model.figure["name"], model.figure["value"])))
        minutes = model.minutes
        table.add_row(
            model.name,
            f"{model.family} ({model.builder})",
            model.corpus,
            f"{model.parameters:,}",
            f"{model.bytes / 1e6:.1f} MB" + ("" if zoo.is_here(model) else ", not here"),
            f"{figure} ({model.figure['split']})",
            f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h",
        )
    _print(table)


def _compare(name, found):
    """Prints the figures of an evaluation beside those of the card."""
    from rich.table import Table

    from rnnzoo.training.report import readable

    table = Table("figure", "now", "card", "")
    for figure in dict.fromkeys([*found.card, *found.now]):
        words = readable(figure, 0)[0]
        values = [
            readable(figure, side[figure])[1] if figure in side else "-"
            for side in (found.now, found.card)
        ]
        table.add_row(words, *values, "differs" if figure in found.different else "")
    _print(f"{name}, {found.split} data: {found.data}.")
    _print(table)
    _print(_verdict(found))


def _verdict(found):
    """Says which figures differ, and which there is nothing to compare with."""
    new = [figure for figure in found.different if figure not in found.card]
    old = [figure for figure in found.different if figure not in found.now]
    both = [figure for figure in found.different if figure in found.card and figure in found.now]
    sentences = {
        "{} differ.": both,
        "The card lacks {}, which this version measures.": new,
        "This version does not measure {}, which the card has.": old,
    }
    told = [text.format(", ".join(figures)) for text, figures in sentences.items() if figures]
    return " ".join(told) or "All agree."


def _print(content):
    """Prints by rich, without breaking the lines of a table in a pipe or a narrow log."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(content, highlight=False, soft_wrap=isinstance(content, str))


if __name__ == "__main__":
    main()
