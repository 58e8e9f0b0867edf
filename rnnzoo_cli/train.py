"""Training, for the scripts that train."""

from pathlib import Path
from typing import Any

from rnnzoo_cli.running import errors_in_a_sentence


def train_command(
    recipe: str,
    task: str,
    *,
    text_file: Path | None = None,
    from_model: str | None = None,
    **options: Any,
) -> None:
    """Trains a recipe, or says in one sentence why not.

    Args:
        recipe: Its name.
        task: The task that it must have.
        text_file: A text of one's own.
        from_model: A model to start from.
        **options: What else `rnnzoo.training.train.train` takes.
    """
    aborted = "Aborted; if a checkpoint was saved before, --resume goes on from it."
    with errors_in_a_sentence(aborted):
        from rnnzoo import recipes
        from rnnzoo.errors import unknown_name
        from rnnzoo.publishing.train import train

        if recipe not in recipes.names(task):
            raise unknown_name("recipe of this script", recipe, recipes.names(task))
        train(recipe, text_file=text_file, from_model=from_model, **options)
