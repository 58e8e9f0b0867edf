"""The words of other packages for what `generate` and `translate` take: the one table of them."""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from rnnzoo.errors import InputError, unknown_name

OPTIONS_OF_PEERS = {
    "max_length": "`max_new_tokens`, which counts the new tokens alone",
    "max_len": "`max_new_tokens`, which counts the new tokens alone",
    "max_tokens": "`max_new_tokens`",
    "length": "`max_new_tokens`",
    "num_tokens": "`max_new_tokens`",
    "n_tokens": "`max_new_tokens`",
    "max_gen_length": "`max_new_tokens`",
    "top_k": '`sampler="top_k", k=...`',
    "top_p": '`sampler="top_p", p=...`',
    "min_p": '`sampler="min_p", p=...`',
    "typical_p": '`sampler="typical", p=...`',
    "num_beams": "`beam_width`",
    "beam_size": "`beam_width`",
    "beams": "`beam_width`",
    "num_beam_groups": "`beam_groups`",
    "do_sample": '`sampler="temperature"` to draw, `sampler="greedy"` not to',
    "num_return_sequences": "`num_samples` for several draws, `n_best` for the best of a beam",
    "num_samples": "`n_best` for the best of a beam",
    "no_repeat_ngram_size": "`no_repeat_ngram`",
    "stop_strings": "`stop`",
    "stop_token_ids": "`stop`, which takes texts",
    "eos_token_id": "`stop`, which takes texts (the vocabulary's end token always ends a text)",
    "eos_token": "`stop` (the vocabulary's end token always ends a text)",
    "stop_sequences": "`stop`",
    "random_state": "`seed`",
    "temp": "`temperature`",
    "alpha": "`length_penalty`",
    "output_attentions": "`return_attention`",
    "num_hypotheses": "`n_best`",
    "return_scores": "`n_best`, whose texts come with their scores",
    "prompt": "the first argument, a text or a list of texts",
    "text": "the first argument, a text or a list of texts",
    "sentence": "the first argument, a text or a list of texts",
    "input": "the first argument, a text or a list of texts",
    "inputs": "the first argument, a text or a list of texts",
    "input_ids": "the first argument, a text or a list of texts",
}
SAMPLERS_OF_PEERS = {
    "random": '"temperature"',
    "sample": '"temperature"',
    "multinomial": '"temperature"',
    "categorical": '"temperature"',
    "nucleus": '"top_p"',
    "argmax": '"greedy"',
    "beam": "the argument `beam_width`, for instance `beam_width=5`",
    "beam_search": "the argument `beam_width`, for instance `beam_width=5`",
}


def refuse_unknown(method: str, given: dict[str, Any], known: Iterable[str]) -> None:
    """Refuses arguments that a method does not have, and says what they are called here.

    Args:
        method: The name of the method.
        given: The arguments that it does not have.
        known: Those that it has.

    Raises:
        InputError: If there are any.

    Example:
        >>> refuse_unknown("generate", {"num_beams": 5}, ["beam_width"])
        Traceback (most recent call last):
        ...
        rnnzoo.errors.InputError: `generate` has no argument `num_beams`; use `beam_width`.
    """
    for name in given:
        if name in OPTIONS_OF_PEERS:
            raise InputError(f"`{method}` has no argument `{name}`; use {OPTIONS_OF_PEERS[name]}.")
        raise unknown_name(f"argument of `{method}`", name, known)


def read_positional(
    function: Callable, values: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, ...]:
    """Reads options that are given by position, as they could be once.

    Args:
        function: `generate` or `translate`; its keyword arguments have the defaults.
        values: What was given by position.
        options: What was given by name, in the order of the old positions.

    Returns:
        The values of the options.

    Warns:
        DeprecationWarning: If there are any; the next release refuses them.

    Raises:
        InputError: If there are too many, or one is given by name too.
    """
    if not values:
        return tuple(options.values())
    method, names = function.__name__, list(options)[: len(values)]
    if len(values) > len(options):
        raise InputError(
            f"`{method}` takes its options by name, such as `{names[0]}=...`; the value "
            f"{values[len(options)]!r} has none."
        )
    for name, value in zip(names, values, strict=False):
        if options[name] != function.__kwdefaults__[name]:
            raise InputError(f"`{name}` is given twice, as {value!r} and as {options[name]!r}.")
    given = ", ".join(f"{name}={value!r}" for name, value in zip(names, values, strict=True))
    warnings.warn(
        f"`{method}` takes its options by name: write {given}. The next release refuses them by "
        "position.", DeprecationWarning, stacklevel=4,
    )  # fmt: skip
    return tuple({**options, **dict(zip(names, values, strict=True))}.values())
