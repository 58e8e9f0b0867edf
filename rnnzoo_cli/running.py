"""What every command does: imports rnnzoo late, tells mistakes in one sentence, prints safely."""

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator

import typer


def run(main: Callable) -> None:
    """Runs a script's `main` as a command line."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(main)
    app()


@contextlib.contextmanager
def errors_in_a_sentence(aborted: str = "Aborted.", *, keras: bool = True) -> Iterator[None]:
    """Imports rnnzoo without TensorFlow's log, and says mistakes in one sentence, exit code 2.

    Args:
        aborted: What Ctrl-C says.
        keras: Whether the command needs Keras, whose import takes seconds.
    """
    with contextlib.nullcontext() if keras else without_keras():
        from rnnzoo.errors import InputError
        from rnnzoo.terminal import quiet_start, say_what_was_escaped, write_any_text

        write_any_text()
        try:
            if keras:
                with quiet_start():
                    look_at_devices()
            yield
        except InputError as error:
            fail(str(error))
        except BrokenPipeError:  # `| head` has read enough
            sys.stderr.close()
            raise typer.Exit(0) from None
        except OSError as error:
            name = error.filename or "A file"
            fail(f"{name}: {error.strerror or error}. Nothing more was written.")
        except KeyboardInterrupt:
            fail(aborted, code=130)
        finally:
            with contextlib.suppress(OSError, ValueError):
                say_what_was_escaped()


def fail(sentence: str, code: int = 2) -> None:
    """Prints an error and ends the program."""
    print(f"Error: {sentence}", file=sys.stderr)
    raise typer.Exit(code)


def look_at_devices() -> None:
    """Looks for GPUs, which TensorFlow logs at length the first time."""
    import keras

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
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "rnnzoo"]:
            del sys.modules[name]


def print_table(content: object) -> None:
    """Prints by rich, without breaking the lines of a table in a pipe or a narrow log."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(content, highlight=False, soft_wrap=isinstance(content, str))
