"""What reaches the terminal: not TensorFlow's log of its own start, and every text as it can."""

import codecs
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Lines of information and warnings, as TensorFlow's libraries write them before they are set up.
LOG_LINE = re.compile(
    r"WARNING: All log messages before absl|To enable the following instructions:"
    r"|[IW]\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "
)


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Imports TensorFlow, or what imports it, without the lines that it logs about its start.

    Everything else that is written to stderr meanwhile follows at the end, errors too. Nothing is
    done where TensorFlow is imported already, or `TF_CPP_MIN_LOG_LEVEL` asks for its log (0 or 1).

    Example:
        >>> with quiet_start():
        ...     import keras
    """
    if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2") < "2":
        yield
        return
    # Where there is no NVIDIA driver, TensorFlow logs as errors that it has found none.
    driver = Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if driver else "3")
    with stderr_without(LOG_LINE):
        yield


@contextlib.contextmanager
def stderr_without(pattern: re.Pattern) -> Iterator[None]:
    """Holds back what is written to stderr, by libraries too, and then writes the other lines.

    Args:
        pattern: What lines to leave out begin with.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):  # there is no stderr
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            for line in written:
                if not pattern.match(line.decode(errors="replace")):
                    os.write(2, line)


def write_any_text() -> None:
    """Lets stdout and stderr write as escapes what their encoding lacks, instead of failing.

    A terminal in cp1252 or ASCII cannot show every text that a model writes. What is escaped,
    `say_what_was_escaped` tells.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and getattr(stream, "errors", None) == "strict":
            stream.reconfigure(errors=_HANDLER)
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors=_HANDLER)


def say_what_was_escaped() -> None:
    """Says on stderr which characters the terminal's encoding lacks, if any were to be written."""
    if sys.stdout is not None:
        sys.stdout.flush()
    if _escaped:
        some = ", ".join(ascii(symbol) for symbol in sorted(_escaped)[:20])
        more = f" and {len(_escaped) - 20} more" if len(_escaped) > 20 else ""
        encoding = getattr(sys.stdout, "encoding", None)
        print(
            f"Note: the encoding {encoding} of this terminal or pipe lacks {some}{more}; written "
            "as such escapes. The environment variable PYTHONIOENCODING=utf-8 writes them whole.",
            file=sys.stderr,
        )
        _escaped.clear()


_HANDLER = "rnnzoo.escape"
_escaped: set[str] = set()


def _escape(error):
    """Writes an escape, and notes of what."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    _escaped.update(error.object[error.start : error.end])
    return codecs.backslashreplace_errors(error)


codecs.register_error(_HANDLER, _escape)
