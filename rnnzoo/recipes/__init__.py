"""Recipes: named ways from a corpus to a trained model, which `training.train.train` walks."""

from rnnzoo.recipes import imdb, shakespeare, translation  # noqa: F401 (they register themselves)
from rnnzoo.recipes.recipe import Recipe, get, names, register

__all__ = ["Recipe", "get", "names", "register"]
