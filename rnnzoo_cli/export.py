"""`rnnzoo export`: a model for another runtime."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence


def export(
    model: options.Model,
    target: Annotated[Path, typer.Argument(help="What to write: a folder for a SavedModel.")],
    beam_width: Annotated[
        int | None, typer.Option(help="Beams of a translator's search; greedy when left out.")
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="Exponent of the length penalty of the beams.")
    ] = None,
    overwrite: options.Overwrite = False,
):
    """Export a model as a SavedModel: text in, text out.

    It runs with tf.saved_model.load alone, without rnnzoo or Keras, on any machine, and answers
    saved_model_cli. Its endpoints are generate(prompt, ...) and score(text), or translate(text)
    and score(source, target).

    Examples:
      rnnzoo export gru_seq2seq_spa_eng exported/spa_eng --beam-width 5

      saved_model_cli show --dir exported/spa_eng --all
    """
    search = {"beam_width": beam_width, "length_penalty": length_penalty}
    export_command(model, target, overwrite=overwrite, **search)


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
        from rnnzoo.files import check_output, check_replaces_nothing

        check_output(target)
        check_replaces_nothing(target, overwrite=overwrite, option="folder")
        chosen = {name: value for name, value in given.items() if value is not None}
        zoo.load(model).export(target, **chosen)
