"""Puts a trained model into the zoo."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.running import errors_in_a_sentence, run


def main(
    folder: Annotated[
        Path | None, typer.Argument(help="The folder that a training left.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Argument(help="The name of the model in the zoo.", show_default=False)
    ] = None,
    data_dir: options.DataDir = None,
    text_file: options.TextFile = None,
    saved_model: Annotated[
        bool, typer.Option("--saved-model", help="Add a SavedModel (float32, larger).")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the published model of that name.")
    ] = False,
    cards: Annotated[
        bool, typer.Option("--cards", help="Publish nothing; write all cards in today's words.")
    ] = False,
):
    """Put a trained model into saved_models/, with half-precision weights, a card and the index.

    The model is measured again, before and after its weights are rounded. Then rnnzoo.load(NAME)
    finds it, and rnnzoo evaluate NAME makes its figure again.

    Examples:
      python scripts/publish_model.py trained/shakespeare char_lstm_shakespeare

      python scripts/publish_model.py trained/small char_lstm_small --saved-model

      python scripts/publish_model.py --cards
    """
    with errors_in_a_sentence():
        from rnnzoo.errors import InputError
        from rnnzoo.publishing.publish import publish_model, rewrite_cards

        if (folder is None or name is None) != cards:
            raise InputError("Give the folder that a training left and a name, or --cards alone.")
        if cards:
            rewrite_cards()
            return
        written = publish_model(
            folder, name, data_dir=data_dir, text_file=text_file, saved_model=saved_model,
            overwrite=overwrite,
        )  # fmt: skip
        print(f"Published as {name} in {written}.")


if __name__ == "__main__":
    run(main)
