"""`rnnzoo serve`: models behind HTTP."""

from typing import Annotated

import typer

from rnnzoo_cli.options import complete_model
from rnnzoo_cli.running import errors_in_a_sentence


def serve(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Names of the zoo, models' folders or .keras files.",
            autocompletion=complete_model,
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this let other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.")] = 8000,
    capacity: Annotated[
        int, typer.Option(help="Texts that each model writes at once; others wait.")
    ] = 64,
):
    """Serve models over HTTP: texts, translations, labels, scores.

    http://localhost:8000/docs lists the routes and what they read. It needs the extra `serve`:
    pip install 'rnnzoo[serve]'.

    Examples:
      rnnzoo serve char_lstm_shakespeare gru_seq2seq_spa_eng --port 8000
    """
    with errors_in_a_sentence():
        from rnnzoo.serve import serve as run

        run(models, host=host, port=port, capacity=capacity)
