"""Lets a trained model write or translate."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli.running import run
from rnnzoo_cli.script_generate import generate_command


def main(
    model: Annotated[str, typer.Argument(help="A model's name, folder or .keras file.")],
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts to go on from, or to translate.")
    ] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="Most tokens to write [200].")] = None,
    sampler: Annotated[
        str | None, typer.Option(help="greedy, temperature, top_k or top_p [temperature].")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Below 1 plays safe, above 1 takes risks [1].")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the draws repeatable.")] = None,
    beam_width: Annotated[
        int | None, typer.Option(help="Hypotheses a translator follows; 1 is greedy search [1].")
    ] = None,
    text_file: Annotated[
        Path | None,
        typer.Option(help="Read the texts from this file, one a line."),
    ] = None,
):
    """Go on writing from a text with a language model, or translate it with a translator.

    The results go to stdout, each text's on lines of its own. Those of --text-file have one line
    for each line of the file: a blank one for a blank one, and line breaks in a result as escapes.

    Examples:
      python scripts/generate.py saved_models/char_lstm_shakespeare "ROMEO:" --seed 1

      python scripts/generate.py saved_models/imdb_lm "this movie" "the plot" --temperature 0.8

      python scripts/generate.py gru_seq2seq_spa_eng "¿Dónde está la biblioteca?" --beam-width 5
    """
    generate_command(
        model, texts or [], text_file=text_file, max_new_tokens=max_new_tokens, sampler=sampler,
        temperature=temperature, seed=seed, beam_width=beam_width,
    )  # fmt: skip


if __name__ == "__main__":
    run(main)
