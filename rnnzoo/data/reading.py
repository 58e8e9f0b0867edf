"""Text files, gzipped or not, read in chunks; every way a file can be wrong is one sentence."""

import codecs
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnnzoo.data.corpus import CHUNK_SIZE
from rnnzoo.data.encodings import guess_encoding
from rnnzoo.errors import InputError


def read_chunks(path: str | Path, size: int = CHUNK_SIZE) -> Iterator[str]:
    r"""Yields the text of a UTF-8 file in strings of at most `size` characters.

    A gzipped file is unpacked on the way (it is known by its first bytes, not by its name). A
    byte order mark is dropped and `\r\n` and `\r` become `\n`.

    Args:
        path: The file.
        size: The most characters in a chunk.

    Returns:
        An iterator over strings, none of them empty.

    Raises:
        InputError: If the file is missing, not readable, a folder, empty, binary, not UTF-8, or
            a broken gzip file.
    """
    utf8 = codecs.getincrementaldecoder("utf-8")()
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    offset, begun_text, started = 0, False, False
    for chunk in _read_bytes(Path(path), size):
        if b"\0" in chunk:
            raise _not_utf8(path, f"it has a NUL byte at byte {offset + chunk.index(0)}")
        begun = len(utf8.getstate()[0])  # bytes of a character that the last chunk cut off
        try:
            # the empty chunk at the end flushes both decoders
            text = newlines.decode(utf8.decode(chunk, final=not chunk), final=not chunk)
        except UnicodeDecodeError as error:
            place = offset - begun + error.start
            raise _not_utf8(path, f"byte {place} cannot be decoded") from None
        offset += len(chunk)
        if text and not begun_text:
            begun_text, text = True, text.removeprefix("\ufeff")
        started = started or bool(text)
        # a newline held back from the last chunk can make a text one character too long
        yield from (text[start : start + size] for start in range(0, len(text), size))
    if not started:
        raise InputError(f"{path} is empty; give a file with text in it.")


def read_text(path: str | Path) -> str:
    """Reads a whole text file, as `read_chunks` does."""
    return "".join(read_chunks(path))


def read_lines(path: str | Path) -> Iterator[str]:
    r"""Yields the lines of a text file without their `\n`; no other character ends a line."""
    rest = ""
    for chunk in read_chunks(path):
        *lines, rest = (rest + chunk).split("\n")
        yield from lines
    if rest:
        yield rest


def read_jsonl(path: str | Path, fields: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yields the named string fields of every line of a JSONL file; blank lines are passed over.

    Args:
        path: The file, one JSON object a line, gzipped or not.
        fields: The fields wanted, such as `("text",)`.

    Returns:
        An iterator over tuples of strings.

    Raises:
        InputError: If a line is not a JSON object or lacks a field; it names the line.
    """
    return (values for _, values in jsonl_rows(path, fields))


def jsonl_rows(path: str | Path, fields: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yields what `read_jsonl` does, each with the number of its line."""
    for number, row in jsonl_objects(path):
        values = tuple(row.get(field) for field in fields)
        for field, value in zip(fields, values, strict=True):
            if not isinstance(value, str):
                found = f"is {value!r}" if field in row else "is absent"
                raise InputError(
                    f'Line {number} of {path} must have a string field "{field}", but it {found}.'
                )
            check_characters(value, field=field, number=number, path=path)
        yield number, values


def check_characters(value: str, *, field: str, number: int, path: str | Path) -> None:
    """Refuses half of a surrogate pair, which JSON may hold and UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(
            f'The field "{field}" in line {number} of {path} holds half of a surrogate pair, which '
            "is no character; write the character itself."
        ) from None


def jsonl_objects(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the objects of a JSONL file, each with the number of its line; passes over blank ones.

    Raises:
        InputError: If a line is not a JSON object; it names the line.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            yield number, _json_object(path, number, line)


def jsonl_fields(path: str | Path) -> tuple[str, ...]:
    """Says what a JSONL file holds, by its first line: documents or pairs.

    Args:
        path: The file.

    Returns:
        `("text",)` or `("source", "target")`.

    Raises:
        InputError: If its first line has neither.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            row = _json_object(path, number, line)
            for fields in (("source", "target"), ("text",)):
                if all(field in row for field in fields):
                    return fields
            raise InputError(
                f'Line {number} of {path} needs a field "text" (documents), or the fields "source" '
                f'and "target" (pairs); it has {", ".join(row) or "none"}.'
            )
    raise InputError(f"{path} holds only blank lines; give a JSONL file with rows in it.")


def text_files(folder: Path) -> list[Path]:
    """Lists the `.txt` and `.txt.gz` files of a folder and its subfolders, by name."""
    try:
        paths = [*folder.rglob("*.txt"), *folder.rglob("*.txt.gz")]
        return sorted(path for path in paths if path.is_file())
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be read: {error.strerror or error}; check that it is "
            "there and may be read."
        ) from None


def current_folder() -> str:
    """The current folder, in words: it may have been deleted."""
    try:
        return f"the current folder is {Path.cwd()}"
    except OSError:
        return "the current folder is gone"


def _not_utf8(path, why):
    """The error for a file in another encoding; it names the likely one, if there is one."""
    likely = guess_encoding(next(_read_bytes(Path(path), 1 << 16)))
    if likely is None and "NUL" in why:
        return InputError(
            f"{path} is binary, or text in another encoding: {why}; give a plain UTF-8 text file."
        )
    if likely is None:
        return InputError(
            f"{path} is not UTF-8 text: {why}; save it as UTF-8, or convert it with iconv, which "
            "wants to know its encoding."
        )
    return InputError(
        f"{path} is not UTF-8 text: {why}; it looks like {likely} (a guess), so convert it, for "
        f"example with `iconv -f {likely} -t UTF-8 {path} > new.txt`."
    )


def _json_object(path, number, line):
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"Line {number} of {path} is not JSON ({error.msg}, column {error.colno}); a JSONL "
            "file holds one JSON object a line."
        ) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, deep nesting
        reason = "nested too deeply" if isinstance(error, RecursionError) else "a number too long"
        raise InputError(
            f"Line {number} of {path} holds JSON that cannot be read ({reason}); take it out."
        ) from None
    if not isinstance(row, dict):
        raise InputError(
            f"Line {number} of {path} must be a JSON object with named fields, not {line[:40]!r}."
        )
    return row


def _read_bytes(path, size):
    """Yields the unpacked bytes of a file, and at the end one empty chunk."""
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder; name a file in it.")
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            stream = gzip.GzipFile(fileobj=file) if packed else file
            while chunk := stream.read(size):
                yield chunk
    except FileNotFoundError:
        raise InputError(f"There is no file {path} ({current_folder()}); check the path.") from None
    except PermissionError:
        raise InputError(f"{path} may not be read; check its permissions.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} is a damaged or truncated gzip file ({error}); fetch it again."
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    yield b""
