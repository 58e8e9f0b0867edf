"""`rnnzoo export`: a model for another runtime."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence

SUFFIXES = {".html": "html", ".htm": "html", ".onnx": "onnx", ".tflite": "litert"}
OPTIONS = {
    "html": ("weights", "title", "prompt"),
    "onnx": ("weights",),
    "litert": ("weights",),
    None: ("beam_width", "length_penalty"),  # a SavedModel
}
FOLDERS = {"onnx": "folder for ONNX", "litert": "folder for LiteRT"}  # by --format


def export(
    model: options.Model,
    target: Annotated[
        Path,
        typer.Argument(help="What to write: a folder, or page.html, step.onnx, step.tflite."),
    ],
    format: Annotated[
        str | None, typer.Option(help="What a folder gets: onnx or litert [a SavedModel].")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="How weights are stored: int8, or float16 (a page), float32 (onnx, litert)."
        ),
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

    A folder gets a SavedModel, text in, text out, that runs with tf.saved_model.load alone; with
    --format onnx or litert the step as a network, the vocabulary and an example. A name that ends
    in .html gets one page that writes or translates in any browser, offline; .onnx or .tflite the
    step of a language model alone.

    Examples:
      rnnzoo export gru_seq2seq_spa_eng exported/spa_eng --beam-width 5

      rnnzoo export char_lstm_shakespeare romeo --format onnx --weights int8

      rnnzoo export gru_seq2seq_spa_eng spa_eng --format litert

      rnnzoo export char_lstm_shakespeare_small romeo.html --prompt "ROMEO:" --weights int8
    """
    export_command(
        model, target, overwrite=overwrite, format=format, weights=weights, title=title,
        prompt=prompt, beam_width=beam_width, length_penalty=length_penalty,
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
    from rnnzoo.errors import InputError, unknown_name
    from rnnzoo.files import check_output, check_replaces_nothing

    file = SUFFIXES.get(target.suffix.lower())
    format = chosen.get("format", file)
    if "format" in chosen and format not in FOLDERS:
        raise unknown_name("format", format, FOLDERS)
    if file not in (None, format):
        raise InputError(
            f"{str(target)!r} is named like a file of another format than --format {format}; leave "
            "that out, or give a folder."
        )
    what = f"{target.suffix} file" if file else FOLDERS.get(format, "SavedModel")
    for name in chosen:
        if name not in ("format", *OPTIONS[format]):
            raise InputError(
                f"A {what} has no --{name.replace('_', '-')}; leave it out, or give another target "
                f"than {str(target)!r}."
            )
    if "length_penalty" in chosen and chosen.get("beam_width", 1) == 1:
        raise InputError(
            f"--length-penalty ({chosen['length_penalty']}) is of no use to greedy search; give a "
            "--beam-width too."
        )
    check_output(target.parent if file else target, option="target")
    if not file:
        check_replaces_nothing(target, overwrite=overwrite, option="folder")
    elif target.exists() and not overwrite:
        raise InputError(
            f"{str(target)!r} exists already; give another name, or --overwrite to replace it."
        )
