"""Texts to work on: arguments, lines of a file, lines of a pipe."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

BLOCK = 256  # lines of a file that are computed together


def texts_or_stdin(texts: Sequence[str] | None, together: int = BLOCK) -> Iterator[list[str]]:
    """Yields the texts of the command line, or the lines of stdin where there are none.

    Args:
        texts: The arguments.
        together: The most lines of a file that are yielded together. Those of a pipe come one by
            one, since who writes them may wait for the answer.

    Raises:
        InputError: If there are no arguments and stdin is a terminal, empty, or not UTF-8.
    """
    from rnnzoo.errors import InputError

    if texts:
        yield list(texts)
        return
    if sys.stdin is None or sys.stdin.isatty():
        raise InputError("There is no text; give one after the model, or lines in a pipe.")
    block, size, any_line = [], together if _is_file(sys.stdin) else 1, False
    with stdin_is_utf8():
        for line in sys.stdin:
            any_line = True
            block.append(line.removesuffix("\n").removesuffix("\r"))
            if len(block) == size:
                yield block
                block = []
    if block:
        yield block
    if not any_line:
        raise InputError("There is no text: stdin is empty; give one after the model, or lines.")


def refuse_blank(texts: Sequence[str] | None) -> None:
    """Refuses blank texts of the command line; a blank line of a pipe has a blank answer instead.

    Raises:
        InputError: If there is one.
    """
    from rnnzoo.errors import InputError

    for number, text in enumerate(texts or [], 1):
        if not text.strip():
            raise InputError(f"Text {number} is blank ({text!r}); give one with words.")


@contextlib.contextmanager
def stdin_is_utf8() -> Iterator[None]:
    """Says in a sentence where what is read from stdin is not UTF-8."""
    from rnnzoo.errors import InputError

    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(
            f"Standard input is not UTF-8 (it has the byte 0x{error.object[error.start]:02x}); "
            "convert it first, for example by `iconv -f latin1 -t utf-8`."
        ) from None


def _is_file(stream):
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError, AttributeError):
        return False


def lines_of_file(path: Path) -> list[str]:
    """The lines of a file as they stand, ended by a newline (with a carriage return or without)."""
    import gzip

    from rnnzoo.data.reading import read_chunks

    for _ in read_chunks(path):  # says what is wrong with the file
        pass
    content = Path(path).read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    lines = content.decode("utf-8-sig").split("\n")
    if lines[-1] == "":
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def on_one_line(text: str) -> str:
    """A text with its line breaks as escapes: line N of the output belongs to line N of a file."""
    return text.replace("\n", "\\n").replace("\r", "\\r")
