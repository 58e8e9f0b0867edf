"""The `rnnzoo` command, a file for each of its commands.

It stands beside the package: importing `rnnzoo` imports Keras and its backend, which takes seconds,
while `--help` should answer at once. So the commands import it when they run.
"""

import typer

from rnnzoo_cli.card import card
from rnnzoo_cli.classify import classify
from rnnzoo_cli.evaluate import evaluate
from rnnzoo_cli.export import export
from rnnzoo_cli.founding import founding
from rnnzoo_cli.generate import generate
from rnnzoo_cli.inspect import inspect
from rnnzoo_cli.kernels import kernels
from rnnzoo_cli.list import list_models
from rnnzoo_cli.running import SETTINGS, help_of
from rnnzoo_cli.score import score
from rnnzoo_cli.serve import serve
from rnnzoo_cli.train import train
from rnnzoo_cli.translate import translate

HELP = """Recurrent networks for Keras 3, trained, tested and ready to use.

Examples:
  rnnzoo list

  rnnzoo generate char_lstm_shakespeare "ROMEO:" --temperature 0.8

  rnnzoo train --text-file my_novel.txt
"""

app = typer.Typer(
    name="rnnzoo",
    help=help_of(HELP),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=SETTINGS,
)
COMMANDS = {
    "list": list_models, "card": card, "train": train, "generate": generate,
    "translate": translate, "classify": classify, "score": score, "evaluate": evaluate,
    "export": export, "serve": serve, "inspect": inspect, "kernels": kernels, "founding": founding,
}  # fmt: skip
for name, command in COMMANDS.items():
    shown = help_of(command.__doc__)
    short = shown.split("\n")[0].split(":")[0].split(";")[0].removesuffix(".")
    app.command(name, help=shown, short_help=short, context_settings=SETTINGS)(command)


def main() -> None:
    """Runs the command line."""
    app()
