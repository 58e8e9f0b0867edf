"""The command that makes a training again, out of the record of its run."""

import shlex
from collections.abc import Mapping
from typing import Any

from rnnzoo.tasks import TASKS

SCRIPTS = {"word_lm": "train_imdb_lm.py"}  # of a builder, where it is not that of the task
OPTIONS = {"num_layers": "layers"}  # whose name is another one on the command line


def command(
    overrides: Mapping[str, Any], recipe: Mapping[str, Any], *, resume: bool = False
) -> str:
    """Writes the command line, or the call in Python where the recipe has no name.

    Args:
        overrides: How the run was requested; see `rnnzoo.publishing.train.overrides`.
        recipe: The arguments of the recipe.
        resume: Whether it goes on with a training.

    Returns:
        One line.
    """
    if overrides["changes"] is None or overrides["changes"]:
        return _call(overrides, recipe, resume)
    script = SCRIPTS.get(recipe["builder"], TASKS[recipe["task"]].script)
    if script is None or "teacher" in overrides["options"]:  # the scripts have no teachers
        words = ["rnnzoo", "train", overrides["recipe"]]
    else:
        words = ["python", f"scripts/{script}", "--recipe", overrides["recipe"]]
    given = {"text_file": overrides["text_file"], "from": overrides["from_model"]}
    for name, value in {**given, **overrides["options"], "out": overrides["out"]}.items():
        if value is not None:
            words += [f"--{OPTIONS.get(name, name).replace('_', '-')}", str(value)]
    words += ["--fold-lookalikes"] * overrides["fold_lookalikes"] + ["--resume"] * resume
    return shlex.join(words)


def _call(overrides, recipe, resume):
    changes = overrides["changes"]
    if changes is None:
        made = f"rnnzoo.recipes.Recipe(**{recipe!r})"
    else:
        told = ", ".join(f"{name}={value!r}" for name, value in changes.items())
        made = f"dataclasses.replace(rnnzoo.recipes.get({overrides['recipe']!r}), {told})"
    given = {name: overrides[name] for name in ("out", "text_file", "from_model")}
    switches = {"fold_lookalikes": overrides["fold_lookalikes"] or None, "resume": resume or None}
    arguments = {**given, **overrides["options"], **switches}
    told = [f"{name}={value!r}" for name, value in arguments.items() if value is not None]
    return f"rnnzoo.publishing.train.train({', '.join([made, *told])})"
