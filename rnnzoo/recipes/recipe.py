"""What a recipe is: one whole way from a corpus to a trained model, as data."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import Any

from rnnzoo.errors import InputError, check_fraction, check_positive, unknown_name

# What of a recipe may change after a training that is to be made again: words, and measuring.
NOT_TRAINING = {
    "description", "expected", "limits", "prompts", "temperature", "sample_length",
    "sample_every_batches", "measure", "beam_widths", "length_penalty", "ngram_orders",
}  # fmt: skip
TASKS = ("language_model", "translation")
MEASURES = ("symbols", "bleu")
BATCHES = ("streams", "windows", "documents", "pairs")


@dataclass(frozen=True)
class Recipe:
    """A corpus, a vocabulary, batches, a model, an optimizer and a budget.

    `rnnzoo.training.train.train` walks it. A variant is `dataclasses.replace(recipe, epochs=3)`, or
    `dataclasses.replace(recipe, builder_options={**recipe.builder_options, "units": 128})`.

    Args:
        name: The name, also of the folder that the training leaves.
        description: One sentence for cards and lists.
        task: `"language_model"` or `"translation"`.
        corpus: A name of `rnnzoo.data.corpora`.
        builder: A name of `rnnzoo.models`, such as `"char_lstm"`.
        builder_options: Arguments of the builder beside the vocabularies.
        corpus_options: Arguments of `corpora.load`.
        vocabulary: Arguments of `Vocabulary.from_text`; for a translation, of the source side.
        target_vocabulary: The same for the target side of a translation.
        joint_vocabulary: Whether `vocabulary` makes one vocabulary of both sides of a translation.
        reverse_pairs: Whether to translate from the second side of the pairs to the first.
        batches: `"streams"` (contiguous, the state is carried), `"windows"`, `"documents"` (padded)
            or `"pairs"`.
        batch_size: Rows of a batch.
        sequence_length: Tokens of a row in one batch: of a stream or a window; the most tokens of a
            document or of either side of a pair (`None`, for pairs only: all).
        stride: From one window's start to the next; its length when left out.
        validation_split: The share of a text's end, or of documents or pairs that come without a
            validation split, that is held out.
        validation_limit: Use only so many documents or pairs of the validation split.
        validation_batch_size: Rows of a validation batch. Few rows of a text start fewer times
            from an empty state; `batch_size` when left out.
        reset_probability: How likely a row of a stream is to start from an empty state in a batch,
            beside where it must; see `rnnzoo.data.random_resets`.
        epochs: The most passes over the training data.
        max_minutes: The most minutes of training; the schedule is then fitted to them.
        patience: Epochs without a better validation loss after which training stops early.
        learning_rate: Peak rate of Adam.
        warmup_steps: Batches over which the rate rises linearly from zero.
        final_fraction: The last rate as a fraction of the peak; between lies a half cosine.
        weight_decay: Decoupled weight decay, AdamW (Loshchilov and Hutter 2019); 0 for none.
        clipnorm: The most that the norm of all gradients together may be.
        label_smoothing: The share of each label that is spread over the vocabulary in training;
            validation and all figures are of the labels as they are.
        average_weights: The momentum, such as 0.999, of a moving average of the weights over the
            batches, which is what is validated and kept; `None` for the weights themselves. It
            is an average of the last `1 / (1 - momentum)` batches, which should be few of all.
        dtype: `"float32"`, `"mixed_bfloat16"` or `"auto"`, which takes the second where the device
            is fast at it.
        seed: Of weights, dropout and the order of the data.
        prompts: What the samples go on from, or texts to translate (validation texts if none).
        temperature: Of the samples.
        sample_length: The most tokens of a sample.
        sample_every_batches: How often to show a sample, beside the end of every epoch.
        measure: What free-running translations are measured by: `"symbols"`, the share of symbols
            that stand where they should, or `"bleu"`, BLEU and chrF by the package sacrebleu.
        beam_widths: Widths of the beams to measure BLEU with, 1 for greedy search; the figure of
            the first is the one to quote.
        length_penalty: The exponent of the length penalty of these beams.
        ngram_orders: Orders of the Kneser-Ney models to compare a model of documents with.
        expected: What it reaches, and in what time on which machine.
        limits: What its card says of the limits of this model, beside what is true of any.

    Raises:
        InputError: If a name or a number cannot be.
    """

    name: str
    description: str
    task: str
    corpus: str
    builder: str
    builder_options: Mapping[str, Any] = field(default_factory=dict)
    corpus_options: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: Mapping[str, Any] = field(default_factory=dict)
    target_vocabulary: Mapping[str, Any] = field(default_factory=dict)
    joint_vocabulary: bool = False
    reverse_pairs: bool = False
    batches: str = "streams"
    batch_size: int = 64
    sequence_length: int | None = 64
    stride: int | None = None
    validation_split: float = 0.1
    validation_limit: int | None = None
    validation_batch_size: int | None = None
    reset_probability: float = 0.0
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
    temperature: float = 0.8
    sample_length: int = 300
    sample_every_batches: int | None = None
    measure: str = "symbols"
    beam_widths: tuple[int, ...] = (1,)
    length_penalty: float = 0.6
    ngram_orders: tuple[int, ...] = ()
    expected: str = ""
    limits: str = ""

    def __post_init__(self) -> None:
        for kind, value, known in (
            ("task", self.task, TASKS),
            ("kind of batches", self.batches, BATCHES),
            ("measure", self.measure, MEASURES),
            ("dtype", self.dtype, ("float32", "mixed_bfloat16", "auto")),
        ):
            if value not in known:
                raise unknown_name(kind, value, known)
        if (self.batches == "pairs") != (self.task == "translation"):
            raise InputError(
                f"The recipe {self.name!r} has the task {self.task!r} and the batches "
                f"{self.batches!r}; translation goes with pairs, a language model with the others."
            )
        if self.joint_vocabulary and self.target_vocabulary:
            raise InputError(
                f"The recipe {self.name!r} has a joint vocabulary and a `target_vocabulary`; leave "
                "out one of them."
            )
        self._check_numbers()

    def _check_numbers(self):
        sizes = ("batch_size", "sequence_length", "stride", "validation_limit", "epochs")
        sizes += ("validation_batch_size", "patience", "sample_length", "sample_every_batches")
        check_positive(**{name: getattr(self, name) for name in sizes})
        if self.sequence_length is None and self.batches != "pairs":
            raise InputError(
                f"The recipe {self.name!r} has no `sequence_length`, which its {self.batches} "
                "need; give the tokens of a row in one batch."
            )
        check_fraction(
            validation_split=self.validation_split,
            label_smoothing=self.label_smoothing,
            average_weights=self.average_weights or 0.0,
        )
        above = ("validation_split", "max_minutes", "learning_rate", "clipnorm", "temperature")
        for name in above:
            value = getattr(self, name)
            given = value is not None or name != "max_minutes"
            if given and not (isinstance(value, Real) and value > 0):
                raise InputError(f"`{name}` must be above 0, not {value!r}.")
        for width in self.beam_widths or (0,):
            check_positive(beam_widths=width)
        if not (isinstance(self.reset_probability, Real) and 0 <= self.reset_probability <= 1):
            raise InputError(
                f"`reset_probability` must be from 0 to 1, not {self.reset_probability!r}."
            )
        if self.reset_probability and self.batches != "streams":
            raise InputError(
                f"The recipe {self.name!r} has a `reset_probability`, which goes with streams, but "
                f"its batches are {self.batches}."
            )
        for name in ("warmup_steps", "final_fraction", "weight_decay", "length_penalty"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and value >= 0):
                raise InputError(f"`{name}` must be at least 0, not {value!r}.")

    def as_json(self) -> dict[str, Any]:
        """Its arguments as JSON gives them back: lists where it has tuples."""
        return json.loads(json.dumps(asdict(self)))


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
        task: `"language_model"`, `"translation"` or `None`.

    Returns:
        Their names, sorted.
    """
    return sorted(name for name, recipe in _RECIPES.items() if task in (None, recipe.task))
