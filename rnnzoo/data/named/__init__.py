"""The named corpora, one file each.

A file `NAME.py` here is the corpus `NAME`: `load(*, seed, data_dir, ...)` returns a `Corpus`, and
`ABOUT` says where it comes from and what its terms allow. Nothing else needs to know of it.
"""

import importlib
import pkgutil
from types import ModuleType

from rnnzoo.errors import unknown_name


def names() -> list[str]:
    """Lists the corpora."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if not name.startswith("_"))


def find(name: str) -> ModuleType:
    """Returns the module of a corpus.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in names():
        raise unknown_name("corpus", name, names())
    return importlib.import_module(f"{__name__}.{name}")
