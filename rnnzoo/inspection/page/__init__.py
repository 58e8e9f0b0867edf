"""A text as one HTML page, shaded by what happened inside the network that read it."""

import html
import json
import os
from collections.abc import Sequence
from importlib import resources
from string import Template

import numpy as np

from rnnzoo.errors import InputError
from rnnzoo.files import write_atomically
from rnnzoo.inspection.record import Inspection
from rnnzoo.inspection.units import activation

BITS = 8.0  # a token of so many bits, 1 in 256, is shaded fully
SURPRISAL = "surprisal, bits"


def save_page(
    record: Inspection,
    path: str | os.PathLike,
    *,
    units: Sequence[tuple] = (),
    title: str = "Inside a recurrent network",
) -> None:
    """Writes a page that shows a text token by token; it needs neither a server nor a network.

    The text is shaded by surprisal, the negative log-probability of each token in bits, or by the
    activation of one unit, chosen in a menu. Pointing at a token, or stepping to it with the arrow
    keys, shows its probability and the five likeliest tokens in its place.

    Args:
        record: What `inspect` returned.
        path: The file to write, `.html`; one that exists is replaced.
        units: The units to shade by: what `find_units` returned, or `(layer, state, unit)` each.
        title: The heading of the page.

    Raises:
        InputError: If the record has no such unit, or the file cannot be written.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm, inspect
        >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
        >>> save_page(inspect(model, "to be"), "to_be.html", units=[(0, "h", 3)])
    """
    surprisal = -record.log_probabilities / np.log(2)
    legend = "darker: less expected"
    views = [{"name": SURPRISAL, "values": _plain(surprisal), "full": BITS, "legend": legend}]
    for unit in units:
        values = activation(record, unit)
        views.append(
            {
                "name": f"{record.layers[unit[0]].name}, {unit[1]}, unit {unit[2]}",
                "values": _plain(values),
                "full": float(np.abs(values).max()) or 1.0,
                "legend": "red: above zero, blue: below",
            }
        )
    shown = json.dumps({"tokens": _tokens(record), "views": views}, ensure_ascii=False)
    page = Template(_read("page.html")).substitute(
        title=html.escape(title),
        style=_read("page.css"),
        script=_read("page.js"),
        record=shown.replace("<", "\\u003c"),  # nothing else ends a script
    )
    try:
        write_atomically(path, page)
    except OSError as error:
        raise InputError(
            f"The page cannot be written to {str(path)!r} ({error.strerror or error}); give a file "
            "in a folder that exists and may be written to."
        ) from error


def _tokens(record):
    """What the page shows of each token."""
    probabilities = np.exp(record.alternative_log_probabilities.astype("float64"))
    others = [
        list(zip(texts, row.round(5).tolist(), strict=False))
        for texts, row in zip(record.alternatives, probabilities, strict=True)
    ]
    columns = (
        record.tokens,
        _plain(np.exp(record.log_probabilities.astype("float64"))),
        record.ranks.tolist(),
        others,
    )
    names = ("text", "probability", "rank", "alternatives")
    return [dict(zip(names, each, strict=True)) for each in zip(*columns, strict=True)]


def _plain(values):
    """Numbers for JSON, which has no NaN."""
    return [None if np.isnan(value) else round(float(value), 5) for value in values]


def _read(name):
    return resources.files(__name__).joinpath(name).read_text("utf-8")
