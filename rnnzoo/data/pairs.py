"""Pairs of sentences from files: tab-separated columns, CSV, JSONL, two files side by side."""

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from rnnzoo.data.reading import jsonl_rows, read_lines
from rnnzoo.errors import InputError

Pair = tuple[str, str]


def read_tab_separated(path: str | Path) -> list[Pair]:
    r"""Reads a source sentence, a tab and its translation from every line.

    Further columns are left out, such as the credits that Anki's files of
    https://www.manythings.org/anki/ have in a third. Blank lines are passed over, white space
    around a sentence goes.

    Args:
        path: The file, UTF-8, gzipped or not.

    Returns:
        The pairs, `(source, target)`.

    Raises:
        InputError: If the file cannot be read or a line has no two sentences; it names the line.

    Example:
        >>> _ = Path("pairs.txt").write_text("Go.\tVe.\tCC-BY 2.0 (tatoeba.org)\n")
        >>> read_tab_separated("pairs.txt")
        [('Go.', 'Ve.')]
    """
    pairs = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) < 2 or not all(columns[:2]):
            raise InputError(
                f"Line {number} of {path} must be a source sentence, a tab and its translation, "
                f"not {line[:60]!r}."
            )
        pairs.append((columns[0], columns[1]))
    return _some(pairs, path)


def read_csv_pairs(path: str | Path) -> list[Pair]:
    r"""Reads pairs from a CSV file.

    The columns are those that the first row calls `source` and `target`; without such names the
    file must have two columns, and the first row is a pair, too. Fields may be quoted and then
    hold commas and line ends. Where the first row has semicolons and no comma, they separate the
    columns. White space around a sentence goes.

    Args:
        path: The file, UTF-8, gzipped or not.

    Returns:
        The pairs, `(source, target)`.

    Raises:
        InputError: If the file cannot be read or a row lacks a sentence; it names the line.

    Example:
        >>> _ = Path("pairs.csv").write_text('id,source,target\n1,"Well, go!","¡Ve!"\n')
        >>> read_csv_pairs("pairs.csv")
        [('Well, go!', '¡Ve!')]
    """
    rows = csv_rows(path)
    number, first = next(rows)
    names = [name.strip().lower() for name in first]
    if {"source", "target"} <= set(names):
        at = names.index("source"), names.index("target")
    elif len(first) == 2:
        at, rows = (0, 1), itertools.chain([(number, first)], rows)
    else:
        raise InputError(
            f"{path} has {len(first)} columns ({', '.join(first)[:80]}); call two of them source "
            "and target in its first row."
        )
    pairs = []
    for number, row in rows:
        pair = tuple(row[i].strip() if i < len(row) else "" for i in at)
        if not all(pair):
            raise InputError(
                f"Line {number} of {path} must have a source sentence and its translation, not "
                f"{', '.join(row)[:60]!r}."
            )
        pairs.append(pair)
    return _some(pairs, path)


def read_jsonl_pairs(path: str | Path) -> list[Pair]:
    r"""Reads the fields `source` and `target` of every line of a JSONL file, as they are.

    Args:
        path: The file, UTF-8, gzipped or not. Blank lines are passed over.

    Returns:
        The pairs, `(source, target)`.

    Raises:
        InputError: If the file cannot be read, or a line has no two sentences; it names the line.

    Example:
        >>> _ = Path("pairs.jsonl").write_text('{"source": "Go.", "target": "Ve."}\n')
        >>> read_jsonl_pairs("pairs.jsonl")
        [('Go.', 'Ve.')]
    """
    pairs = []
    for number, pair in jsonl_rows(path, ("source", "target")):
        if not all(map(str.strip, pair)):
            raise InputError(
                f"Line {number} of {path} must have a source sentence and its translation, not "
                f"{pair[0]!r:.60} and {pair[1]!r:.60}."
            )
        pairs.append(pair)
    return _some(pairs, path)


def read_parallel(source_path: str | Path, target_path: str | Path) -> list[Pair]:
    r"""Reads two files whose lines translate each other, as Moses and the WMT tasks have them.

    Lines that are blank in both are passed over; white space around a sentence goes.

    Args:
        source_path: The file of source sentences, one a line, UTF-8, gzipped or not.
        target_path: The file of their translations, with as many lines.

    Returns:
        The pairs, `(source, target)`.

    Raises:
        InputError: If a file cannot be read, one has more lines, or a line is blank in one alone;
            it names the line.

    Example:
        >>> _ = Path("train.en").write_text("Go.\nStay.\n")
        >>> _ = Path("train.es").write_text("Ve.\nQuédate.\n")
        >>> read_parallel("train.en", "train.es")
        [('Go.', 'Ve.'), ('Stay.', 'Quédate.')]
    """
    paths, pairs = (source_path, target_path), []
    lines = itertools.zip_longest(read_lines(source_path), read_lines(target_path))
    for number, pair in enumerate(lines, start=1):
        if None in pair:
            shorter = paths[pair.index(None)]
            longer = paths[1 - pair.index(None)]
            raise InputError(
                f"{longer} has more lines than {shorter}, which ends before line {number}; both "
                "must have the same sentences, line by line."
            )
        source, target = (line.strip() for line in pair)
        if source and target:
            pairs.append((source, target))
        elif source or target:
            raise InputError(
                f"Line {number} is blank in {paths[bool(source)]} and not in "
                f"{paths[not source]}; give both a sentence there, or neither."
            )
    return _some(pairs, source_path)


def csv_documents(path: str | Path) -> list[str] | None:
    """Reads the column `text` of a CSV file, or returns None where the first row names none."""
    rows = csv_rows(path)
    _, first = next(rows)
    names = [name.strip().lower() for name in first]
    if "text" not in names:
        return None
    at = names.index("text")
    return [row[at] for _, row in rows if at < len(row) and row[at].strip()]


def csv_rows(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows of a CSV file that are not blank, with the line each ends in.

    Raises:
        InputError: If the file cannot be read, has no row, or a quote is not closed.
    """
    lines = (line + "\n" for line in read_lines(path))
    first = next(lines)
    delimiter = ";" if ";" in first and "," not in first else ","
    before = csv.field_size_limit(sys.maxsize)  # a document may be long
    try:
        rows = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
        found = False
        for row in rows:
            if any(field.strip() for field in row):
                found = True
                yield rows.line_num, row
    except csv.Error as error:
        raise InputError(
            f"{path} is no CSV file that can be read ({error}, line {rows.line_num}); quote every "
            'field that has a comma, a quote or a line end, and write a quote in it as "".'
        ) from None
    finally:
        csv.field_size_limit(before)
    if not found:
        raise InputError(f"{path} holds only blank lines; give a CSV file with rows in it.")


def _some(pairs, path):
    if not pairs:
        raise InputError(f"{path} holds only blank lines; give a file with sentences in it.")
    return pairs
