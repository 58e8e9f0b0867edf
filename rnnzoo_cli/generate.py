"""`rnnzoo generate`: a language model goes on from texts."""

import sys
from typing import Annotated

import typer

from rnnzoo_cli import options
from rnnzoo_cli.lines import on_one_line, stdin_is_utf8, texts_or_stdin
from rnnzoo_cli.running import errors_in_a_sentence, load_able, print_json, print_nothing

SAMPLERS = "greedy, temperature, top_k, top_p, min_p or typical"


def generate(
    model: options.Model,
    prompts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts to go on from; else stdin, a prompt a line."),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(help="Most tokens to generate.")] = 200,
    sampler: Annotated[str | None, typer.Option(help=f"{SAMPLERS} [temperature].")] = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="Below 1 plays safe, above 1 takes risks, 0 takes the likeliest [1]."),
    ] = None,
    k: Annotated[int | None, typer.Option("--k", help="Tokens that top_k draws from [40].")] = None,
    p: Annotated[
        float | None,
        typer.Option(
            "--p",
            help="Probability that top_p and typical keep [0.9]; for min_p the share of the "
            "largest [0.1].",
        ),
    ] = None,
    repetition_penalty: Annotated[
        float | None,
        typer.Option(help="Above 1, tokens that were generated before become less likely."),
    ] = None,
    no_repeat_ngram: Annotated[
        int | None, typer.Option(help="Length of the n-grams that are generated once at most.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Makes the draws repeatable.")] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            help="End before this text (after it with --interactive); \\n is a line break. May be "
            "repeated."
        ),
    ] = None,
    num_samples: Annotated[
        int | None, typer.Option(help="Generate so many texts for each prompt.")
    ] = None,
    beam_width: Annotated[
        int | None, typer.Option(help="Follow so many hypotheses by beam search, drawing nothing.")
    ] = None,
    n_best: Annotated[
        int | None, typer.Option(help="Print so many texts of the beam, with their scores.")
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="Exponent of the length penalty of the beam [0.6].")
    ] = None,
    beam_groups: Annotated[
        int | None,
        typer.Option(help="Groups of the beam that avoid each other, for other --n-best [1]."),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive", help="Write in turns: the model goes on after each of your lines."
        ),
    ] = False,
    json: options.Json = False,
):
    r"""Go on from texts with a language model, streaming to the terminal.

    Each text is printed with its prompt. A blank line of a pipe gives a blank line, or with --json
    an empty text, where the model cannot begin without a prompt. With --interactive the model and
    you write one text in turns; Ctrl-D ends it.

    Examples:
      rnnzoo generate char_lstm_shakespeare "ROMEO:" --temperature 0.8 --seed 1

      rnnzoo generate char_lstm_shakespeare "ROMEO:" --sampler top_p --p 0.9 --stop "\n\n"

      printf 'ROMEO:\nJULIET:\n' | rnnzoo generate char_lstm_shakespeare --json

      rnnzoo generate char_lstm_shakespeare --interactive
    """
    with errors_in_a_sentence():
        from rnnzoo.errors import InputError, check_positive
        from rnnzoo.generation.inputs import MOST

        check_positive(MOST, max_new_tokens=max_new_tokens)
        drawing = {
            "sampler": sampler, "temperature": temperature, "k": k, "p": p,
            "repetition_penalty": repetition_penalty, "no_repeat_ngram": no_repeat_ngram,
        }  # fmt: skip
        drawing = {name: value for name, value in drawing.items() if value is not None}
        stops = [text.replace("\\n", "\n") for text in stop or []] or None
        several = {
            "num_samples": num_samples, "beam_width": beam_width, "n_best": n_best,
            "length_penalty": length_penalty, "beam_groups": beam_groups,
        }  # fmt: skip
        several = {name: value for name, value in several.items() if value is not None}
        if interactive:
            _check_interactive(prompts, {**several, "json": json or None})
            if no_repeat_ngram is not None:
                raise InputError("--interactive has no end, so leave out --no-repeat-ngram.")
        loaded = load_able(model, "generate")
        if loaded.vocabulary is None:
            raise InputError(f"{model} holds no vocabulary; give a model trained on text.")
        if interactive:
            _in_turns(loaded, {**drawing, "seed": seed}, count=max_new_tokens, stops=stops)
            return
        arguments = {**drawing, "seed": seed, "stop": stops, "max_new_tokens": max_new_tokens}
        nothing = {"texts": []} if {"num_samples", "n_best"} & several.keys() else {"text": ""}
        first = True
        for block in texts_or_stdin(prompts, together=1):
            for prompt in block:
                if not first and not json:
                    print()
                first = False
                if not prompts and _says_nothing(loaded.vocabulary, prompt):
                    print_nothing(json, prompt=prompt, **nothing)
                elif several or json:
                    found = loaded.generate(prompt, **arguments, **several)
                    _print(prompt, found, json=json)
                else:
                    _stream(loaded, prompt, arguments)


def _says_nothing(vocabulary, prompt):
    """Whether a model has nothing to go on from: the prompt is blank, without a start token."""
    if prompt.strip() or vocabulary.start_id is not None:
        return False
    return not vocabulary.encode(prompt).size


def _stream(model, prompt, arguments):
    """Prints a text as it is made."""
    parts = model.stream(prompt, **arguments)  # says first what is wrong with the arguments
    print(prompt, end="", flush=True)
    for part in parts:
        print(part, end="", flush=True)
    print(flush=True)


def _print(prompt, found, *, json):
    """Prints one text, several samples, or the best of a beam with their scores."""
    if isinstance(found, str):
        if json:
            print_json({"prompt": prompt, "text": found})
        else:
            print(f"{prompt}{found}", flush=True)
    elif isinstance(found[0], str):
        if json:
            print_json({"prompt": prompt, "texts": found})
        else:
            print("\n\n".join(f"{prompt}{text}" for text in found), flush=True)
    elif json:
        best = [{"text": one.text, "score": one.score} for one in found]
        print_json({"prompt": prompt, "texts": best})
    else:
        for one in found:
            print(f"{one.score:.3f}\t{on_one_line(prompt + one.text)}", flush=True)


def _check_interactive(prompts, others):
    """Refuses what does not go with writing in turns."""
    from rnnzoo.errors import InputError

    if prompts:
        raise InputError("--interactive reads what you type; leave out the prompts.")
    for name, value in others.items():
        if value is not None:
            raise InputError(
                f"--interactive writes one text in turns; leave out --{name.replace('_', '-')}."
            )


def _in_turns(model, drawing, *, count, stops):
    """The model goes on after each line that is typed, as one text."""
    from rnnzoo.errors import InputError

    session = None
    for line in _typed():
        # A vocabulary of characters may have no line break.
        text = line if "\n" in model.vocabulary.unknown_symbols("\n") else line + "\n"
        try:
            if session is None:
                session = model.session(text, **drawing)
            else:
                session.read(text)
        except InputError as error:
            if session is None and not model.vocabulary.unknown_symbols(line) and line:
                raise  # it is not the line that is wrong
            print(f"Not read: {error}", file=sys.stderr)
            continue
        written = ""
        for _ in range(count):
            part = session.write(1)
            written += part
            print(part, end="", flush=True)
            if session.ended or any(stop in written for stop in stops or []):
                break
        print(flush=True)


def _typed():
    """The lines that a person types, or a pipe has."""
    terminal = sys.stdin.isatty()
    while True:
        try:
            with stdin_is_utf8():
                line = input("> " if terminal else "")
        except EOFError:
            return
        yield line
