"""Tasks: each its recipe, its data, metrics and samples, its model class and words for the card."""

from rnnzoo.tasks.classification import ClassificationRecipe, ClassificationTask
from rnnzoo.tasks.language_model import LanguageModelRecipe, LanguageModelTask
from rnnzoo.tasks.recipe import Recipe, recipe_class
from rnnzoo.tasks.translation import TranslationRecipe, TranslationTask

TASKS = {
    "language_model": LanguageModelTask,
    "translation": TranslationTask,
    "classification": ClassificationTask,
}
Task = LanguageModelTask | TranslationTask | ClassificationTask

__all__ = [
    "TASKS", "ClassificationRecipe", "ClassificationTask", "LanguageModelRecipe",
    "LanguageModelTask", "Recipe", "Task", "TranslationRecipe", "TranslationTask", "recipe_class",
]  # fmt: skip
