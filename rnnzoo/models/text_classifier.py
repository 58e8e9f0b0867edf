"""Recurrent classifiers of texts, on top of what a language model has learnt."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_fraction, check_positive
from rnnzoo.generation.batching import batches_by_length
from rnnzoo.generation.inputs import list_of_texts
from rnnzoo.layers.dropout import EmbeddingDropout
from rnnzoo.layers.stack import RecurrentStack
from rnnzoo.models.base import ZooModel, vocabulary_and_size
from rnnzoo.models.classifying import Classified, class_probabilities, pooled
from rnnzoo.models.language_model import LanguageModel
from rnnzoo.typing import Shape, Tensor
from rnnzoo.vocabulary import Vocabulary

# What a classifier has in common with its language model: what its weights are of, and what may be
# another.
SIZES = {
    "units",
    "num_layers",
    "cell",
    "embedding_dim",
    "trainable_initial_state",
    "block",
    "expansion",
}
RATES = {"dropout", "locked_dropout", "weight_drop", "embedding_dropout"}


@keras.saving.register_keras_serializable("rnnzoo")
class TextClassifier(ZooModel):
    """Embedding and recurrent layers of a language model, pooled over time, and a label's logits.

    What is pooled are the outputs of the last recurrent layer: the last one, the largest and the
    mean of each unit, padding left out (Howard and Ruder 2018).

    Args:
        vocabulary: A `Vocabulary` whose id 0 is `"<pad>"`, or a number of ids, 0 padding.
        labels: The names of the labels, at least two.
        units: Size of the recurrent state, one number or one per layer.
        num_layers: Number of recurrent layers.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a token's embedding; `units` of the first layer when left out.
        head_units: Size of the layer between the pooled outputs and the labels.
        head_dropout: Rate of the dropout before the two layers of the head.
        dropout: Rate of the dropout on the output of each recurrent layer.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        weight_drop: Rate of the dropout on the recurrent matrices.
        embedding_dropout: Rate of the dropout of whole tokens.
        trainable_initial_state: Whether the recurrent state before the first token is learnt.
        block: `"plain"` or `"residual"`, as for `LanguageModel`.
        expansion: Inner width of a residual block's feed-forward layer, in `units`.
        **kwargs: What every `keras.Model` takes, such as `name` and `dtype`.

    Call arguments:
        tokens: Token ids, int32 `(batch, time)`, right-padded with 0; no row may be empty.
        training: Whether dropout is on.

    Returns:
        The logits of the labels, float32 `(batch, labels)`.

    Raises:
        InputError: If a size, rate or name is not valid.

    Example:
        >>> import numpy as np
        >>> model = TextClassifier(65, labels=("negative", "positive"), units=16)
        >>> model(np.ones((4, 10), "int32")).shape == (4, 2)
        True

    Reference:
        Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018
        (arXiv:1801.06146).
    """

    takes_one_label_a_row = takes_class_weight = larger_is_better = True

    def __init__(
        self,
        vocabulary: Vocabulary | int,
        *,
        labels: Sequence[str],
        units: int | Sequence[int],
        num_layers: int | None = None,
        cell: str = "lstm",
        embedding_dim: int | None = None,
        head_units: int = 50,
        head_dropout: float = 0.1,
        dropout: float = 0.0,
        locked_dropout: bool = False,
        weight_drop: float = 0.0,
        embedding_dropout: float = 0.0,
        trainable_initial_state: bool = False,
        block: str = "plain",
        expansion: float = 1.5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocabulary, self.vocabulary_size = vocabulary_and_size(vocabulary)
        self.labels = checked_labels(labels)
        if self.vocabulary is not None and self.vocabulary.pad_id != 0:
            raise InputError(
                "A classifier reads batches of texts of different lengths, and its vocabulary has "
                'no padding; make it with the special token "<pad>" first.'
            )
        check_positive(embedding_dim=embedding_dim, head_units=head_units)
        check_fraction(head_dropout=head_dropout, embedding_dropout=embedding_dropout)
        dtype = self.dtype_policy
        recurrent = RecurrentStack(
            units, num_layers=num_layers, cell=cell, dropout=dropout,
            locked_dropout=locked_dropout, weight_drop=weight_drop,
            trainable_initial_state=trainable_initial_state, block=block, expansion=expansion,
            dtype=dtype, name="recurrent",
        )  # fmt: skip
        self.embedding_dim = int(embedding_dim or recurrent.units[0])
        self.head_units, self.head_dropout = int(head_units), float(head_dropout)
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, dtype=dtype, name="embedding"
        )
        self.embedding_dropout = EmbeddingDropout(
            self.vocabulary_size, rate=embedding_dropout, dtype=dtype, name="embedding_dropout"
        )
        self.recurrent = recurrent
        self.head = keras.Sequential(
            [
                keras.layers.Dropout(head_dropout, dtype=dtype),
                keras.layers.Dense(head_units, "relu", dtype=dtype, name="hidden"),
                keras.layers.Dropout(head_dropout, dtype=dtype),
                keras.layers.Dense(len(self.labels), dtype=dtype, name="logits"),
            ],
            name="head",
        )
        self.head.dtype_policy = dtype  # else that of Keras, and it would count as changed
        self.build((None, None))

    @classmethod
    def from_language_model(
        cls, language_model: LanguageModel, labels: Sequence[str], **options: Any
    ) -> Self:
        """Makes a classifier that starts from the embedding and recurrent layers of a model.

        Args:
            language_model: A trained `LanguageModel`, which stays as it is.
            labels: The names of the labels.
            **options: Other arguments of the classifier, such as `dropout` and `dtype`; its sizes
                are those of the model.

        Returns:
            The classifier, whose head alone is untrained.

        Raises:
            InputError: If it is no `LanguageModel`, or one with replaced or quantized layers.

        Example:
            >>> from rnnzoo import word_lm
            >>> model = word_lm(100, units=16, embedding_dim=8)
            >>> TextClassifier.from_language_model(model, ("bad", "good")).labels
            ('bad', 'good')
        """
        if not isinstance(language_model, LanguageModel):
            raise InputError(
                "A classifier starts from a LanguageModel, not from "
                f"{type(language_model).__name__}; give one, such as the model that "
                'rnnzoo.load("word_lm_imdb") returns.'
            )
        if language_model._changes():
            raise InputError(
                "A classifier starts from a language model as it was built, and this one has "
                "replaced, quantized or LoRA layers; give the model without them."
            )
        config = language_model.get_config()
        for name in SIZES & options.keys():
            raise InputError(f"`{name}` is that of the language model; leave it out.")
        shared = {name: config[name] for name in SIZES | RATES if name in config}
        vocabulary = language_model.vocabulary or language_model.vocabulary_size
        model = cls(vocabulary, labels=labels, **{**shared, **options})
        for part in ("embedding", "recurrent"):
            trained = getattr(language_model, part).weights  # also those that are frozen
            for weight, value in zip(getattr(model, part).weights, trained, strict=True):
                weight.assign(value)
        return model

    def build(self, _: Shape) -> None:
        """Creates all weights; the constructor calls it."""
        self.embedding.build((None, None))
        self.recurrent.build((None, None, self.embedding_dim))
        self.head.build((None, 3 * self.recurrent.output_size))
        self.built = True

    def default_metric(self) -> keras.metrics.Metric:
        """The share of texts whose most probable label is the right one."""
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    @property
    def output_size(self) -> int:
        """The number of labels."""
        return len(self.labels)

    def call(self, tokens: Tensor, training: bool = False) -> Tensor:
        """Returns the logits of the labels; see the class."""
        mask = ops.not_equal(tokens, 0)  # (B, T)
        hidden = self.embedding(tokens)  # (B, T, E)
        hidden = self.embedding_dropout(hidden, tokens, training=training)
        hidden, _ = self.recurrent(hidden, mask=mask, training=training)  # (B, T, units)
        logits = self.head(pooled(hidden, mask).features(), training=training)  # (B, labels)
        return ops.cast(logits, "float32")

    def _outside(self, found=None):
        which = "A batch has labels" if found is None else f"The label {found} is"
        return InputError(
            f"{which} outside of 0 to {len(self.labels) - 1}, which stand for "
            f"{', '.join(self.labels)[:200]}; give the number of a label for each text."
        )

    def _aligned(self, tokens, y, sample_weight):
        """The labels and weights of texts, `(batch,)` each."""
        many = len(y.shape) > 2 or (len(y.shape) == 2 and y.shape[-1] not in (1, None))
        if self._target_kind == "ids" and many:
            raise InputError(
                f"The targets have the shape {tuple(y.shape)}, and a classifier learns one label a "
                "text; give whole numbers of the shape (batch,)."
            )
        return super()._aligned(tokens, y, sample_weight)

    def encode(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Turns texts into ids as the classifier reads them, between start and end token.

        Args:
            texts: A list of texts.

        Returns:
            One int32 array a text.

        Raises:
            InputError: If the model holds no vocabulary, or a text cannot be encoded or is empty.
        """
        vocabulary, texts = self.vocabulary, list(texts)
        if vocabulary is None:
            raise InputError("The model holds no vocabulary; call it on ids instead.")
        rows = vocabulary.encode_documents(
            texts, start=vocabulary.start_id is not None, end=vocabulary.end_id is not None
        )
        for number, (row, text) in enumerate(zip(rows, texts, strict=True), start=1):
            if not text.strip() or not row.size:
                raise InputError(f"Text {number} is empty; give at least one symbol.")
        return rows

    def classify(
        self, texts: str | Sequence[str], *, batch_size: int = 64
    ) -> Classified | list[Classified]:
        """Finds the label of texts.

        Args:
            texts: A text or a list of texts.
            batch_size: How many texts are read at once, at most.

        Returns:
            A `Classified`, the label and the probability of each, or a list of these.

        Raises:
            InputError: If there is no text, one is empty or cannot be encoded, or the model holds
                no vocabulary.

        Example:
            >>> from rnnzoo import Vocabulary
            >>> words = Vocabulary.from_text("a good film", level="word")
            >>> model = TextClassifier(words, labels=("bad", "good"), units=8)
            >>> sorted(model.classify("a good film").probabilities)
            ['bad', 'good']
        """
        texts, single = list_of_texts(texts)
        check_positive(batch_size=batch_size)
        rows = self.encode(texts)
        found = np.empty((len(rows), len(self.labels)), "float32")
        for batch in batches_by_length(list(map(len, rows)), batch_size):
            found[batch] = class_probabilities(self, [rows[index] for index in batch])
        answers = [
            Classified(
                self.labels[int(row.argmax())],
                dict(zip(self.labels, map(float, row), strict=True)),
            )
            for row in found
        ]
        return answers[0] if single else answers

    def export_endpoints(self) -> dict[str, dict[str, Any]]:
        """Returns `classify` where there is a vocabulary, and `serve`."""
        if self.vocabulary is None:
            return super().export_endpoints()
        return {"classify": {"vocabulary": self.vocabulary}, **super().export_endpoints()}

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the model."""
        vocabulary = self.vocabulary
        own = self.recurrent.own_config()
        for name in ("activation_regularization", "temporal_regularization"):
            own.pop(name, None)
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary_size
            if vocabulary is None
            else keras.saving.serialize_keras_object(vocabulary),
            "labels": list(self.labels),
            "embedding_dim": self.embedding_dim,
            "embedding_dropout": self.embedding_dropout.rate,
            "head_units": self.head_units,
            "head_dropout": self.head_dropout,
            **own,
        }


def checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Checks the names of labels: at least two different ones, each a line that is not blank."""
    listed = list(labels) if isinstance(labels, list | tuple) else []
    texts = all(isinstance(label, str) and len(label.strip().splitlines()) == 1 for label in listed)
    if len(listed) < 2 or not texts or len(set(listed)) != len(listed):
        raise InputError(
            f"`labels` must be a list of at least two different names, not {labels!r:.200}."
        )
    return tuple(listed)
