"""The teachers of a training: who they are, and what of theirs comes into its batches."""

from collections.abc import Mapping, Sequence
from typing import Any

from rnnzoo import zoo
from rnnzoo.errors import InputError
from rnnzoo.models.base import ZooModel
from rnnzoo.tasks import Recipe, Task, TranslationTask
from rnnzoo.training.distillation import digest, teacher_predictions, teachers_folder
from rnnzoo.training.taught_pairs import teacher_translations


def teach(task: Task, recipe: Recipe, began: Mapping[str, Any]) -> dict[str, Any]:
    """Puts what a recipe's teachers predict, or translate, into the task's batches.

    Args:
        task: The task of the model to train.
        recipe: Its recipe.
        began: What a training noted that is resumed; its teachers must be the same. Else empty.

    Returns:
        A digest of each teacher by its name, as `teachers`; nothing where there are none.

    Raises:
        InputError: If a teacher cannot be one, or is another than the training began with.
    """
    names = getattr(recipe, "teachers", ())
    if not names:
        return {}
    teachers = load_teachers(names, task)
    digests = {name: digest(one) for name, one in zip(names, teachers, strict=True)}
    for name, before in began.get("teachers", {}).items():
        if digests[name] != before:
            raise InputError(
                f"The teacher {name} is not the one that this training began with (digest "
                f"{before[:12]}..., now {digests[name][:12]}...); put that one back, or train anew "
                "with another --out."
            )
    what = "translations" if isinstance(task, TranslationTask) else "predictions"
    print(f"Teachers: {', '.join(names)}. Their {what} are kept in {teachers_folder()}.")
    if isinstance(task, TranslationTask):
        task.distil([teacher_translations(one, task.training_sources) for one in teachers])
    else:
        task.distil(
            teacher_predictions(teachers, task.training_ids, temperature=recipe.teacher_temperature)
        )
    return {"teachers": digests}


def load_teachers(names: Sequence[str], task: Task) -> list[ZooModel]:
    """Loads the teachers of a training.

    Args:
        names: Names or paths for `rnnzoo.load`.
        task: The task of the model to train.

    Returns:
        The models, in the order of their names.

    Raises:
        InputError: If one is not of the task's kind, or is a language model of another vocabulary.
    """
    teachers = [zoo.load(name) for name in names]
    kind = task.model_class
    for name, teacher in zip(names, teachers, strict=True):
        if not isinstance(teacher, kind):
            raise InputError(
                f"The teacher {name} is a {type(teacher).__name__}, and the model to train a "
                f"{kind.__name__}; give a trained {kind.__name__}."
            )
        if not isinstance(task, TranslationTask):  # a translator teaches by its texts
            _check_vocabulary(name, teacher.vocabulary, task.vocabulary)
    return teachers


def _check_vocabulary(name, given, wanted):
    if given != wanted:
        other = wanted.get_config()
        differ = [key for key, own in given.get_config().items() if own != other[key]]
        raise InputError(
            f"The teacher {name} has the vocabulary {given}, and the model to train another one, "
            f"{wanted}; they differ in {' and '.join(differ)}. Give a teacher that was trained on "
            "the same text with the same tokens."
        )
