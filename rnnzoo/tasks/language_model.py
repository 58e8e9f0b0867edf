"""What a recipe of a language model reads, how it is validated and what it is compared with."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, Self

import keras
import numpy as np

from rnnzoo import models
from rnnzoo.data import (
    document_batches,
    random_resets,
    stream_batches,
    variable_stream_batches,
    window_batches,
    with_teacher,
)
from rnnzoo.data.batches import in_background
from rnnzoo.data.corpus import Corpus
from rnnzoo.data.encoded import encode_corpus
from rnnzoo.data.sequences import split
from rnnzoo.data.sources import keras_home
from rnnzoo.data.variable import cuts_of
from rnnzoo.errors import InputError, check_positive, unknown_name
from rnnzoo.models.distillation import check_distillation
from rnnzoo.tasks.recipe import NOT_TRAINING, Recipe, check_above_zero, vocabulary_of
from rnnzoo.tasks.splits import check_symbols, in_rows, own_validation, train_and_validation
from rnnzoo.vocabulary import SPECIAL_TOKENS, Vocabulary

MEMORY_LIMIT = 10_000_000  # characters; a longer text is encoded to a file
# The estimate of nanoGPT: random blocks, each read from nothing.
BLOCK_BATCHES, BLOCK_ROWS, BLOCK_LENGTH, BLOCK_SEED = 200, 64, 256, 1337


BATCHES = ("streams", "windows", "documents")


@dataclass(frozen=True, kw_only=True)
class LanguageModelRecipe(Recipe, task="language_model"):
    """A recipe of a language model, with what that needs beside what all tasks share.

    Args:
        batches: `"streams"` (contiguous, the state is carried), `"windows"` or `"documents"`
            (padded).
        stride: From one window's start to the next; its length when left out.
        reset_probability: How likely a row of a stream is to start from an empty state in a batch,
            beside where it must; see `rnnzoo.data.random_resets`.
        variable_length: Whether a stream's batches are a half to one and a half of
            `sequence_length` long, other ones in each epoch, with learning rates in proportion; see
            `rnnzoo.data.variable_stream_batches`.
        temperature: Of the samples.
        ngram_orders: Orders of the Kneser-Ney models to compare a model of documents with.
        teachers: Names or paths of trained models of the same vocabulary to learn from; see
            `rnnzoo.models.DistillationLoss`.
        teacher_alpha: The share of the teachers in the loss.
        teacher_temperature: The temperature of their probabilities.

    Raises:
        InputError: If a name or a number cannot be.
    """

    task: str = "language_model"
    batches: str = "streams"
    stride: int | None = None
    reset_probability: float = 0.0
    variable_length: bool = False
    temperature: float = 0.8
    ngram_orders: tuple[int, ...] = ()
    teachers: tuple[str, ...] = ()
    teacher_alpha: float = 0.5
    teacher_temperature: float = 1.0
    corpus_kinds: ClassVar[tuple[str, ...]] = ("text", "documents")
    reads: ClassVar[str] = (
        'a text file, a folder of .txt files or a .jsonl file with a field "text" in every line'
    )
    own_words: ClassVar[frozenset[str]] = NOT_TRAINING | {"temperature", "ngram_orders"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches not in BATCHES:
            raise unknown_name("kind of batches", self.batches, BATCHES)
        check_positive(stride=self.stride)
        if self.sequence_length is None:
            raise InputError(
                f"The recipe {self.name!r} has no `sequence_length`, which its {self.batches} "
                "need; give the tokens of a row in one batch."
            )
        check_above_zero("temperature", self.temperature)
        self._check_resets()
        self._check_teachers()

    def _check_resets(self):
        if not (isinstance(self.reset_probability, Real) and 0 <= self.reset_probability <= 1):
            raise InputError(
                f"`reset_probability` must be from 0 to 1, not {self.reset_probability!r}."
            )
        if self.reset_probability and self.batches != "streams":
            raise InputError(
                f"The recipe {self.name!r} has a `reset_probability`, which goes with streams, but "
                f"its batches are {self.batches}."
            )

        if self.variable_length and (self.batches != "streams" or self.sequence_length < 4):
            raise InputError(
                f"The recipe {self.name!r} has `variable_length`, which goes with streams of a "
                f"`sequence_length` of at least 4, but its batches are {self.batches} of "
                f"{self.sequence_length}."
            )

    def _check_teachers(self):
        check_distillation(alpha=self.teacher_alpha, temperature=self.teacher_temperature)
        if self.teachers and self.batches == "documents":
            raise InputError(
                f"The recipe {self.name!r} has teachers, which read streams or windows of one "
                "text, but its batches are documents."
            )
        if self.teachers and self.label_smoothing:
            raise InputError(
                f"The recipe {self.name!r} has teachers and `label_smoothing`, which both soften "
                "the labels; leave out one of the two."
            )

    def with_teachers(
        self,
        names: Sequence[str],
        *,
        alpha: float | None = None,
        temperature: float | None = None,
    ) -> Self:
        """The recipe of a model that learns from trained ones too; see `Recipe`."""
        given = {"teacher_alpha": alpha, "teacher_temperature": temperature}
        given = {name: value for name, value in given.items() if value is not None}
        return replace(self, teachers=tuple(names), **given)

    def loss(self) -> keras.losses.Loss | None:
        """The training loss: with teachers, that of `rnnzoo.models.DistillationLoss`."""
        if self.teachers:
            return models.DistillationLoss(self.teacher_alpha, temperature=self.teacher_temperature)
        return super().loss()

    def kind_of_model(self) -> str:
        """The model in words, to put before what it is trained on."""
        level = self.vocabulary.get("level", "character")
        return f"A {level} {self.builder_options.get('cell', 'lstm').replace('_', ' ').upper()}"

    def with_level(self, level: str) -> Self:
        """The recipe with tokens of another level, and the builder that goes with them."""
        builder = "char_lstm" if level == "character" else "word_lm"
        options = dict(self.builder_options)
        if builder != self.builder:
            kept = ("units", "num_layers", "cell", "dropout", "weight_drop", "locked_dropout")
            kept += ("block", "expansion", "activation_regularization", "temporal_regularization")
            options = {name: options[name] for name in kept if name in options}
        new = {"builder": builder, "builder_options": options, "ngram_orders": ()}
        return replace(self, vocabulary=vocabulary_of(level, self.vocabulary), **new)


class LanguageModelTask:
    """The data of a language model, its figures and its samples.

    A text is one stream whose end is held out, unless it comes with a validation split of its own.
    A model of characters is measured there twice: on the whole of it with carried state, and on
    random blocks from the zero state, as transformers are measured. Documents are joined, each from
    start to end, in a seeded order, to one stream for training; for validation every document
    starts from an empty state, so that figures are comparable with those of an n-gram model.

    Args:
        recipe: A `LanguageModelRecipe`.
        corpus: A `Corpus` of a text or of documents.
        seed: Of the order of the data.
        model: A trained model to go on with, whose vocabulary is then used.
        initial_epoch: The epoch to go on with; each has an order and resets of its own.

    Attributes:
        vocabularies: The vocabulary, in a tuple.
        train: Training batches.
        validation: Validation batches.
        parts: The ids of the training part and of the validation part, each one flat array or a
            list of documents.
        split: A sentence that says what is held out.

    Raises:
        InputError: If the text is too short or has symbols that the model's vocabulary lacks.
    """

    model_class = starts_from = models.LanguageModel
    script = "train_char_lstm.py"
    sample_name = "Seed"
    chosen_by = "lowest validation loss"  # a checkpoint
    limits = (
        "It writes text in the manner of its corpus and knows nothing else: what it states is made "
        "up, and it repeats the errors, the rude words and the prejudices of its source. Meant for "
        "study, for demonstrations and as a start for fine-tuning on similar text; not for advice, "
        "facts or judgements about people."
    )

    @staticmethod
    def vocabularies_of(model: models.LanguageModel) -> tuple[Vocabulary | None, ...]:
        """The vocabularies of a trained model."""
        return (model.vocabulary,)

    @staticmethod
    def sampling(recipe: Mapping[str, Any]) -> str:
        """Says on a card how the samples were drawn, given the arguments of the recipe."""
        temperature = recipe["temperature"]
        return f"Not picked: seeds 0, 1 and 2, drawn at temperature {temperature} after a prompt."

    @staticmethod
    def teaching(recipe: Mapping[str, Any], names: str) -> str:
        """Says on a card how teachers of these names taught, given the arguments of the recipe."""
        alpha, temperature = recipe["teacher_alpha"], recipe["teacher_temperature"]
        return (
            f"Distilled (Hinton et al. 2015) from {names}, each with a digest of its weights: "
            f"{alpha:g} of the loss is the cross-entropy with the mean of their probabilities at "
            f"temperature {temperature:g}, {1 - alpha:g} that with the labels."
        )

    def __init__(
        self,
        recipe: LanguageModelRecipe,
        corpus: Corpus,
        *,
        seed: int = 0,
        model: models.LanguageModel | None = None,
        initial_epoch: int = 0,
    ):
        self.recipe, self.corpus, self.texts = recipe, corpus, None
        if corpus.kind == "documents":
            *self.texts, self.split = train_and_validation(corpus, recipe)
        self.vocabulary = self._make_vocabulary() if model is None else self._adopt(model)
        self.vocabularies = (self.vocabulary,)
        if self.texts is None:
            self._read_text(seed, initial_epoch)
        else:
            self._read_documents(seed, initial_epoch)

    def _make_vocabulary(self):
        options = dict(self.recipe.vocabulary)
        if self.texts is None:
            return Vocabulary.from_text(self.corpus.chunks(), **options)
        options.setdefault("special_tokens", SPECIAL_TOKENS)
        return Vocabulary.from_text(self.texts[0], **options)

    def _adopt(self, model):
        """Takes the vocabulary of a trained model, if it fits the corpus."""
        vocabulary, name = model.vocabulary, self.corpus.name
        if self.texts is None:
            check_symbols(vocabulary, self.corpus.chunks(), name)
            return vocabulary
        if vocabulary.start_id is None or vocabulary.end_id is None:
            raise InputError(
                f"The model's vocabulary has no start and end of a document, but {name} holds "
                "documents; join them to one text file, or train without --from."
            )
        check_symbols(vocabulary, itertools.chain(*self.texts), name)
        return vocabulary

    def _read_text(self, seed, initial_epoch):
        recipe = self.recipe
        if recipe.batches == "documents":
            raise InputError(
                f"The recipe {recipe.name!r} needs documents, a folder of .txt files or a .jsonl "
                "file, but got one text."
            )
        characters = sum(map(len, self.corpus.chunks()))
        if characters > MEMORY_LIMIT:
            ids = encode_corpus(self.corpus, self.vocabulary)
        else:
            ids = self.vocabulary.encode(self.corpus.text)
        rows = recipe.validation_batch_size or recipe.batch_size
        if self.corpus.validation is None:
            self._check_length(len(ids), rows)
            train, held_out = split(ids, recipe.validation_split)
            read, what = held_out, f"the last {recipe.validation_split:.0%} of the text"
            self.targets = rows * ((len(held_out) - 1) // rows)  # the rows leave the rest over
            size, first = len(held_out), "the first "
        else:
            train, held_out = ids, own_validation(self.corpus, self.vocabulary, before=ids[-1:])
            read, what = in_rows(held_out, rows), f"the {self.corpus.name} validation split"
            self.targets = size = len(held_out) - 1
            first = ""
        self.train = _batches(train, None, recipe, seed=seed, initial_epoch=initial_epoch)
        self.training_ids, self._draws = train, {"seed": seed, "initial_epoch": initial_epoch}
        self.validation = stream_batches(read, rows, recipe.sequence_length)
        self.held_out, self.documents, self.parts = held_out, None, (train, held_out)
        units = f"{self.vocabulary.level}s"
        self.split = (
            f"{what}, {size:,} {units}, read in {rows} contiguous rows with carried state; trained "
            f"on {first}{len(train):,}"
        )
        self.block_starts = ()
        if self.vocabulary.level == "character":
            self.block_starts, how = _block_starts(len(held_out))
            self.split += f"; {how}"

    def _check_length(self, length, validation_rows):
        recipe = self.recipe
        share = recipe.validation_split
        needed = recipe.sequence_length * max(
            recipe.batch_size / (1 - share), validation_rows / share
        )
        if length < needed + 20:  # each part has a first token, which is no target
            raise InputError(
                f"{self.corpus.name} has {length:,} {self.vocabulary.level}s, but the recipe "
                f"{recipe.name!r} needs about {math.ceil(needed) + 20:,} for its batches; give a "
                "longer text, or another recipe (one that ends in _tiny needs least)."
            )

    def _read_documents(self, seed, initial_epoch):
        recipe, vocabulary = self.recipe, self.vocabulary
        train, held_out = (vocabulary.encode_documents(texts) for texts in self.texts)
        self.documents = self.parts = train, held_out
        order = np.random.default_rng(seed).permutation(len(train))
        flat = np.concatenate([train[index] for index in order])
        needed = recipe.batch_size * recipe.sequence_length
        if recipe.batches == "streams" and len(flat) <= needed:
            raise InputError(
                f"The training documents of {self.corpus.name} have {len(flat):,} "
                f"{vocabulary.level}s, but the recipe {recipe.name!r} needs over {needed:,} for "
                f"its batch_size of {recipe.batch_size} rows of {recipe.sequence_length}; give "
                "more documents, or another recipe (one that ends in _tiny needs least)."
            )
        batches = _batches(flat, train, recipe, seed=seed, initial_epoch=initial_epoch)
        self.train = _without_starts(batches, vocabulary.start_id)
        self.training_ids, self._draws = flat, {"seed": seed, "initial_epoch": initial_epoch}
        rows = min(recipe.validation_batch_size or recipe.batch_size, len(held_out))
        self.validation = stream_batches(held_out, rows, recipe.sequence_length)
        self.held_out = np.concatenate(held_out)
        self.split += ", every document from an empty state, its end included"
        if vocabulary.level == "word" and vocabulary.unknown_id is not None:
            self.split += (
                "; bits per character are over the characters of all words, the unknown ones too, "
                "which are predicted as one token"
            )

    @property
    def temperature(self) -> float:
        """The temperature of the samples."""
        return self.recipe.temperature

    def build(self, dtype: str) -> models.LanguageModel:
        """Builds the recipe's model."""
        builder = getattr(models, self.recipe.builder)
        return builder(self.vocabulary, dtype=dtype, **self.recipe.builder_options)

    def distil(self, predictions: np.ndarray) -> None:
        """Adds what teachers predict to the training batches.

        Args:
            predictions: Of `rnnzoo.training.distillation.teacher_predictions` for `training_ids`.
        """
        places = np.arange(len(self.training_ids))
        positions = _batches(places, None, self.recipe, **self._draws)
        self.train = with_teacher(self.train, positions, predictions)

    def relative_length(self, epoch: int, batch: int) -> float:
        """How long a training batch is, in `sequence_length`, where batches differ in length."""
        recipe = self.recipe
        if not recipe.variable_length:
            return 1.0
        cuts = cuts_of(
            len(self.train), sequence_length=recipe.sequence_length, seed=self._draws["seed"],
            epoch=epoch,
        )  # fmt: skip
        return float(cuts[batch + 1] - cuts[batch]) / recipe.sequence_length

    def baselines(self) -> dict[str, float]:
        """Figures of the recipe's n-gram models on the same tokens, by name."""
        if self.documents is None:
            return {}
        from rnnzoo.evaluation import cached_perplexity

        figures, vocabulary, cache = {}, self.vocabulary, keras_home() / "rnnzoo"
        ids = {name: getattr(vocabulary, name) for name in ("pad_id", "start_id", "end_id")}
        for order in self.recipe.ngram_orders:
            arguments = (order, *self.documents, len(vocabulary))
            try:
                found = cached_perplexity(*arguments, cache, **ids)
            except InputError:
                print(
                    f"The n-gram figures are not kept, since {cache} cannot be written; the "
                    "environment variable KERAS_HOME names another folder."
                )
                cache = None
                found = cached_perplexity(*arguments, cache, **ids)
            figures[f"kneser_ney_{order}gram_perplexity"] = found["perplexity"]
        return figures

    def evaluate(self, model: models.LanguageModel) -> dict[str, float]:
        """Measures a compiled model on the validation data.

        Returns:
            A dictionary of figures; the first is the one to quote.
        """
        figures = self.figures(_nats(model, self.validation))
        if self.documents is None and len(self.block_starts):
            nats = _nats(model, _zero_state_batches(self.held_out, self.block_starts))
            figures["zero_state_nats_per_character"] = nats
            figures["zero_state_bits_per_character"] = nats / math.log(2)
        return figures

    def figures(self, nats: float) -> dict[str, float]:
        """The figures of the validation data that follow from one.

        Args:
            nats: Mean cross-entropy per token.

        Returns:
            A dictionary of figures; the first is the one to quote.
        """
        if self.documents is None:
            bits = nats / math.log(2)
            if self.vocabulary.level == "character":
                return {"nats_per_character": nats, "bits_per_character": bits}
            return {"perplexity": math.exp(nats), "nats_per_token": nats, "tokens": self.targets}
        vocabulary, targets = (
            self.vocabulary,
            self.held_out[self.held_out != self.vocabulary.start_id],
        )
        # What the model reads of the text: words with one space or end after each, or characters.
        chunks = [vocabulary.split(text) for text in self.texts[1]]
        if vocabulary.level == "word":
            characters = sum(len(word) + 1 for words in chunks for word in words)
        else:
            characters = sum(len(text) + 1 for text in chunks)
        figures = {
            "perplexity": math.exp(nats),
            "nats_per_token": nats,
            "bits_per_character": nats * len(targets) / math.log(2) / characters,
            "tokens": len(targets),
        }
        if vocabulary.unknown_id is not None:
            figures["unknown_rate"] = float(np.mean(targets == vocabulary.unknown_id))
        return figures

    def prompts(self) -> list[str]:
        """The recipe's prompts as far as the vocabulary has them.

        Where there are none, as for a text of one's own: its first words, and words at a place in
        the held-out part that the seed decides.
        """
        vocabulary = self.vocabulary
        if vocabulary.unknown_id is not None:
            known = self.recipe.prompts
        else:
            known = [text for text in self.recipe.prompts if not vocabulary.unknown_symbols(text)]
        if known:
            return list(known)
        random = np.random.default_rng(self.recipe.seed)
        if self.texts is None:
            first = next(iter(self.corpus.chunks()))
            place = int(random.integers(max(1, len(self.held_out) - 200)))
            later = vocabulary.decode(self.held_out[place : place + 200])
            later = later.partition(" ")[2] or later  # from the start of a word
        else:
            texts = _with_words(self.texts[1]) or _with_words(self.texts[0])
            first, later = texts[0], texts[int(random.integers(len(texts)))]
        return list(dict.fromkeys(filter(None, map(_first_words, (first, later)))))

    def references(self) -> None:
        """None: nobody knows how a text should go on."""
        return None

    def sample(self, model: models.LanguageModel, seed: int) -> str:
        """Writes one sample: the prompt and what the model makes of it."""
        prompts = self.prompts()
        prompt = prompts[seed % len(prompts)]
        continuation = model.generate(
            prompt,
            max_new_tokens=self.recipe.sample_length,
            temperature=self.recipe.temperature,
            seed=seed,
        )
        return f"{prompt}{continuation}"


def _with_words(texts):
    """Those that are not blank: a sample goes on from something."""
    return [text for text in texts if text.strip()]


def _first_words(text):
    """The words within the first 24 characters of a text, or its first 10 characters."""
    text = text.strip()[:25]
    if len(text) < 25:
        return text
    words = text.rpartition(" ")[0] if "\n" not in text else text.partition("\n")[0]
    return words.strip() or text[:10]


def _batches(flat, documents, recipe, seed, initial_epoch):
    size, length = recipe.batch_size, recipe.sequence_length
    draws = {"seed": seed, "initial_epoch": initial_epoch}
    if recipe.batches == "windows":
        return window_batches(flat, size, length, stride=recipe.stride or length, **draws)
    if recipe.batches == "documents":
        return document_batches(documents, size, max_length=length, **draws)
    if recipe.variable_length:
        batches = variable_stream_batches(flat, size, length, **draws)
    else:
        batches = stream_batches(flat, size, length)
    if recipe.reset_probability:
        batches = random_resets(batches, recipe.reset_probability, **draws)
    return batches


def _block_starts(length):
    """Where random blocks of a held-out text start, and a sentence that says how many there are.

    A text that is short has as many batches as it has places to start.
    """
    places = max(length - BLOCK_LENGTH, 0)
    batches = min(BLOCK_BATCHES, places // BLOCK_ROWS)
    starts = np.random.default_rng(BLOCK_SEED).integers(0, places or 1, batches * BLOCK_ROWS)
    if not batches:
        return starts, f"too short for {BLOCK_ROWS} blocks of {BLOCK_LENGTH} from the zero state"
    return starts, (
        f"zero state: {batches} random batches of {BLOCK_ROWS} x {BLOCK_LENGTH} of it, every block "
        f"from the zero state (the estimate of nanoGPT; NumPy's seed {BLOCK_SEED})"
    )


def _zero_state_batches(held_out, starts):
    """Batches of the blocks and of what follows each of their characters."""
    import tensorflow as tf

    blocks = held_out[starts[:, None] + np.arange(BLOCK_LENGTH + 1)]  # (batches * rows, length + 1)
    data = tf.data.Dataset.from_tensor_slices((blocks[:, :-1], blocks[:, 1:]))
    return in_background(data.batch(BLOCK_ROWS))


def _without_starts(batches, start_id):
    """Gives the start of the next document, which nobody has to guess, the weight 0."""
    import tensorflow as tf

    def weigh(inputs, targets, weights=1.0):
        return inputs, targets, weights * tf.cast(targets != start_id, tf.float32)

    return in_background(batches.map(weigh))


def _nats(model, batches):
    """Exact mean nats per token, out of the summed metric."""
    metric = model.default_metric().name
    value = model.evaluate(batches, verbose=0, return_dict=True)[metric]
    return value * math.log(2) if metric == "bits_per_character" else math.log(value)
