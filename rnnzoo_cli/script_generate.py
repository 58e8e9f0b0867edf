"""Writing and translating, for `scripts/generate.py`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnzoo_cli.lines import lines_of_file, on_one_line
from rnnzoo_cli.running import errors_in_a_sentence, load_able


def generate_command(
    model: str,
    texts: Sequence[str],
    *,
    text_file: Path | None = None,
    max_new_tokens: int | None = None,
    beam_width: int | None = None,
    **sampling: Any,
) -> None:
    """Prints what a model makes of texts, and of each line of a file a line.

    Args:
        model: A name of the zoo or a path.
        texts: Texts to go on from, or to translate.
        text_file: A file of further ones. A blank line gives a blank line, and a line break in a
            result is written as an escape: line N of the output belongs to line N of the file.
        max_new_tokens: The most tokens of a result.
        beam_width: Hypotheses that a translator follows.
        **sampling: `sampler`, `temperature` and `seed` of a language model.
    """
    with errors_in_a_sentence():
        from rnnzoo.errors import InputError

        lines = [] if text_file is None else lines_of_file(text_file)
        if not texts and not lines:
            raise InputError("There is no text to go on from; give one after the model.")
        loaded = load_able(model, "score")  # as all do that write or translate
        given = {name: value for name, value in sampling.items() if value is not None}
        if hasattr(loaded, "translate"):
            if given:
                raise InputError(
                    f"{model} translates, always taking the likeliest; leave out --sampler, "
                    "--temperature and --seed."
                )
            width = 1 if beam_width is None else beam_width
            options = {"max_new_tokens": max_new_tokens, "beam_width": width}
            write = loaded.translate
        else:
            if beam_width is not None:
                raise InputError(f"{model} writes by drawing tokens; leave out --beam-width.")
            options = {"max_new_tokens": 200 if max_new_tokens is None else max_new_tokens, **given}
            write = loaded.generate
        prompts = [*texts, *(line for line in lines if line.strip())]
        results = write(prompts, **options) if prompts else []
        if not hasattr(loaded, "translate"):
            results = map("".join, zip(prompts, results, strict=True))
        results = iter(results)
        for _ in texts:
            print(next(results))
        for line in lines:
            print(on_one_line(next(results)) if line.strip() else "")
