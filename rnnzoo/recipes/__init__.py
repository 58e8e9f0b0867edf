"""Recipes: named ways from a corpus to a trained model, which `publishing.train.train` walks."""

from rnnzoo.recipes import (  # noqa: F401 (they register themselves)
    imdb,
    sentiment,
    shakespeare,
    translation,
    wikitext,
)
from rnnzoo.recipes.registry import get, names, register
from rnnzoo.tasks import Recipe

__all__ = ["Recipe", "get", "names", "register"]
