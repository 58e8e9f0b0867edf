"""The recipes that have a name."""

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.tasks.recipe import Recipe

_RECIPES: dict[str, Recipe] = {}


def register(recipe: Recipe) -> Recipe:
    """Adds a recipe to those that `get` knows; a name can be taken once."""
    if _RECIPES.setdefault(recipe.name, recipe) != recipe:
        raise InputError(f"There is a recipe called {recipe.name!r} already; take another name.")
    return recipe


def get(name: str) -> Recipe:
    """Gives the recipe of a name.

    Args:
        name: One of `names()`.

    Returns:
        The recipe.

    Raises:
        InputError: If no recipe has that name; it suggests the nearest.

    Example:
        >>> from rnnzoo import recipes
        >>> recipes.get("char_lstm_shakespeare").corpus
        'tiny_shakespeare'
    """
    if name not in _RECIPES:
        raise unknown_name("recipe", name, _RECIPES)
    return _RECIPES[name]


def names(task: str | None = None) -> list[str]:
    """Lists the recipes, of one task or all.

    Args:
        task: A name of `rnnzoo.tasks.TASKS`, or `None`.

    Returns:
        Their names, sorted.
    """
    return sorted(name for name, recipe in _RECIPES.items() if task in (None, recipe.task))
