"""What every command does: imports rnnzoo late, tells mistakes in one sentence, prints safely."""

import contextlib
import importlib.util
import inspect
import json
import os
import sys
import types
from collections.abc import Callable, Iterator

import typer


def run(main: Callable) -> None:
    """Runs a script's `main` as a command line."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(context_settings=SETTINGS, help=help_of(main.__doc__))(main)
    app()


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def help_of(docstring: str) -> str:
    """A docstring as help: its examples keep their lines."""
    text, heading, examples = inspect.cleandoc(docstring).partition("Examples:\n")
    if not heading:
        return text
    kept = examples.rstrip().replace("\n\n", "\n")
    return f"{text}\b\n{heading}{kept}"  # typer wraps no paragraph that begins with this mark


@contextlib.contextmanager
def errors_in_a_sentence(aborted: str = "Aborted.", *, keras: bool = True) -> Iterator[None]:
    """Imports rnnzoo without TensorFlow's log, and says mistakes in one sentence, exit code 2.

    Args:
        aborted: What Ctrl-C says.
        keras: Whether the command needs Keras, whose import takes seconds.
    """
    try:
        with contextlib.nullcontext() if keras else without_keras(), _mistakes():
            from rnnzoo.terminal import quiet_start, say_what_was_escaped, write_any_text

            write_any_text()
            if keras:
                with quiet_start():
                    look_at_devices()
            try:
                yield
                sys.stdout.flush()
            finally:
                with contextlib.suppress(OSError, ValueError):
                    say_what_was_escaped()
    except KeyboardInterrupt:  # also while rnnzoo is imported
        fail(aborted, code=130)


@contextlib.contextmanager
def _mistakes():
    """Says in one sentence what was wrong; a reader that has read enough is nothing wrong."""
    from rnnzoo.errors import InputError

    try:
        yield
    except InputError as error:
        fail(str(error))
    except MemoryError as error:
        fail(f"There is too little memory ({str(error) or 'it is full'}); ask for less at once.")
    except BrokenPipeError:  # `| head` has read enough
        _write_no_more()
        raise typer.Exit(0) from None
    except OSError as error:
        name = error.filename or "A file"
        fail(f"{name}: {error.strerror or error}. Nothing more was written.")


def _write_no_more():
    """Sends what is still to be written nowhere, as Python complains of it otherwise."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def load_able(name: str, method: str):
    """Loads a model that has a method, such as `translate`.

    Raises:
        InputError: If it lacks it; says what it does instead, and by which command.
    """
    from rnnzoo import zoo
    from rnnzoo.errors import InputError

    loaded = zoo.load(name)
    if not hasattr(loaded, method):
        does = {"classify": "classifies", "translate": "translates", "generate": "writes"}
        other = next(each for each in does if hasattr(loaded, each))
        raise InputError(f"{name} does not {method}, it {does[other]}: `rnnzoo {other} {name}`.")
    return loaded


def fail(sentence: str, code: int = 2) -> None:
    """Prints an error and ends the program."""
    print(f"Error: {sentence}", file=sys.stderr)
    raise typer.Exit(code)


def look_at_devices() -> None:
    """Looks for GPUs, which TensorFlow logs at length the first time."""
    import keras

    if keras.config.backend() == "jax":  # logs nothing, and must be called after processes joined
        return
    with contextlib.suppress(RuntimeError, ValueError):
        keras.distribution.list_devices()


@contextlib.contextmanager
def without_keras() -> Iterator[None]:
    """Lets modules of rnnzoo that need no Keras be imported without those that do.

    The package is there, but its `__init__.py`, which imports the models, has not run. Afterwards
    all is as before, so that a later `import rnnzoo` is a whole one.
    """
    if "rnnzoo" in sys.modules:
        yield
        return
    spec = importlib.util.find_spec("rnnzoo")
    sys.modules["rnnzoo"] = importlib.util.module_from_spec(spec)  # not executed
    # Type hints name the classes of models.
    models = types.ModuleType("rnnzoo.models")
    models.LanguageModel = models.Seq2Seq = models.TextClassifier = object
    sys.modules["rnnzoo.models"] = models
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "rnnzoo"]:
            del sys.modules[name]


def print_table(content: object) -> None:
    """Prints by rich, without breaking the lines of a table in a pipe or a narrow log."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 200
    console = Console(width=width, markup=False, emoji=False)  # names may have brackets
    console.print(content, highlight=False, soft_wrap=isinstance(content, str))


def print_json(content: object) -> None:
    """Prints one JSON object on one line, at once: a program may wait for it."""
    print(json.dumps(content, ensure_ascii=False, default=_plain), flush=True)


def print_nothing(json: bool, **blank: object) -> None:
    """Answers a blank line of a pipe: line N of the output belongs to line N of the input.

    Args:
        json: Whether to print an object, not a blank line.
        **blank: What the object has.
    """
    if json:
        print_json(blank)
    else:
        print(flush=True)


def _plain(value):
    """What JSON can hold of a NumPy number or array."""
    return value.tolist()
