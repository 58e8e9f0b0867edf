"""What a user can get wrong, as one clear sentence."""

import difflib
import importlib
import inspect
import numbers
import reprlib
import warnings
from collections.abc import Callable, Iterable
from typing import Any


class InputError(ValueError):
    """A mistake in what the user typed or passed: a path, a name, a size, a text.

    The message is one sentence that names the value, what was expected and what to do. The
    scripts print it without a traceback and exit with code 2; in Python it is a `ValueError`.

    Example:
        >>> raise InputError("`units` must be a positive whole number, not -3.")
        Traceback (most recent call last):
        ...
        rnnzoo.errors.InputError: `units` must be a positive whole number, not -3.
    """


def check_positive(most: int | None = None, /, **sizes: int | None) -> None:
    """Checks that every named size is a whole number of at least 1.

    Args:
        most: The largest that is allowed; `None` for any.
        **sizes: The sizes by their argument names; `None` is passed over.

    Raises:
        InputError: If one is not.

    Example:
        >>> check_positive(units=128, num_layers=2)
        >>> check_positive(1_000_000, max_new_tokens=3_000_000_000)
        Traceback (most recent call last):
        ...
        rnnzoo.errors.InputError: `max_new_tokens` must be at most 1000000, not 3000000000.
    """
    for name, value in sizes.items():
        if value is None:
            continue
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
        if not whole or value < 1:
            raise InputError(f"`{name}` must be a whole number of at least 1, not {value!r}.")
        if most is not None and value > most:
            raise InputError(f"`{name}` must be at most {most}, not {reprlib.repr(value)}.")


def check_fraction(**fractions: float) -> None:
    """Checks that every named fraction is at least 0 and below 1.

    Args:
        **fractions: The fractions, such as a dropout rate, by their argument names.

    Raises:
        InputError: If one is not.

    Example:
        >>> check_fraction(dropout=0.5)
    """
    for name, value in fractions.items():
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not real or not 0 <= value < 1:
            raise InputError(f"`{name}` must be at least 0 and below 1, not {value!r}.")


def check_not_negative(name: str, value: float) -> None:
    """Checks that a number is at least 0."""
    if not (isinstance(value, numbers.Real) and value >= 0):
        raise InputError(f"`{name}` must be at least 0, not {value!r}.")


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Makes the error for a name that nothing has, with the nearest names that exist.

    Args:
        kind: What was requested, such as `"corpus"`.
        name: The name that was given.
        known: The names that exist.

    Returns:
        The error, for the caller to raise.

    Example:
        >>> str(unknown_name("sampler", "gredy", ["greedy", "temperature"]))
        "No sampler is called 'gredy'; did you mean 'greedy'? There are: greedy, temperature."
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
    return InputError(f"No {kind} is called {name!r}{hint} There are: {', '.join(known)}.")


# Names of arguments that users of other libraries type, and the name that ours has.
OTHER_NAMES = {
    "hidden_size": "units", "hidden_dim": "units", "hidden_units": "units", "num_units": "units",
    "n_hidden": "units", "rnn_units": "units", "latent_dim": "units", "state_size": "units",
    "lstm_units": "units", "gru_units": "units", "d_model": "units", "width": "units",
    "layers": "num_layers", "n_layers": "num_layers", "num_hidden_layers": "num_layers",
    "depth": "num_layers", "n_layer": "num_layers",
    "embedding_size": "embedding_dim", "embed_dim": "embedding_dim", "emb_dim": "embedding_dim",
    "embedding_dims": "embedding_dim", "embed_size": "embedding_dim", "n_embd": "embedding_dim",
    "dropout_rate": "dropout", "drop_rate": "dropout", "p_dropout": "dropout", "drop": "dropout",
    "cell_type": "cell", "rnn_type": "cell", "rnn_cell": "cell", "rnn": "cell",
    "weight_tying": "tie_embedding_weights", "tie_weights": "tie_embedding_weights",
    "tie_word_embeddings": "tie_embedding_weights", "tied": "tie_embedding_weights",
    "vocab": "vocabulary", "vocab_size": "vocabulary", "tokenizer": "vocabulary",
    "src_vocab": "source_vocabulary", "tgt_vocab": "target_vocabulary",
    "lr": "learning_rate", "batch": "batch_size", "n_epochs": "epochs", "num_epochs": "epochs",
    "seq_length": "sequence_length", "seq_len": "sequence_length", "bptt": "sequence_length",
    "maxlen": "sequence_length", "clip_norm": "clipnorm", "max_grad_norm": "clipnorm",
    "grad_clip": "clipnorm", "max_length": "max_new_tokens", "max_tokens": "max_new_tokens",
    "max_gen_len": "max_new_tokens", "num_beams": "beam_width", "beam_size": "beam_width",
    "n_beams": "beam_width", "random_seed": "seed", "random_state": "seed",
}  # fmt: skip


def check_names(function: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuses arguments that a function does not take, and says what they are called here.

    Args:
        function: What was called, such as `"char_lstm"`.
        given: The names of the arguments that were given.
        known: The names that it takes.

    Raises:
        InputError: If it does not take one of them.

    Example:
        >>> check_names("char_lstm", ["hidden_size"], ["units", "num_layers"])
        Traceback (most recent call last):
        ...
        rnnzoo.errors.InputError: `char_lstm` takes no `hidden_size`; here that is called `units`.
    """
    known = sorted(known)
    for name in given:
        if name in known:
            continue
        ours = OTHER_NAMES.get(name)
        if ours in known:
            raise InputError(f"`{function}` takes no `{name}`; here that is called `{ours}`.")
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
        hint = f"did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
        raise InputError(
            f"`{function}` takes no `{name}`; {hint or 'it takes ' + ', '.join(known) + '.'}"
        )


def check_keras_arguments(function: Callable, given: Iterable[str]) -> None:
    """Refuses further arguments of a builder that `keras.Model` does not take either.

    Args:
        function: The builder, whose own arguments have names that may have been meant.
        given: The names of what it hands on to `keras.Model`.

    Raises:
        InputError: If one is no argument of a model.
    """
    known = {"dtype", "trainable", "activity_regularizer", "autocast"}
    known |= inspect.signature(function).parameters.keys() - {"kwargs"}
    check_names(function.__name__, given, known)


def moved(old: str, new: str) -> Callable[[str], Any]:
    """Makes the `__getattr__` of a module whose content has moved; it warns of the old place.

    Args:
        old: Name of the module.
        new: Name of the one that has the content now.
    """

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(new), name)
        warnings.warn(
            f"{old} is now {new}; import it from there.", DeprecationWarning, stacklevel=2
        )
        return found

    return __getattr__
