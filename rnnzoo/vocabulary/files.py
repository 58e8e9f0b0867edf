"""The JSON file of a vocabulary."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rnnzoo.errors import InputError
from rnnzoo.files import atomic_path

_FORMAT, _VERSION = "rnnzoo vocabulary", 2


def to_json(config: dict) -> bytes:
    """Gives the content of the file for a vocabulary's configuration."""
    content = {"format": _FORMAT, "version": _VERSION, **config}
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def write(content: bytes, path: str | os.PathLike) -> None:
    """Writes the file, whole or not at all; replaces one that exists.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be written ({error.strerror}); give a file in a folder that "
            "exists and may be written to."
        ) from error


def read(path: str | os.PathLike, make: Callable[[dict], Any]) -> Any:
    """Reads the file.

    Args:
        path: The file.
        make: Makes the vocabulary out of its configuration.

    Returns:
        The vocabulary.

    Raises:
        InputError: If the file is missing, truncated, something else, or of a newer version.
    """
    fault = "holds no vocabulary, or a damaged one"
    try:
        content = json.loads(Path(path).read_bytes())
        if content.pop("format") == _FORMAT:
            version = content.pop("version")
            if version in (1, _VERSION):
                return make(content)
            fault = f"is of format version {version!r}, not 1 or {_VERSION}: update rnnzoo"
    except InputError:
        raise
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
    except (ValueError, RecursionError):
        fault = "is truncated or no JSON"
    except (AttributeError, KeyError, TypeError):
        pass
    raise InputError(f"The file {str(path)!r} {fault}; give one that `Vocabulary.save` wrote.")
