"""`rnnzoo founding`: the systems of the five documents that rnnzoo is founded on."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence

OWN_OPTIONS = (
    "out", "data_dir", "max_minutes", "seed", "tiny", "overwrite", "constants", "name",
)  # fmt: skip


def founding(
    name: Annotated[
        str | None, typer.Argument(help="The system; --list shows them all.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the systems.")] = False,
    data_dir: options.DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the result [default: trained/NAME].")
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Most minutes of training; it ends cleanly.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, dropout and data order.")] = 0,
    tiny: Annotated[bool, typer.Option("--tiny", help="A variant of seconds, to try.")] = False,
    overwrite: options.Overwrite = False,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a constant of the document: --set NAME=VALUE."),
    ] = None,
):
    """Run what a founding document ran: its data, network, optimizer and constants.

    Leaves trained/NAME/: log.csv, samples.txt, pictures, model.keras and, last, summary.json.
    Ctrl-C and --max-minutes end a run cleanly; the summary says how far it came.

    Examples:
      rnnzoo founding --list

      rnnzoo founding s3_vanilla_rnn --max-minutes 20

      rnnzoo founding s0_lasagne_char_lstm --set seq_length=30
    """
    with errors_in_a_sentence():
        from rnnzoo import founding as systems
        from rnnzoo.errors import InputError

        if show:
            width = max(map(len, systems.SYSTEMS))
            for known, (_, _, description) in systems.SYSTEMS.items():
                print(f"{known:{width}}  {description}")
            return
        if name is None:
            raise InputError(f"Name a system: {', '.join(systems.names())}.")
        changes = {}
        for text in change or []:
            key, equals, value = text.partition("=")
            if not equals or key in OWN_OPTIONS:
                raise InputError(f"--set takes NAME=VALUE of a constant, not {text!r}.")
            changes[key] = value
        systems.run(
            name, out=out, data_dir=data_dir, max_minutes=max_minutes, seed=seed, tiny=tiny,
            overwrite=overwrite, **changes,
        )  # fmt: skip
