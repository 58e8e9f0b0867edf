"""`rnnzoo translate`: texts to their translations, one a line."""

from pathlib import Path
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.lines import on_one_line, refuse_blank, texts_or_stdin
from rnnzoo_cli.running import errors_in_a_sentence, load_able, print_json, print_nothing


def translate(
    model: options.Model,
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts; else stdin, a text a line.")
    ] = None,
    beam_width: Annotated[
        int | None,
        typer.Option(help="Hypotheses to follow; 1 is greedy search [1, or that of --n-best]."),
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="Exponent of the length penalty of the beams [0.6].")
    ] = None,
    n_best: Annotated[
        int | None, typer.Option(help="Print so many translations a text, with their scores.")
    ] = None,
    coverage_penalty: Annotated[
        float | None,
        typer.Option(help="Keeps beams from leaving out parts of the source; 0.2 is usual [0]."),
    ] = None,
    beam_groups: Annotated[
        int | None,
        typer.Option(help="Groups of the beam that avoid each other, for other --n-best [1]."),
    ] = None,
    unknown: Annotated[
        str | None,
        typer.Option(help='"copy" takes words that a translator by words lacks from the source.'),
    ] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Most tokens [twice those of the text, and ten].")
    ] = None,
    attention: Annotated[
        Path | None,
        typer.Option(help="Draw which source words each word was translated from, a .png."),
    ] = None,
    json: options.Json = False,
):
    """Translate texts with an encoder-decoder: a line out for each line in.

    The lines of a pipe are answered one by one. A blank line gives a blank line, or with --json an
    empty translation, and a line break in a translation is written as an escape. With --n-best each
    translation has a line, its score (log-probability over its length penalty) before it, after a
    tab.

    Examples:
      rnnzoo translate gru_seq2seq_spa_eng "¿Dónde está la biblioteca?" --beam-width 5

      rnnzoo translate gru_seq2seq_spa_eng < spanish.txt > english.txt

      rnnzoo translate gru_seq2seq_spa_eng "Tengo hambre." --n-best 3 --json

      rnnzoo translate gru_seq2seq_spa_eng "Tengo hambre." --attention attention.png
    """
    with errors_in_a_sentence():
        from rnnzoo.errors import InputError

        if attention is not None:
            _check_picture(attention, texts, n_best)
        refuse_blank(texts)
        width = max(1, n_best or 1) if beam_width is None else beam_width
        if length_penalty is not None and width == 1 and n_best is None:
            raise InputError(
                f"--length-penalty ({length_penalty}) is of no use to greedy search; give a "
                "--beam-width too."
            )
        loaded = load_able(model, "translate")
        given = {
            "beam_width": width, "length_penalty": length_penalty, "n_best": n_best,
            "coverage_penalty": coverage_penalty, "beam_groups": beam_groups, "unknown": unknown,
            "max_new_tokens": max_new_tokens,
        }  # fmt: skip
        search = {name: value for name, value in given.items() if value is not None}
        for block in texts_or_stdin(texts):
            sources = [text for text in block if text.strip()]
            if attention is not None:
                results = [_with_picture(loaded, sources[0], path=attention, search=search)]
            else:
                results = loaded.translate(sources, **search) if sources else []
            results = iter(results)
            nothing = {"translation": ""} if n_best is None else {"translations": []}
            for text in block:
                if text.strip():
                    _print(text, next(results), json=json)
                else:
                    print_nothing(json, source=text, **nothing)


def _print(source, found, *, json):
    """Prints a translation, or the best ones with their scores."""
    if isinstance(found, str):
        if json:
            print_json({"source": source, "translation": found})
        else:
            print(on_one_line(found), flush=True)
    elif json:
        best = [{"text": one.text, "score": one.score} for one in found]
        print_json({"source": source, "translations": best})
    else:
        for one in found:
            print(f"{one.score:.3f}\t{on_one_line(one.text)}", flush=True)


def _check_picture(path, texts, n_best):
    """Refuses what one picture cannot show, before any work."""
    from rnnzoo.errors import InputError
    from rnnzoo.files import check_output

    if path.suffix != ".png":
        raise InputError(f"--attention draws a .png picture, not {path.name!r}.")
    if len(texts or []) != 1 or not texts[0].strip():
        raise InputError(
            f"--attention draws the translation of one text, not of {len(texts or [])}; give one "
            "after the model."
        )
    if n_best is not None:
        raise InputError("--attention draws one translation; leave out --n-best.")
    check_output(path.parent, megabytes=1, option="--attention")


def _with_picture(model, source, *, path, search):
    """Translates one text and draws its attention weights."""
    from rnnzoo.plots import plot_attention

    text, weights = model.translate(source, return_attention=True, **search)
    plot_attention(
        weights, path,
        source=_tokens(model.source_vocabulary, source, weights.shape[1]),
        target=_tokens(model.target_vocabulary, text, weights.shape[0]),
    )  # fmt: skip
    return text


def _tokens(vocabulary, text, count):
    """The tokens of a text with its end token, as many as there are weights."""
    end = [] if vocabulary.end_id is None else [vocabulary.tokens[vocabulary.end_id]]
    tokens = [*vocabulary.split(text), *end]
    return [*tokens, *[""] * count][:count]
