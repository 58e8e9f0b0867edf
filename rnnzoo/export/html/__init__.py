"""Export as one HTML page: a model that runs in a browser, without a server or a network."""

import html
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import keras

from rnnzoo.errors import InputError
from rnnzoo.export.html.describe import describe
from rnnzoo.export.html.pack import Arrays
from rnnzoo.files import write_atomically
from rnnzoo.version import __version__

ENGINE = ("network.js", "vocabulary.js", "random.js", "sampling.js", "writer.js")
PAGE = ("shading.js", "reading.js", "page.js")


def export_html(
    model: keras.Model,
    filepath: str | os.PathLike,
    *,
    weights: str = "float16",
    title: str | None = None,
    prompt: str = "",
    verbose: bool | None = None,
) -> None:
    """Writes a model as a single HTML file that writes, or translates, in any modern browser.

    The file holds weights, vocabulary and program. It opens by a double click, loads nothing and
    sends nothing.

    Args:
        model: A language model or a translator with vocabularies; of LSTM, GRU or SimpleRNN
            layers, not quantized.
        filepath: The file to write, `.html`; one that exists is replaced.
        weights: How matrices are stored: `"float16"`, or `"int8"` with a scale per output, half as
            large. Vectors are float32.
        title: The heading of the page; the name of the file without its suffix when left out.
        prompt: The text that stands in the field for the prompt when the page is opened.
        verbose: Whether to print what was written; `True` when left out.

    Raises:
        InputError: If the model has a part that a page cannot compute, an argument is not valid,
            or the file cannot be written; then nothing is written.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> export_html(model, "romeo.html", title="Romeo", verbose=False)
    """
    path = Path(filepath)
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder, but a page is a file; give another name.")
    if title is None:
        title = path.stem.encode("utf-8", "replace").decode()
    texts = {"title": str(title), "prompt": str(prompt)}
    for name, text in texts.items():
        _check_characters(name, text)
    arrays = Arrays(weights)
    described = describe(model, arrays) | {
        **texts,
        "weights": weights,
        "parameters": model.count_params(),
        "arrays": arrays.index,
        "version": __version__,
    }
    page = make_page(described, arrays.base64())
    try:
        write_atomically(path, page)
    except OSError as error:
        raise InputError(
            f"The page cannot be written to {str(path)!r} ({error.strerror or error}); give a file "
            "in a folder that exists, may be written to and has free space."
        ) from error
    if verbose is not False:
        print(f"Exported to {str(path)!r}: a page of {len(page.encode()) / 1e6:.1f} MB.")


def make_page(description: dict[str, Any], data: str) -> str:
    """Puts the page together.

    Args:
        description: The model, as `describe` gives it, with the page's `title` and `prompt`.
        data: The weights in base64.

    Returns:
        The HTML.
    """
    # Within a script nothing but "<" can begin the tag that ends it, and JSON may escape it.
    as_json = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
    parts = {
        "title": html.escape(description["title"]),
        "style": _read("page.css"),
        "engine": "\n".join(map(_read, ENGINE)),
        "sheet": _read("sheet.html"),
        "page": "\n".join(map(_read, PAGE)),
        "description": as_json.replace("<", "\\u003c"),
        "data": data,
    }
    pieces = _read("page.html").split("{{")  # a single pass: what is put in is not read again
    whole = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        whole += [parts[name], rest]
    return "".join(whole)


def _check_characters(name: str, text: str) -> None:
    """Refuses half of a surrogate pair, of which a file of UTF-8 can hold none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"`{name}` ({text!r}) holds half of a surrogate pair, or a byte that is not UTF-8; "
            "leave that out."
        ) from None


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text("utf-8")
