"""What a recipe of an encoder-decoder reads, and how its free-running translations are counted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from rnnzoo import models
from rnnzoo.data import pair_batches
from rnnzoo.data.corpus import Corpus
from rnnzoo.data.pairs import Pair
from rnnzoo.errors import InputError, check_not_negative, check_positive, unknown_name
from rnnzoo.evaluation.translation_quality import signatures, translation_quality
from rnnzoo.generation.translate import translate
from rnnzoo.tasks.recipe import NOT_TRAINING, Recipe, vocabulary_of
from rnnzoo.tasks.splits import check_symbols, train_and_validation
from rnnzoo.vocabulary import SPECIAL_TOKENS, Vocabulary

TRANSLATED = 5000  # validation pairs that are translated, at most
BATCH = 250
LENGTHS = 40  # of references that are told apart, at most


UNKNOWN = "<unk>"
MEASURES = ("symbols", "bleu")


@dataclass(frozen=True, kw_only=True)
class TranslationRecipe(Recipe, task="translation"):
    """A recipe of a translator, with what that needs beside what all tasks share.

    Args:
        target_vocabulary: The same for the target side of a translation.
        joint_vocabulary: Whether `vocabulary` makes one vocabulary of both sides of a translation.
        reverse_pairs: Whether to translate from the second side of the corpus's pairs to the first.
            Pairs of one's own are always read as source, then translation.
        batches: `"pairs"`.
        measure: What free-running translations are measured by: `"symbols"`, the share of symbols
            that stand where they should, or `"bleu"`, BLEU and chrF by the package sacrebleu.
        beam_widths: Widths of the beams to measure BLEU with, 1 for greedy search; the figure of
            the first is the one to quote.
        length_penalty: The exponent of the length penalty of these beams.
        teachers: Names or paths of trained translators, whose translations of the training sources
            are learnt beside the corpus's own; see
            `rnnzoo.training.taught_pairs.teacher_translations`.

    Raises:
        InputError: If a name or a number cannot be.
    """

    task: str = "translation"
    target_vocabulary: Mapping[str, Any] = field(default_factory=dict)
    joint_vocabulary: bool = False
    reverse_pairs: bool = False
    batches: str = "pairs"
    measure: str = "symbols"
    beam_widths: tuple[int, ...] = (1,)
    length_penalty: float = 0.6
    teachers: tuple[str, ...] = ()
    corpus_kinds: ClassVar[tuple[str, ...]] = ("pairs",)
    reads: ClassVar[str] = (
        "a file of tab-separated pairs, a .csv file, two files of lines with a comma between their "
        'names, or a .jsonl file with the fields "source" and "target"'
    )
    own_words: ClassVar[frozenset[str]] = NOT_TRAINING | {
        "measure", "beam_widths", "length_penalty",
    }  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches != "pairs":
            raise unknown_name("kind of batches for a translation", self.batches, ("pairs",))
        if self.measure not in MEASURES:
            raise unknown_name("measure", self.measure, MEASURES)
        if self.joint_vocabulary and self.target_vocabulary:
            raise InputError(
                f"The recipe {self.name!r} has a joint vocabulary and a `target_vocabulary`; leave "
                "out one of them."
            )
        for width in self.beam_widths or (0,):
            check_positive(beam_widths=width)
        check_not_negative("length_penalty", self.length_penalty)

    def kind_of_model(self) -> str:
        """The model in words, to put before what it is trained on."""
        return f"A {self.builder_options.get('cell', 'gru').upper()} encoder-decoder"

    def directed(self, pairs: list[Pair], corpus: str) -> list[Pair]:
        """The pairs of a corpus, `(source, target)` each, as this recipe translates them."""
        reverse = self.reverse_pairs and corpus == self.corpus
        return [pair[::-1] for pair in pairs] if reverse else pairs

    def with_teachers(
        self,
        names: Sequence[str],
        *,
        alpha: float | None = None,
        temperature: float | None = None,
    ) -> Self:
        """The recipe of a model that learns what trained translators write, too; see `Recipe`."""
        for name, value in {"alpha": alpha, "temperature": temperature}.items():
            if value is not None:
                raise InputError(
                    f"--teacher-{name} ({value}) is of a language model's loss, and a translator "
                    f"learns its teachers' texts; leave it out."
                )
        return replace(self, teachers=tuple(names))

    def with_level(self, level: str) -> Self:
        """The recipe with tokens of another level on both sides."""
        target = {} if self.joint_vocabulary else vocabulary_of(level, self.target_vocabulary)
        source = vocabulary_of(level, self.vocabulary)
        if level == "character":  # which have no special tokens by default
            source.setdefault("special_tokens", SPECIAL_TOKENS)
            if target:
                target.setdefault("special_tokens", SPECIAL_TOKENS)
        return replace(self, vocabulary=source, target_vocabulary=target)


class TranslationTask:
    """The data of a translator, its figures and its samples.

    Args:
        recipe: A `TranslationRecipe`.
        corpus: A `Corpus` of pairs.
        seed: Of the order of the data.
        model: A trained model to go on with, whose vocabularies are then used.
        initial_epoch: The epoch to go on with; each has an order of its own.

    Attributes:
        vocabularies: Those of source and target.
        train: Training batches.
        validation: Validation batches.
        split: A sentence that says what is held out, and how BLEU is counted there.

    Raises:
        InputError: If there are too few pairs, or they have symbols that the model's vocabularies
            lack, or the recipe asks for BLEU and sacrebleu is not installed.
    """

    model_class = starts_from = models.Seq2Seq
    script = "train_translator.py"
    sample_name = "Text"
    chosen_by = "lowest validation loss"  # a checkpoint
    temperature = None  # nothing is drawn
    limits = (
        "It translates texts like those of its corpus, of about their length, and fails silently "
        "on others: a fluent output may be wrong. Meant for study and demonstrations; not where a "
        "wrong translation does harm."
    )

    @staticmethod
    def vocabularies_of(model: models.Seq2Seq) -> tuple[Vocabulary | None, ...]:
        """The vocabularies of a trained model."""
        return model.source_vocabulary, model.target_vocabulary

    @staticmethod
    def sampling(recipe: Mapping[str, Any]) -> str:
        """Says on a card how the samples were made, given the arguments of the recipe."""
        widest = recipe["beam_widths"][0]
        other = "" if widest == 1 else f" (the figure is of a beam of {widest})"
        return (
            "Not picked: the first three validation texts, translated by greedy search, which "
            f"draws nothing at random{other}."
        )

    @staticmethod
    def teaching(recipe: Mapping[str, Any], names: str) -> str:
        """Says on a card how teachers of these names taught."""
        return (
            f"Distilled by texts (Kim and Rush 2016) from {names}, each with a digest of its "
            "weights: what each makes of the training sources by a beam of 5 is learnt beside the "
            "pairs of the corpus, and counts in the batches of an epoch."
        )

    def __init__(
        self,
        recipe: TranslationRecipe,
        corpus: Corpus,
        *,
        seed: int = 0,
        model: models.Seq2Seq | None = None,
        initial_epoch: int = 0,
    ):
        self.recipe, self.corpus = recipe, corpus
        train, held_out, self.split = train_and_validation(corpus, recipe)
        train, self.held_out = (recipe.directed(part, corpus.name) for part in (train, held_out))
        # Before the work of a vocabulary: sacrebleu may be missing.
        counted = signatures() if recipe.measure == "bleu" else {}
        if model is None:
            self.vocabularies = self._new_vocabularies(train)
        else:
            self.vocabularies = model.source_vocabulary, model.target_vocabulary
            sides = zip(*train, *self.held_out, strict=True)  # all sources, all targets
            for vocabulary, texts in zip(self.vocabularies, sides, strict=True):
                check_symbols(vocabulary, texts, corpus.name)
        if counted:
            told = ", ".join(f"{name} {counted[name]}" for name in self._counts())
            self.split += f"; counted by sacrebleu: {told}"
        size = recipe.batch_size
        self._pairs, self._order = train, {"seed": seed, "initial_epoch": initial_epoch}
        self.train = self._batches(train, size, **self._order)
        self.validation = self._batches(
            self.held_out, recipe.validation_batch_size or size, shuffle=False
        )

    def _new_vocabularies(self, train):
        recipe = self.recipe
        if recipe.joint_vocabulary:
            texts = [text for pair in train for text in pair]
            return (self._new_vocabulary(texts, recipe.vocabulary),) * 2
        sources, targets = zip(*train, strict=True)
        return (
            self._new_vocabulary(sources, recipe.vocabulary),
            self._new_vocabulary(targets, recipe.target_vocabulary),
        )

    def _new_vocabulary(self, texts, options):
        """A vocabulary; of pairs of one's own it knows unknown symbols: any may be held out."""
        special = options.get("special_tokens")
        if special and UNKNOWN not in special and self.corpus.name != self.recipe.corpus:
            options = {**options, "special_tokens": (*special, UNKNOWN)}
        return Vocabulary.from_text(texts, **options)

    def _batches(self, pairs, batch_size, **order):
        source, target = self.vocabularies
        sources, targets = zip(*pairs, strict=True)
        return pair_batches(
            source.encode_documents(sources, start=False, end=source.end_id is not None),
            target.encode_documents(targets, start=False, end=False),
            batch_size,
            start_id=target.start_id,
            end_id=target.end_id,
            max_length=self.recipe.sequence_length,
            **order,
        )

    @property
    def training_sources(self) -> list[str]:
        """The texts of the training pairs that are translated."""
        return [source for source, _ in self._pairs]

    def distil(self, translations: Sequence[Sequence[str]]) -> None:
        """Adds what teachers make of the training sources to the training batches.

        Args:
            translations: Those of each teacher, one for each of `training_sources`; empty ones are
                left out.

        Raises:
            InputError: If a translation has a symbol that the target vocabulary lacks.
        """
        taught = [
            (source, text)
            for texts in translations
            for (source, _), text in zip(self._pairs, texts, strict=True)
            if text
        ]
        self.train = self._batches([*self._pairs, *taught], self.recipe.batch_size, **self._order)

    def build(self, dtype: str) -> models.Seq2Seq:
        """Builds the recipe's model."""
        builder = getattr(models, self.recipe.builder)
        return builder(*self.vocabularies, dtype=dtype, **self.recipe.builder_options)

    def baselines(self) -> dict[str, float]:
        """None."""
        return {}

    def evaluate(self, model: models.Seq2Seq) -> dict[str, Any]:
        """Measures a compiled model on the validation pairs, running free and teacher-forced.

        Returns:
            A dictionary of figures; the first is the one to quote.
        """
        pairs = self.held_out[:TRANSLATED]
        if self.recipe.measure == "bleu":
            figures = self._quality(model, pairs)
        else:
            split = self.vocabularies[1].split
            references = [split(target) for _, target in pairs]
            longest = max(map(len, references)) + 5
            write = partial(translate, model, max_new_tokens=longest)
            figures = accuracy([split(text) for text in translate_all(write, pairs)], references)
        teacher_forced = model.evaluate(self.validation, verbose=0, return_dict=True)
        return {
            **figures,
            "perplexity_teacher_forced": teacher_forced[model.default_metric().name],
            "translated_pairs": len(pairs),
        }

    def _counts(self):
        """What is counted: a model that writes no capitals cannot be right where case counts."""
        if self.vocabularies[1].lowercase:
            return ["bleu_lowercase", "chrf_lowercase"]
        return ["bleu", "bleu_lowercase", "chrf"]

    def _quality(self, model, pairs):
        """BLEU and chrF of pairs by search: `bleu_beam_5`, `bleu_greedy`, ..."""
        references = [target for _, target in pairs]
        figures = {}
        for width in self.recipe.beam_widths:
            how, search = "greedy", {}
            if width > 1:
                how = f"beam_{width}"
                search = {"beam_width": width, "length_penalty": self.recipe.length_penalty}
            write = partial(translate, model, **search)
            found = translation_quality(translate_all(write, pairs), references)
            figures |= {f"{name}_{how}": found[name] for name in self._counts()}
        return figures

    def prompts(self) -> list[str]:
        """The recipe's texts to translate, else the first validation texts."""
        return list(self.recipe.prompts) or [source for source, _ in self.held_out[:3]]

    def references(self) -> list[str] | None:
        """What the prompts should become, or `None` where nobody knows."""
        return None if self.recipe.prompts else [target for _, target in self.held_out[:3]]

    def sample(self, model: models.Seq2Seq, seed: int) -> str:
        """Translates one validation text, the one of this number."""
        source, target = self.held_out[seed % len(self.held_out)]
        return f"{source}\n-> {model.translate(source)}\n   (reference: {target})"


def translate_all(
    translate: Callable[[list[str]], list[str]], pairs: Sequence[tuple[str, str]]
) -> list[str]:
    """Translates the sources of pairs in batches of similar length; returns them in order."""
    order = np.argsort([len(source) for source, _ in pairs], kind="stable")
    translations = [""] * len(pairs)
    for first in range(0, len(pairs), BATCH):
        rows = order[first : first + BATCH]
        sources = [pairs[row][0] for row in rows]
        # A short last batch would compile anew on some backends: fill it up.
        sources += sources[:1] * (min(BATCH, len(pairs)) - len(sources))
        texts = translate(sources)
        for row, text in zip(rows, texts, strict=False):
            translations[row] = text
    return translations


def accuracy(
    written: Sequence[Sequence[str]], references: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Compares what was written with what should have been, symbol by symbol.

    Args:
        written: One list of symbols per text.
        references: The same, as it should be.

    Returns:
        A dictionary: `symbols_right`, the share of the reference symbols that stand at their
        position in what was written; `sequences_right`, the share of texts that are equal;
        `symbols_right_by_position`, the first of these for each position. Where the references have
        several lengths, but at most 40, also `symbols_right_by_length`, the same for the references
        of each length, and `symbols_right_worst_length`, the lowest of these.

    Example:
        >>> figures = accuracy(["1254", "9"], ["1244", "97"])
        >>> figures["symbols_right_by_position"], figures["symbols_right_by_length"]
        ([1.0, 0.5, 0.0, 1.0], {'2': 0.5, '4': 0.75})
    """
    lengths = np.array([len(reference) for reference in references])
    right = np.zeros((len(references), lengths.max()), bool)  # (texts, positions)
    for row, one, reference in zip(right, written, references, strict=True):
        for position, (symbol, wanted) in enumerate(zip(one, reference, strict=False)):
            row[position] = symbol == wanted
    equal = [list(one) == list(ref) for one, ref in zip(written, references, strict=True)]
    figures = {
        "symbols_right": float(right.sum() / lengths.sum()),
        "sequences_right": float(np.mean(equal)),
    }
    present = (lengths[:, None] > np.arange(lengths.max())).sum(axis=0)  # of each position
    by_position = [round(float(share), 4) for share in right.sum(axis=0) / present]
    different = np.unique(lengths)
    if 1 < len(different) <= LENGTHS:
        by_length = {  # its keys are texts, since those of JSON are
            str(length): float(right[lengths == length, :length].mean()) for length in different
        }
        figures["symbols_right_worst_length"] = min(by_length.values())
        figures["symbols_right_by_length"] = by_length
    return {**figures, "symbols_right_by_position": by_position}
