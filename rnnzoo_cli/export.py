"""`rnnzoo export`: a model for another runtime."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence

# Options by the suffix of a file; a target without one of these suffixes is a SavedModel's folder.
OF_FILES = {".html": ("weights", "title", "prompt"), ".htm": ("weights", "title", "prompt")}
OF_FOLDER = ("beam_width", "length_penalty")


def export(
    model: options.Model,
    target: Annotated[
        Path,
        typer.Argument(help="What to write: a folder for a SavedModel, or page.html."),
    ],
    weights: Annotated[
        str | None, typer.Option(help="How a file stores weights: float16 or int8.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Heading of a page [name of the file].")] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Text in the prompt's field of a page [empty].")
    ] = None,
    beam_width: Annotated[
        int | None, typer.Option(help="Beams of a SavedModel that translates [1, greedy].")
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="Exponent of the length penalty of these beams.")
    ] = None,
    overwrite: options.Overwrite = False,
):
    """Export a model for another runtime; the name of the target says which.

    A folder gets a SavedModel, text in, text out, that runs with tf.saved_model.load alone. A name
    that ends in .html gets one page that writes or translates in any browser, offline.

    Examples:
      rnnzoo export gru_seq2seq_spa_eng exported/spa_eng --beam-width 5

      rnnzoo export char_lstm_shakespeare_small romeo.html --prompt "ROMEO:" --weights int8
    """
    export_command(
        model, target, overwrite=overwrite, weights=weights, title=title, prompt=prompt,
        beam_width=beam_width, length_penalty=length_penalty,
    )  # fmt: skip


def export_command(model: str, target: Path, *, overwrite: bool = False, **given: object) -> None:
    """Exports a model, or says in one sentence why not.

    Args:
        model: A name of the zoo or a path.
        target: What to write.
        overwrite: Whether what lies there may be replaced.
        **given: Options of the format; `None` is left out.
    """
    with errors_in_a_sentence():
        from rnnzoo import zoo

        chosen = {name: value for name, value in given.items() if value is not None}
        _check(target, chosen, overwrite=overwrite)
        zoo.load(model).export(target, **chosen)


def _check(target, chosen, *, overwrite):
    """Refuses, before any work, a target that is taken and options of other formats."""
    from rnnzoo.errors import InputError
    from rnnzoo.files import check_output, check_replaces_nothing

    file = target.suffix.lower() in OF_FILES
    known = OF_FILES[target.suffix.lower()] if file else OF_FOLDER
    for name in chosen:
        if name not in known:
            what = f"{target.suffix} file" if file else "SavedModel"
            raise InputError(
                f"A {what} has no --{name.replace('_', '-')}; leave it out, or give another target "
                f"than {str(target)!r}."
            )
    check_output(target.parent if file else target)
    if not file:
        check_replaces_nothing(target, overwrite=overwrite, option="folder")
    elif target.exists() and not overwrite:
        raise InputError(
            f"{str(target)!r} exists already; give another name, or --overwrite to replace it."
        )
