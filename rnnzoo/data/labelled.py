"""Texts with a label each, from files: JSONL and CSV."""

from collections.abc import Iterator
from pathlib import Path

from rnnzoo.data.pairs import csv_rows
from rnnzoo.data.reading import check_characters, jsonl_objects
from rnnzoo.errors import InputError

Labelled = tuple[str, str]


def read_labelled(path: str | Path) -> list[Labelled]:
    r"""Reads texts with a label each.

    Args:
        path: A `.jsonl` file whose lines have the fields `text` and `label` (a text or a whole
            number), or a `.csv` file whose first row names two columns so; gzipped or not.

    Returns:
        A list of `(text, label)`.

    Raises:
        InputError: If the file cannot be read, has another name, or a line has no text or label;
            it names the line.

    Example:
        >>> _ = Path("reviews.csv").write_text('text,label\n"Well made, and funny",good\n')
        >>> read_labelled("reviews.csv")
        [('Well made, and funny', 'good')]
    """
    path = Path(path)
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".jsonl"):
        found = [(number, row.get("text"), row.get("label")) for number, row in jsonl_objects(path)]
    elif name.endswith(".csv"):
        found = list(_of_csv(path))
    else:
        raise InputError(
            f"Texts with labels come as a .jsonl file with the fields text and label, or as a .csv "
            f"file with such columns, not as {path.name!r}."
        )
    items = []
    for number, text, label in found:
        label = str(label) if isinstance(label, int) and not isinstance(label, bool) else label
        if not all(isinstance(part, str) and part.strip() for part in (text, label)):
            raise InputError(
                f"Line {number} of {path} must have a text and a label, not {text!r:.60} and "
                f"{label!r:.60}."
            )
        if len(label.strip().splitlines()) > 1:
            raise InputError(f"The label in line {number} of {path} has several lines: {label!r}.")
        check_characters(text, field="text", number=number, path=path)
        check_characters(label, field="label", number=number, path=path)
        items.append((text, label.strip()))
    if not items:
        raise InputError(f"{path} holds no text with a label; give a file with rows in it.")
    return items


def _of_csv(path: Path) -> Iterator[tuple[int, str | None, str | None]]:
    rows = csv_rows(path)
    _, first = next(rows)
    names = [name.strip().lower() for name in first]
    if not {"text", "label"} <= set(names):
        raise InputError(
            f"{path} has the columns {', '.join(first)[:80]}; call one of them text and one label, "
            "in its first row."
        )
    at = [names.index("text"), names.index("label")]
    for number, row in rows:
        yield number, *(row[i] if i < len(row) else None for i in at)
