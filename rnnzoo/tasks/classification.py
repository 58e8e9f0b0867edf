"""What a recipe of a text classifier reads, and how its labels are counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from rnnzoo import models
from rnnzoo.data import labelled_batches
from rnnzoo.data.corpus import Corpus
from rnnzoo.errors import InputError, unknown_name
from rnnzoo.evaluation.naive_bayes import naive_bayes
from rnnzoo.models import TextClassifier
from rnnzoo.models.text_classifier import SIZES
from rnnzoo.tasks.recipe import Recipe
from rnnzoo.tasks.splits import check_symbols, train_and_validation
from rnnzoo.vocabulary import SPECIAL_TOKENS, Vocabulary

SHOWN = 300  # characters of a text in a sample: its end


@dataclass(frozen=True, kw_only=True)
class ClassificationRecipe(Recipe, task="classification"):
    """A recipe of a text classifier, with what that needs beside what all tasks share.

    `sequence_length` is how many of a text's last tokens are read in training; what is measured is
    read whole. With a `language_model` the vocabulary and the sizes are those of that model, and
    `builder_options` has only what the classifier has of its own.

    Args:
        language_model: The name of a trained language model whose embedding and recurrent layers
            the classifier starts from, unless `--from` gives another; `None` trains them all anew.
        rate_decay: By how much the learning rate of each part of the model is below that of the
            part above it: head, last recurrent layer, ..., embedding.
        unfreeze_epochs: How long each part learns before the one below it is let go, in epochs;
            0: all learn from the start.
        batches: `"labelled"`.

    Raises:
        InputError: If a name or a number cannot be.
    """

    task: str = "classification"
    builder: str = "text_classifier"
    language_model: str | None = None
    rate_decay: float = 2.6
    unfreeze_epochs: float = 0.0
    batches: str = "labelled"
    corpus_kinds: ClassVar[tuple[str, ...]] = ("labelled",)
    reads: ClassVar[str] = (
        "a .jsonl file with the fields text and label, or a .csv file with such columns"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches != "labelled":
            raise unknown_name("kind of batches for a classifier", self.batches, ("labelled",))
        if not (isinstance(self.rate_decay, int | float) and self.rate_decay >= 1):
            raise InputError(f"`rate_decay` must be at least 1, not {self.rate_decay!r}.")
        if not (isinstance(self.unfreeze_epochs, int | float) and self.unfreeze_epochs >= 0):
            raise InputError(f"`unfreeze_epochs` must be at least 0, not {self.unfreeze_epochs!r}.")

        if self.weight_decay:
            raise InputError(
                f"The recipe {self.name!r} has `weight_decay`, which would move the parts of a "
                "classifier that wait; leave it out."
            )
        if self.label_smoothing:
            raise InputError(
                f"The recipe {self.name!r} has `label_smoothing`, by which a classifier would be "
                "validated too; leave it out."
            )

    def with_level(self, level: str) -> Self:
        """The recipe with tokens of another level, where the model is a new one."""
        if self.language_model is not None:
            raise InputError(
                f"The tokens of {self.name} are those of {self.language_model}, which it starts "
                "from; leave out --level, or start --from another language model."
            )
        return super().with_level(level)

    @property
    def start_from(self) -> str | None:
        """The language model to start from, where the run gives no other model."""
        return self.language_model

    def kind_of_model(self) -> str:
        """The model in words, to put before what it is trained on."""
        return "A text classifier"


class ClassificationTask:
    """The data of a text classifier, its figures and its samples.

    Args:
        recipe: A `ClassificationRecipe`.
        corpus: A `Corpus` of texts with labels.
        seed: Of the order of the data.
        model: A trained classifier to go on with, or a language model to start from, whose
            vocabulary is then used.
        initial_epoch: The epoch to go on with; each has an order of its own.

    Attributes:
        vocabularies: The vocabulary, in a tuple.
        labels: The names of the labels, sorted, or in the order of the model to go on with.
        train: Training batches.
        validation: Validation batches.
        split: A sentence that says what is held out.

    Raises:
        InputError: If there are too few texts or labels, or others than the model knows.
    """

    model_class = TextClassifier
    starts_from = (TextClassifier, models.LanguageModel)
    script = None  # `rnnzoo train` alone
    sample_name = "Text"
    chosen_by = "highest validation accuracy"  # a checkpoint
    temperature = None  # nothing is drawn
    limits = (
        "It sorts texts like those of its corpus, and gives a label, often with much confidence, "
        "to any other text too. Irony, quotations and what is beside the point mislead it, and it "
        "has learnt the prejudices of its corpus. Meant for study and demonstrations; not for "
        "decisions about people."
    )

    @staticmethod
    def vocabularies_of(model: TextClassifier) -> tuple[Vocabulary | None, ...]:
        """The vocabularies of a trained model."""
        return (model.vocabulary,)

    @staticmethod
    def parts_of(model: TextClassifier) -> list[str]:
        """The parts of a model that learn at rates of their own, from the head down."""
        layers = [f"recurrent/{layer.name}" for layer in reversed(model.recurrent.recurrent_layers)]
        known = tuple(f"{part}/" for part in layers)
        rest = any(
            not any(part in f"{weight.path}/" for part in known)
            for weight in model.recurrent.trainable_weights
        )
        return ["head", *layers, *(["recurrent"] if rest else []), "embedding"]

    @staticmethod
    def sampling(recipe: Mapping[str, Any]) -> str:
        """Says on a card how the samples were made."""
        return f"Not picked: the first three validation texts, the last {SHOWN} characters of each."

    def __init__(
        self,
        recipe: ClassificationRecipe,
        corpus: Corpus,
        *,
        seed: int = 0,
        model: TextClassifier | models.LanguageModel | None = None,
        initial_epoch: int = 0,
    ):
        self.recipe, self.corpus, self.start = recipe, corpus, None
        if isinstance(model, models.LanguageModel):
            check_start(model, recipe)
        train, self.held_out, self.split = train_and_validation(corpus, recipe)
        self._train = train
        self.labels = tuple(sorted({label for _, label in train}))
        if isinstance(model, TextClassifier):
            self.labels = self._labels_of(model)
        else:
            self.start = model
        check_labels(self.labels, train, self.held_out, name=corpus.name)
        self.vocabulary = self._new_vocabulary(train) if model is None else model.vocabulary
        if model is not None:
            check_symbols(self.vocabulary, (text for text, _ in train + self.held_out), corpus.name)
        self.vocabularies = (self.vocabulary,)
        size = recipe.batch_size
        self.train = self._batches(
            train, size, max_length=recipe.sequence_length, seed=seed, initial_epoch=initial_epoch
        )
        self.validation = self._batches(
            self.held_out, recipe.validation_batch_size or size, shuffle=False
        )

    def _labels_of(self, model):
        if set(self.labels) - set(model.labels):
            raise InputError(
                f"{self.corpus.name} has the labels {', '.join(self.labels)[:200]}, and the model "
                f"knows {', '.join(model.labels)[:200]}; start from a language model instead, "
                "which learns new ones."
            )
        return model.labels

    def _new_vocabulary(self, train):
        options = dict(self.recipe.vocabulary)
        options.setdefault("special_tokens", SPECIAL_TOKENS)
        return Vocabulary.from_text([text for text, _ in train], **options)

    def _batches(self, items, batch_size, **options):
        vocabulary = self.vocabulary
        texts = vocabulary.encode_documents(
            [text for text, _ in items],
            start=vocabulary.start_id is not None,
            end=vocabulary.end_id is not None,
        )
        number = {label: index for index, label in enumerate(self.labels)}
        labels = np.array([number[label] for _, label in items], "int32")
        return labelled_batches(texts, labels, batch_size, **options)

    def build(self, dtype: str) -> TextClassifier:
        """Builds the recipe's model, on top of a language model where one is given."""
        options = {"labels": self.labels, "dtype": dtype, **self.recipe.builder_options}
        if self.start is not None:
            return TextClassifier.from_language_model(self.start, **options)
        return getattr(models, self.recipe.builder)(self.vocabulary, **options)

    def baselines(self) -> dict[str, float]:
        """The accuracy of the most frequent label, and of naive Bayes."""
        right = naive_bayes(self._train, self.held_out)
        labels = [label for _, label in self.held_out]
        trained = [label for _, label in self._train]
        often = max(self.labels, key=trained.count)
        share = labels.count(often) / len(labels)
        return {"most_frequent_label_accuracy": share, "naive_bayes_accuracy": right}

    def evaluate(self, model: TextClassifier) -> dict[str, Any]:
        """Measures a compiled model on the whole validation texts.

        Returns:
            A dictionary of figures; the first is the one to quote.
        """
        found = model.classify([text for text, _ in self.held_out])
        labels = [label for _, label in self.held_out]
        right = [one.label == label for one, label in zip(found, labels, strict=True)]
        nats = [
            -np.log(max(one.probabilities[label], 1e-12))
            for one, label in zip(found, labels, strict=True)
        ]
        by_label = {
            name: float(np.mean([one for one, label in zip(right, labels, strict=True)
                                 if label == name]))
            for name in dict.fromkeys(sorted(labels))
        }  # fmt: skip
        return {
            "accuracy": float(np.mean(right)),
            "accuracy_by_label": by_label,
            "nats_per_text": float(np.mean(nats)),
            "texts": len(labels),
        }

    def prompts(self) -> list[str]:
        """The recipe's texts to classify, else the first validation texts."""
        return list(self.recipe.prompts) or [text for text, _ in self.held_out[:3]]

    def references(self) -> list[str] | None:
        """Their labels, or `None` where nobody knows."""
        return None if self.recipe.prompts else [label for _, label in self.held_out[:3]]

    def sample(self, model: TextClassifier, seed: int) -> str:
        """Classifies one validation text, the one of this number."""
        text, label = self.held_out[seed % len(self.held_out)]
        found = model.classify(text)
        shown = text if len(text) <= SHOWN else f"... {text[-SHOWN:]}"
        return f"{shown}\n-> {found}\n   (reference: {label})"


def check_start(model: models.LanguageModel, recipe: ClassificationRecipe) -> None:
    """Refuses a language model that the recipe's classifier cannot start from, before any work."""
    if own := sorted(SIZES & recipe.builder_options.keys()):
        raise InputError(
            f"The recipe {recipe.name!r} makes a new model of its own size ({', '.join(own)}); "
            "start from a language model by a recipe that leaves sizes to it, such as "
            "sentiment_imdb, or leave out --from."
        )
    if model.vocabulary.pad_id != 0:
        raise InputError(
            f"The vocabulary of the {type(model).__name__} to start from has no padding, which "
            "texts of different lengths need; start from one of documents, such as word_lm_imdb."
        )


def check_labels(labels, train, held_out, *, name) -> None:
    """Refuses texts of fewer than two labels, and labels that only held-out texts have."""
    if len(labels) < 2:
        raise InputError(
            f"The texts of {name} have {len(labels)} label ({', '.join(labels)[:80]}); a "
            "classifier needs at least two."
        )
    known = {label for _, label in train}
    for _, label in held_out:
        if label not in known:
            raise InputError(
                f"No training text of {name} has the label {label[:80]!r}, which a held-out one "
                "has; give more texts of it, or leave it out."
            )
