"""Rates that a schedule has changed for an epoch, and how they were before it."""

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import keras

# Of layers and optimizers whose rates are changed: the rates by name, as they were.
_BUILT = weakref.WeakKeyDictionary()


def note_built_rate(owner: Any, name: str) -> None:
    """Notes a rate before it is changed.

    Args:
        owner: A layer or an optimizer.
        name: Its attribute.
    """
    _BUILT.setdefault(owner, {})[name] = getattr(owner, name)


def set_rates_back(model: keras.Model) -> None:
    """Sets all rates of a model back that were noted."""
    for owner in _owners(model):
        for name, rate in _BUILT.get(owner, {}).items():
            setattr(owner, name, rate)


def forget_rates(model: keras.Model) -> None:
    """Forgets what was noted of a model: from here on its rates are what they are."""
    for owner in _owners(model):
        _BUILT.pop(owner, None)


@contextlib.contextmanager
def built_rates(model: keras.Model) -> Iterator[None]:
    """Sets the rates of a model back for a while, such as that of a save.

    A file then holds the rates that a resumed training multiplies anew.

    Args:
        model: A model; nothing is done where no schedule has changed its rates.
    """
    noted = [(owner, name) for owner in _owners(model) for name in _BUILT.get(owner, ())]
    changed = [(owner, name, getattr(owner, name)) for owner, name in noted]
    for owner, name in noted:
        setattr(owner, name, _BUILT[owner][name])
    try:
        yield
    finally:
        for owner, name, rate in changed:
            setattr(owner, name, rate)


def inner_optimizer(model: keras.Model) -> keras.optimizers.Optimizer | None:
    """Returns the optimizer of a model without the one that scales the loss around it."""
    optimizer = getattr(model, "optimizer", None)
    return getattr(optimizer, "inner_optimizer", optimizer)


def _owners(model):
    optimizer = inner_optimizer(model)
    return [*model._flatten_layers(), *([] if optimizer is None else [optimizer])]
