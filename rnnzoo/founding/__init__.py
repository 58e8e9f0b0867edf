"""The five documents that rnnzoo is founded on, each as a system that runs.

A system runs what its document ran, in the document's own terms: the same data, network, optimizer
and constants. Each module says at its top which constants the document leaves out and what was
chosen for them, and where Keras must differ.
"""

import ast
import dataclasses
import importlib
import inspect
from numbers import Real
from pathlib import Path
from typing import get_args

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.files import check_output, check_replaces_nothing

TINY_MINUTES = 0.2  # of training, at most: the documents' texts are long for networks of any size

# name: (module, function, what it is). A function takes `(*, out, data_dir, max_minutes, seed,
# constants)`, may take more, and returns the folder. The default of `constants` is a dataclass, the
# document's; its module's `TINY` is one for a run of seconds, or a dictionary of them by name.
SYSTEMS = {
    "s0_lasagne_char_lstm": (
        "s0_lasagne_char_lstm",
        "run",
        "Two LSTM layers of 512 guess the next character of a window, with AdaGrad (Lasagne).",
    ),
    "s1_numbers_encoder_decoder": (
        "s1_numbers",
        "run_encoder_decoder",
        'A GRU encoder and decoder read "one two five" and write "125#" (Lasagne).',
    ),
    "s1_numbers_attention": (
        "s1_numbers",
        "run_attention",
        "The same with attention: an LSTM decoder that looks at the input at every step (Lasagne).",
    ),
    "s1_numbers_better": (
        "s1_numbers",
        "run_better",
        "Attention with more units and a falling learning rate: nearly every number right.",
    ),
    "s1_numbers_bidirectional_concat": (
        "s1_exercises",
        "run_bidirectional_concat",
        "Model 1, read in both directions: the two last states side by side.",
    ),
    "s1_numbers_bidirectional_sum": (
        "s1_exercises",
        "run_bidirectional_sum",
        "The same, the two last states added.",
    ),
    "s1_numbers_bidirectional_product": (
        "s1_exercises",
        "run_bidirectional_product",
        "The same, the two last states multiplied.",
    ),
    "s1_numbers_variable_length": (
        "s1_exercises",
        "run_variable_length",
        "Model 1 on numbers of 1 to 20 digits, with a masked cost.",
    ),
    "s1_numbers_trainable_embedding": (
        "s1_exercises",
        "run_trainable_embedding",
        "Model 1 with an embedding that is trained.",
    ),
    "s1_numbers_initial_state": (
        "s1_exercises",
        "run_initial_state",
        "Model 1 whose decoder starts with the encoder's state and reads nothing.",
    ),
    "s2_imdb_word_lm": (
        "s2_imdb_word_lm",
        "run_word_lm",
        "An LSTM of 200 predicts the next of 10,000 words of film reviews (TensorFlow 1).",
    ),
    "s2_imdb_attention_wrapper": (
        "s2_imdb_word_lm",
        "run_attention_wrapper",
        "The same with two layers that attend over their own last outputs (TensorFlow 1).",
    ),
    "s2_literal_softmax": (
        "s2_literal_softmax",
        "run_literal_softmax",
        "The document's softmax over 88,587 words beside one over the 10,000 that occur.",
    ),
    "s3_vanilla_rnn": (
        "s3_from_scratch",
        "run_vanilla_rnn",
        "A vanilla RNN of 100 units from its equations, one chunk of 25 at a time (part 1).",
    ),
    "s3_lstm": (
        "s3_from_scratch",
        "run_lstm",
        "The same with an LSTM (part 2).",
    ),
    "s3_batched_rnn": (
        "s3_from_scratch",
        "run_batched_rnn",
        "The vanilla RNN in batches of 8 x 25, as written for PyTorch (part 3).",
    ),
    "s3_better": (
        "s3_better",
        "run",
        "An LSTM of 100 units as rnnzoo trains it: many rows, carried state, Adam.",
    ),
    "s3_exploding_gradients": (
        "s3_from_scratch",
        "run_exploding_gradients",
        "The norm of the gradient at a high learning rate, with and without clipping: a picture.",
    ),
    "s4_alice_lstm": (
        "s4_alice",
        "run_alice_lstm",
        "LSTM 1000 and LSTM 800 guess the next character of a window of Alice (Keras).",
    ),
    "s4_alice_better": (
        "s4_alice",
        "run_alice_better",
        "The same text learnt many-to-many with carried state, to a training loss of 0.5.",
    ),
}


def names() -> list[str]:
    """Lists the systems that `run` knows."""
    return sorted(SYSTEMS)


def run(
    name: str,
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    max_minutes: float | None = None,
    seed: int = 0,
    tiny: bool = False,
    overwrite: bool = False,
    **options,
) -> Path:
    """Runs a founding system and leaves a folder.

    The folder gets `summary.json` (figures, seconds, seed, versions; written last), `log.csv`,
    `samples.txt`, pictures and `model.keras`.

    Args:
        name: One of `names()`.
        out: The folder; `trained/NAME` in the current one when left out.
        data_dir: A folder that has the corpus.
        max_minutes: The most minutes of training; it then ends cleanly and says how far it came.
        seed: Of weights, dropout and the order of the data.
        tiny: A variant that runs for seconds, to try things out; not together with `constants`.
        overwrite: Whether results in `out` may be replaced; a published model never is.
        **options: Constants to change, by name, or a dataclass of them all as `constants`; and
            what else the system's function takes. Texts are read as Python literals.

    Returns:
        The path of the folder.

    Raises:
        InputError: If a name or number cannot be, the corpus is not found, or the folder cannot be
            written.

    Example:
        ```python
        folder = founding.run("s3_vanilla_rnn", max_minutes=20, hidden_units=50)
        ```
    """
    if name not in SYSTEMS:
        raise unknown_name("founding system", name, SYSTEMS)
    if max_minutes is not None and not (isinstance(max_minutes, Real) and max_minutes > 0):
        raise InputError(f"`max_minutes` must be above 0, not {max_minutes!r}.")
    if not hasattr(seed, "__index__") or not 0 <= seed < 2**32:
        raise InputError(f"`seed` must be a whole number from 0 to 2**32 - 1, not {seed!r}.")
    module_name, function_name, _ = SYSTEMS[name]
    module = importlib.import_module(f"rnnzoo.founding.{module_name}")
    function = getattr(module, function_name)
    constants = inspect.signature(function).parameters["constants"].default
    given = options.pop("constants", None)
    if given is not None:
        _check_given(given, type(constants), tiny=tiny)
        options = {**vars(given), **options}
    elif tiny:
        max_minutes = max_minutes or TINY_MINUTES
        constants = module.TINY[name] if isinstance(module.TINY, dict) else module.TINY
    constants, arguments = _changed(name, constants, _arguments_of(function), changes=options)
    out = Path("trained") / name if out is None else Path(out)
    check_output(out)
    check_replaces_nothing(out, overwrite=overwrite)
    return function(
        out=out, data_dir=data_dir, max_minutes=max_minutes, seed=seed, constants=constants,
        **arguments,
    )  # fmt: skip


def _check_given(constants, kind, *, tiny):
    if type(constants) is not kind:
        raise InputError(
            f"`constants` must be a {kind.__module__}.{kind.__name__}, not {constants!r}; make "
            "one, or give single constants by their names."
        )
    if tiny:
        raise InputError(
            f"`tiny` has constants of its own, but `constants` is {constants!r}; leave one out."
        )


def _arguments_of(function):
    """The arguments with defaults that a function takes beside those of all systems."""
    common = ("out", "data_dir", "max_minutes", "seed", "constants", "name")
    found = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in common and parameter.default is not parameter.empty:
            found[parameter.name] = parameter.default
    return found


def _changed(name, constants, arguments, changes):
    """The constants with some of them changed, and what is to be passed on."""
    fields = {field.name: getattr(constants, field.name) for field in dataclasses.fields(constants)}
    known = fields | arguments
    optional = {
        field.name for field in dataclasses.fields(constants) if type(None) in get_args(field.type)
    }
    changes = {
        key: _as_kind(name, key, value, known=known, optional=optional)
        for key, value in changes.items()
    }
    constants = dataclasses.replace(
        constants, **{key: value for key, value in changes.items() if key in fields}
    )
    return constants, {key: value for key, value in changes.items() if key not in fields}


def _as_kind(name, key, value, known, optional):
    """The value, of the kind of what it replaces; `None` can be replaced by all."""
    if key not in known:
        raise unknown_name(f"constant of {name}", key, known)
    before = known[key]
    if isinstance(value, str) and not isinstance(before, str):
        try:
            value = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            pass  # it stays a text, which may be refused below
    if isinstance(before, float) and type(value) is int:
        value = float(value)
    if isinstance(before, tuple) and isinstance(value, list):
        value = tuple(value)  # as JSON has it, and so the record of a run
    may_be_none = value is None and key in optional
    if before is not None and not may_be_none and type(value) is not type(before):
        raise InputError(
            f"The constant {key!r} of {name} must be of the kind of {before!r}, not {value!r}."
        )
    return value
