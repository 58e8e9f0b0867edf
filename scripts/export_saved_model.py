"""Exports a trained model as a SavedModel."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.export import export_command
from rnnzoo_cli.running import run


def main(
    model: options.Model,
    out: Annotated[Path, typer.Argument(help="Folder to write the SavedModel to.")],
    overwrite: options.Overwrite = False,
    beam_width: Annotated[
        int | None, typer.Option(help="Beams of a translator's search; greedy when left out.")
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="Exponent of the length penalty of the beams.")
    ] = None,
):
    """Export a model as a SavedModel: text in, text out.

    It runs with tf.saved_model.load alone, without rnnzoo or Keras, on any machine, and answers
    saved_model_cli. Its endpoints are generate(prompt, ...) and score(text), or translate(text)
    and score(source, target).

    Examples:
      python scripts/export_saved_model.py gru_seq2seq_spa_eng exported/spa_eng --beam-width 5

      saved_model_cli show --dir exported/spa_eng --all
    """
    search = {"beam_width": beam_width, "length_penalty": length_penalty}
    export_command(model, out, overwrite=overwrite, **search)


if __name__ == "__main__":
    run(main)
