"""What a recipe is: one whole way from a corpus to a trained model, as data."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from numbers import Real
from typing import Any, ClassVar, Self

import keras

from rnnzoo.errors import (
    InputError,
    check_fraction,
    check_not_negative,
    check_positive,
    unknown_name,
)
from rnnzoo.models import SmoothedCrossEntropy

# What of a recipe may change after a training that is to be made again: words, and measuring.
NOT_TRAINING = {
    "description", "expected", "limits", "prompts", "sample_length", "sample_every_batches",
}  # fmt: skip

# Sizes of the vocabularies of a level, where nobody says another.
SIZES = {"character": None, "subword": 8_000, "word": 10_000}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A corpus, a vocabulary, batches, a model, an optimizer and a budget: what all tasks share.

    `rnnzoo.publishing.train.train` walks it. What a task needs beside, such as the beams of a
    translator, its own recipe adds, a `LanguageModelRecipe`, a `TranslationRecipe` or a
    `ClassificationRecipe`; `Recipe(..., task=...)` makes that of the task. A variant is
    `dataclasses.replace(recipe, epochs=3)`, or
    `dataclasses.replace(recipe, builder_options={**recipe.builder_options, "units": 128})`.

    Args:
        name: The name, also of the folder that the training leaves.
        description: One sentence for cards and lists.
        task: `"language_model"`, `"translation"` or `"classification"`.
        corpus: A name of `rnnzoo.data.corpora`.
        builder: A name of `rnnzoo.models`, such as `"char_lstm"`.
        builder_options: Arguments of the builder beside the vocabularies.
        corpus_options: Arguments of `corpora.load`.
        vocabulary: Arguments of `Vocabulary.from_text`; for a translation, of the source side.
        batch_size: Rows of a batch.
        sequence_length: Tokens of a row in one batch: of a stream or a window; the most tokens of a
            document or of either side of a pair (`None`, for pairs only: all).
        validation_split: The share of a text's end, or of documents or pairs that come without a
            validation split, that is held out.
        validation_limit: Use only so many documents or pairs of the validation split.
        validation_batch_size: Rows of a validation batch. Few rows of a text start fewer times
            from an empty state; `batch_size` when left out.
        epochs: The maximum number of passes over the training data.
        max_minutes: The maximum minutes of training; the schedule is then fitted to them.
        patience: Epochs without a better validation loss after which training stops early.
        learning_rate: Peak rate of Adam.
        warmup_steps: Batches over which the rate rises linearly from zero.
        final_fraction: The last rate as a fraction of the peak; between lies a half cosine.
        weight_decay: Decoupled weight decay, AdamW (Loshchilov and Hutter 2019); 0 for none.
        clipnorm: The maximum norm of all gradients together.
        label_smoothing: The share of each label that is spread over the vocabulary in training;
            validation and all figures are of the labels as they are.
        average_weights: The momentum, such as 0.999, of a moving average of the weights over the
            batches, which is what is validated and kept; `None` for the weights themselves. It
            is an average of the last `1 / (1 - momentum)` batches, or of the last ninth of those so
            far where these are fewer.
        dtype: `"float32"`, `"mixed_bfloat16"` or `"auto"`, which takes the second where the device
            is fast at it.
        seed: Of weights, dropout and the order of the data.
        prompts: What the samples go on from, or texts to translate (validation texts if none).
        sample_length: The maximum number of tokens of a sample.
        sample_every_batches: How often to show a sample, beside the end of every epoch.
        expected: What it reaches, and in what time on which machine.
        limits: What its card says of the limits of this model, beside what is true of any.

    Raises:
        InputError: If a name or a number cannot be.
    """

    name: str = field(kw_only=False)
    description: str = field(kw_only=False)
    task: str
    corpus: str
    builder: str
    builder_options: Mapping[str, Any] = field(default_factory=dict)
    corpus_options: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 64
    sequence_length: int | None = 64
    validation_split: float = 0.1
    validation_limit: int | None = None
    validation_batch_size: int | None = None
    epochs: int = 10
    max_minutes: float | None = None
    patience: int | None = None
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    final_fraction: float = 0.01
    weight_decay: float = 0.0
    clipnorm: float = 1.0
    label_smoothing: float = 0.0
    average_weights: float | None = None
    dtype: str = "auto"
    seed: int = 0
    prompts: tuple[str, ...] = ()
    sample_length: int = 300
    sample_every_batches: int | None = None
    expected: str = ""
    limits: str = ""

    corpus_kinds: ClassVar[tuple[str, ...]] = ()  # that a task reads, and in words
    reads: ClassVar[str] = ""
    own_words: ClassVar[frozenset[str]] = NOT_TRAINING  # and those of a task
    _of_task: ClassVar[dict[str, type]] = {}

    def __init_subclass__(cls, task: str) -> None:
        cls._of_task[task] = cls

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Makes the recipe of the task, where only `Recipe` is requested."""
        if cls is Recipe:
            cls = recipe_class(options.get("task"))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if self.task not in self._of_task or not isinstance(self, self._of_task[self.task]):
            raise unknown_name("task of this recipe", self.task, self._of_task)
        dtypes = ("float32", "mixed_bfloat16", "auto")
        if self.dtype not in dtypes:
            raise unknown_name("dtype", self.dtype, dtypes)
        self._check_numbers()

    def _check_numbers(self):
        check_positive(
            batch_size=self.batch_size,
            sequence_length=self.sequence_length,
            validation_limit=self.validation_limit,
            validation_batch_size=self.validation_batch_size,
            epochs=self.epochs,
            patience=self.patience,
            sample_length=self.sample_length,
            sample_every_batches=self.sample_every_batches,
        )
        check_fraction(
            validation_split=self.validation_split,
            label_smoothing=self.label_smoothing,
            average_weights=self.average_weights or 0.0,
        )
        for name in ("validation_split", "max_minutes", "learning_rate", "clipnorm"):
            if name != "max_minutes" or self.max_minutes is not None:
                check_above_zero(name, getattr(self, name))
        for name in ("warmup_steps", "final_fraction", "weight_decay"):
            check_not_negative(name, getattr(self, name))

    @property
    def start_from(self) -> str | None:
        """The name of a trained model to start from, where the run gives none."""
        return None

    def kind_of_model(self) -> str:
        """The model in words, to put before what it is trained on."""
        return f"A model ({self.builder})"

    def with_level(self, level: str) -> Self:
        """The recipe with tokens of another level."""
        return replace(self, vocabulary=vocabulary_of(level, self.vocabulary))

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """The recipe with some of its numbers changed.

        Args:
            options: `epochs`, `max_minutes`, `seed`; `units`, `num_layers` and `dropout` of the
                model; `level` of its tokens; `teacher`, names with commas, `teacher_alpha` and
                `teacher_temperature`. What is `None` stays as it is.

        Raises:
            InputError: If a value cannot be.
        """
        given = {name: value for name, value in options.items() if value is not None}
        seed = given.get("seed", 0)
        if not hasattr(seed, "__index__") or not 0 <= seed < 2**32:
            raise InputError(f"`seed` must be a whole number from 0 to 2**32 - 1, not {seed!r}.")
        level = given.pop("level", None)
        recipe = self if level is None else self.with_level(level)
        teacher = given.pop("teacher", None)
        numbers = {name: given.pop(f"teacher_{name}", None) for name in ("alpha", "temperature")}
        if teacher is not None:
            text = teacher if isinstance(teacher, str) else ""
            names = [name.strip() for name in text.split(",")]
            if not all(names):
                raise InputError(
                    f"`teacher` must be names or paths with commas between them, not {teacher!r}."
                )
            recipe = recipe.with_teachers(names, **numbers)
        for name, value in numbers.items():
            if teacher is None and value is not None:
                raise InputError(
                    f"--teacher-{name} ({value}) is of the loss with a teacher; give one by "
                    f"--teacher, or leave out --teacher-{name}."
                )
        sizes = {
            name: given.pop(name) for name in ("units", "num_layers", "dropout") if name in given
        }
        check_positive(**{name: value for name, value in sizes.items() if name != "dropout"})
        check_fraction(dropout=sizes.get("dropout", 0.0))
        return replace(recipe, **given, builder_options={**recipe.builder_options, **sizes})

    def with_teachers(
        self,
        names: Sequence[str],
        *,
        alpha: float | None = None,
        temperature: float | None = None,
    ) -> Self:
        """The recipe of a model that learns from trained ones too.

        Args:
            names: Their names or paths.
            alpha: The share of the teachers in the loss.
            temperature: That of their probabilities.

        Raises:
            InputError: If the models of this task have no teachers, or a number cannot be.
        """
        raise InputError(
            f"Teachers are for language models and translators, and the recipe {self.name!r} "
            f"trains a model for {self.task.replace('_', ' ')}; leave out --teacher."
        )

    def loss(self) -> keras.losses.Loss | None:
        """The training loss, or `None` for the cross-entropy that the model has by itself."""
        return SmoothedCrossEntropy(self.label_smoothing) if self.label_smoothing else None

    def as_json(self) -> dict[str, Any]:
        """Its arguments as JSON gives them back: lists where it has tuples."""
        return json.loads(json.dumps(asdict(self)))


def recipe_class(task: str) -> type[Recipe]:
    """Returns the class of a task's recipes.

    Raises:
        InputError: If there is no such task.
    """
    if task not in Recipe._of_task:
        raise unknown_name("task", task, Recipe._of_task)
    return Recipe._of_task[task]


def vocabulary_of(level: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `Vocabulary.from_text` for another level; what goes with any of them is kept."""
    if level not in SIZES:
        raise unknown_name("level", level, SIZES)
    if options.get("level", "character") == level:
        return dict(options)
    kept = {name: value for name, value in options.items() if name == "lowercase"}
    size = {} if SIZES[level] is None else {"size": SIZES[level]}
    return {**kept, **size, "level": level}


def check_above_zero(name: str, value: float) -> None:
    """Checks that a number of a recipe is above 0, and finite."""
    if not (isinstance(value, Real) and value > 0):
        raise InputError(f"`{name}` must be above 0, not {value!r}.")
    if value == math.inf:
        raise InputError(f"`{name}` must be a finite number, not {value!r}.")
