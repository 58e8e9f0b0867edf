"""The `rnnzoo` command, a file for each of its commands.

It stands beside the package: importing `rnnzoo` imports Keras and its backend, which takes seconds,
while `--help` should answer at once. So the commands import it when they run.
"""

import typer

from rnnzoo_cli.evaluate import evaluate
from rnnzoo_cli.kernels import kernels
from rnnzoo_cli.list import list_models

app = typer.Typer(
    name="rnnzoo",
    help="Recurrent networks for Keras 3, trained, tested and ready to use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(list_models)
app.command()(kernels)
app.command()(evaluate)


def main() -> None:
    """Runs the command line."""
    app()
