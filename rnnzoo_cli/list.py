"""`rnnzoo list`: the models of the zoo."""

import dataclasses
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence, print_json, print_table


def list_models(
    pattern: Annotated[str, typer.Argument(help="Which: * stands for anything.")] = "*",
    json: options.Json = False,
):
    """List the models of the zoo.

    "not here" stands behind the size of a model whose weights may not be in the installed package,
    because of the terms of its corpus; they are in a checkout of the repository.

    Examples:
      rnnzoo list "char_*"

      rnnzoo list --json
    """
    with errors_in_a_sentence(keras=False):
        from rnnzoo import zoo
        from rnnzoo.errors import InputError, unknown_name

        models, names = zoo.index(), zoo.list_models(pattern)
        if not models:
            raise InputError(f"There are no published models in {zoo.folder()}.")
        if not names:
            raise unknown_name("model", pattern, models)
        chosen = [models[name] for name in names]
        if json:
            for model in chosen:
                print_json({**dataclasses.asdict(model), "is_here": zoo.is_here(model)})
        else:
            _show(chosen)


def _show(models):
    """Prints published models as a table."""
    from rich.table import Table

    from rnnzoo import zoo
    from rnnzoo.publishing.report import readable

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
    print_table(table)
