"""Encoder-decoder: reads a source sequence, then writes a target sequence while looking back."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import (
    InputError,
    check_fraction,
    check_positive,
    unknown_name,
)
from rnnzoo.evaluation.metrics import Perplexity
from rnnzoo.generation.scoring import Scores, score_pairs
from rnnzoo.generation.streaming import stream_translation
from rnnzoo.generation.translate import translate
from rnnzoo.layers.decoder import ATTENTION_POSITIONS, Decoder
from rnnzoo.layers.encoder import Encoder
from rnnzoo.models.base import ZooModel, vocabulary_and_size
from rnnzoo.models.decodables import DecodableTranslator
from rnnzoo.typing import Shape, Tensor, Texts, Written
from rnnzoo.vocabulary import Vocabulary

# Keras starts embeddings within 0.05: the recurrent layers get little at first, and learn slowly
# (docs/lessons_learnt.md has the figures).
START_OF_SHARED = 0.4


@keras.saving.register_keras_serializable("rnnzoo")
class Seq2Seq(ZooModel):
    """A recurrent encoder and a recurrent decoder with additive attention between them.

    Args:
        source_vocabulary: A `Vocabulary` whose id 0 is `"<pad>"`, or a number of ids, 0 padding.
        target_vocabulary: A `Vocabulary` whose id 0 is `"<pad>"` and which has `"<start>"` and
            `"<end>"`, or a number of ids, 0 padding, 1 start and 2 end.
        units: Size of the recurrent states, and of the attention's space.
        num_layers: Number of recurrent layers on each side.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a token's embedding; `units` when left out.
        attention: `"bahdanau"`, or `None` for a decoder that only gets the encoder's final state.
        attention_position: `"before_cell"`, as in the paper: the previous state asks, and what it
            finds goes into the cell. Or `"after_cell"`: the recurrent layers run over the whole
            target at once (on a GPU in cuDNN), and their outputs ask.
        bidirectional: `"concat"`, `"sum"` or `"mul"` for how the encoder's two directions are
            merged (`True` is `"concat"`), or `False` for an encoder that reads forwards only.
        dropout: Rate of the dropout on embeddings and on the output of each recurrent layer.
        tie_embedding_weights: `True` for an output that scores tokens by the decoder's embeddings;
            `"all"` for an encoder that shares these, too, which needs equal vocabularies; shared
            embeddings start within 0.4, others within Keras's 0.05.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        trainable_initial_state: Whether the encoder's state before the first token is learnt; the
            decoder starts from the encoder's last.
        block: `"plain"`, or `"residual"` for norms and a gated feed-forward layer around each
            recurrent layer; `dropout` then stands behind the norms. See
            `rnnzoo.layers.ResidualBlock`.
        expansion: Inner width of a residual block's feed-forward layer, in widths of its stream.
        **kwargs: What every `keras.Model` takes, such as `name` and `dtype`.

    Call arguments:
        inputs: `{"source": int32 (batch, source_length), "target": int32 (batch, target_length)}`,
            both right-padded with 0; the target begins with the start token (teacher forcing).
            `fit` and `evaluate` may add `"labels"` and `"weights"`; see `LanguageModel`.

    Returns:
        Logits of the next target token at every step, float32
        `(batch, target_length, target_vocabulary_size)`.

    Raises:
        InputError: If a size, rate or name is not valid, or a vocabulary lacks a token.

    Example:
        >>> import numpy as np
        >>> model = Seq2Seq(20, 12, units=8)
        >>> ids = np.ones((2, 5), "int32")
        >>> model({"source": ids, "target": ids}).shape == (2, 5, 12)
        True

    Reference:
        Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning to Align and
        Translate", ICLR 2015; Cho et al., "Learning Phrase Representations using RNN
        Encoder-Decoder", EMNLP 2014; for tied weights Press and Wolf, "Using the Output Embedding
        to Improve Language Models", EACL 2017.
    """

    def __init__(
        self,
        source_vocabulary: Vocabulary | int,
        target_vocabulary: Vocabulary | int,
        *,
        units: int = 256,
        num_layers: int = 1,
        cell: str = "gru",
        embedding_dim: int | None = None,
        attention: str | None = "bahdanau",
        attention_position: str = "before_cell",
        bidirectional: bool | str = True,
        dropout: float = 0.0,
        tie_embedding_weights: bool | str = False,
        locked_dropout: bool = False,
        trainable_initial_state: bool = False,
        block: str = "plain",
        expansion: float = 1.5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_positive(units=units, num_layers=num_layers, embedding_dim=embedding_dim)
        check_fraction(dropout=dropout)
        if attention not in ("bahdanau", None):
            raise InputError(f'`attention` must be "bahdanau" or None, not {attention!r}.')
        if tie_embedding_weights not in (False, True, "all"):
            raise InputError(
                '`tie_embedding_weights` must be False, True or "all", not '
                f"{tie_embedding_weights!r}."
            )
        if attention_position not in ATTENTION_POSITIONS:
            raise unknown_name("attention position", attention_position, ATTENTION_POSITIONS)
        self.source_vocabulary, self.source_vocabulary_size = vocabulary_and_size(source_vocabulary)
        self.target_vocabulary, self.target_vocabulary_size = vocabulary_and_size(target_vocabulary)
        _check_special_tokens("source", self.source_vocabulary, ["<pad>"])
        _check_special_tokens("target", self.target_vocabulary, ["<pad>", "<start>", "<end>"])
        same = self.source_vocabulary == self.target_vocabulary
        if tie_embedding_weights == "all" and not (
            same and self.source_vocabulary_size == self.target_vocabulary_size
        ):
            raise InputError(
                'With `tie_embedding_weights="all"` source and target share their embeddings, but '
                "their vocabularies differ; give one vocabulary for both, or True to tie those of "
                "the target alone."
            )
        self.padding_id = 0
        self.start_id, self.end_id = 1, 2  # of a target; a vocabulary may have them elsewhere
        if self.target_vocabulary is not None:
            self.start_id = self.target_vocabulary.start_id
            self.end_id = self.target_vocabulary.end_id
        sizes = {
            "units": int(units),
            "num_layers": int(num_layers),
            "cell": cell,
            "embedding_dim": int(embedding_dim or units),
            "dropout": float(dropout),
            "locked_dropout": bool(locked_dropout),
        }
        self.config = {
            **sizes,
            "tie_embedding_weights": tie_embedding_weights,
            "attention": attention,
            "attention_position": attention_position,
            "bidirectional": "concat" if bidirectional is True else bidirectional,
        }
        if trainable_initial_state:
            self.config["trainable_initial_state"] = True
        if block != "plain":
            sizes |= {"block": block, "expansion": float(expansion)}
            self.config |= sizes
        parts = {**sizes, "dtype": self.dtype_policy}
        start = "uniform"
        if tie_embedding_weights == "all":
            start = keras.initializers.RandomUniform(-START_OF_SHARED, START_OF_SHARED)
        self.encoder = Encoder(
            self.source_vocabulary_size,
            merge_mode=self.config["bidirectional"] or None,
            embeddings_initializer=start,
            trainable_initial_state=trainable_initial_state,
            name="encoder",
            **parts,
        )
        self.decoder = Decoder(
            self.target_vocabulary_size,
            attention_position=attention_position if attention else None,
            tie_embedding_weights=bool(tie_embedding_weights),
            embedding=self.encoder.embedding if tie_embedding_weights == "all" else None,
            name="decoder",
            **parts,
        )
        self.build({"source": (None, None), "target": (None, None)})

    def build(self, _: dict[str, Shape]) -> None:
        """Creates all weights; the constructor calls it."""
        self.encoder.build((None, None))
        values_shape = (None, None, self.encoder.output_dim)
        self.decoder.build((None, None), memory_shape=[values_shape])
        self.built = True

    def default_metric(self) -> Perplexity:
        """Perplexity, per target token."""
        return Perplexity()

    def encode(self, source: Tensor, training: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        """Reads the source.

        Args:
            source: Token ids, int32 `(batch, source_length)`, right-padded with 0.
            training: Whether dropout is on.

        Returns:
            The memory that the decoder looks back at, a list of `values` (batch, source_length,
            dim), their attention `keys` and the boolean `mask` (batch, source_length); and the
            decoder's initial state, a flat list of `(batch, units)` tensors.
        """
        values, final_states, mask = self.encoder(source, training=training)
        return self.decoder.read(values, mask), final_states

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor | dict[str, Tensor]:
        """Returns the logits of whole target sequences; see the class."""
        if not isinstance(inputs, dict) or not {"source", "target"} <= set(inputs):
            raise InputError(
                'A Seq2Seq is called on {"source": ids, "target": ids}, as pair_batches makes them.'
            )
        memory, state = self.encode(inputs["source"], training)
        if "labels" in inputs:
            hidden = self.decoder.features(inputs["target"], state, memory, training=training)
            return self._token_losses(
                hidden,
                self.decoder,
                inputs["labels"],
                weights=inputs.get("weights"),
                training=training,
            )
        return ops.cast(self.decoder(inputs["target"], state, memory, training=training), "float32")

    @property
    def output_size(self) -> int:
        """The number of target tokens."""
        return self.target_vocabulary_size

    def step(
        self, tokens: Tensor, state: list[Tensor], memory: list[Tensor]
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Writes one target token per row.

        Args:
            tokens: The tokens written last, int32 `(batch,)`.
            state: The decoder's state, as `encode` or the step before returned it.
            memory: The memory, as `encode` returned it.

        Returns:
            Logits of the next token, float32 `(batch, target_vocabulary_size)`; the new state; the
            attention weights, float32 `(batch, source_length)` (zeros without attention).
        """
        logits, state, weights = self.decoder.step(tokens, state, memory)
        return ops.cast(logits, "float32"), state, weights

    def decodable(self, writes_unknown: bool = False) -> DecodableTranslator:
        """Returns what `rnnzoo.generation` needs of this model."""
        return DecodableTranslator(self, writes_unknown)

    def export_endpoints(self) -> dict[str, dict[str, Any]]:
        """Returns those that go on from a state, and with vocabularies those of text."""
        ids = keras.InputSpec("int32", (None, None))
        serve = {"serve": {"inputs": {"source": ids, "target": ids}}}
        of_ids = {name: {"inputs": {"source": ids}} for name in ("start_tokens", "step")}
        source, target = self.source_vocabulary, self.target_vocabulary
        if source is None or target is None:
            return {**serve, **of_ids}
        both = {"source_vocabulary": source, "target_vocabulary": target}
        of_text = {name: dict(both) for name in ("translate", "translate_n_best", "score")}
        of_text |= {"start": {"source_vocabulary": source}, "decode": {"vocabulary": target}}
        return {**of_text, **of_ids, **serve}

    def translate(
        self,
        texts: Texts | None = None,
        max_new_tokens: int | None = None,
        *positional: Any,
        return_attention: bool = False,
        beam_width: int = 1,
        length_penalty: float = 0.6,
        coverage_penalty: float = 0.0,
        n_best: int | None = None,
        beam_groups: int = 1,
        diversity_penalty: float = 0.5,
        unknown: str | None = None,
        batch_size: int = 256,
        **others: Any,
    ) -> Written | list | tuple[Written, np.ndarray | list[np.ndarray]]:
        """Translates, feeding back what was generated: by greedy search, or by beam search.

        The padding, start and unknown tokens are never generated, but for `unknown="copy"`.

        Args:
            texts: A text or a list of texts. Without vocabularies: ids or a list of lists of ids.
            max_new_tokens: The most tokens of each translation; twice those of its source and ten
                when left out.
            *positional: `return_attention`, `beam_width` and `length_penalty` without their names;
                deprecated.
            return_attention: Whether to return the attention weights too.
            beam_width: How many hypotheses are followed. 1 takes the likeliest token at every
                step; 5 is usual and finds better translations in some five times the time.
            length_penalty: What keeps a beam from short translations: the exponent in
                `log p / ((5 + length) / 6) ** length_penalty` (Wu et al., arXiv:1609.08144); 0
                for none. Greedy search has no use for it.
            coverage_penalty: What keeps a beam from leaving out parts of the source: the factor
                of `sum(log(min(attention that a source token got in all, 1)))`, which is added to
                the score of a whole translation (the same paper); 0 for none, 0.2 is usual.
            n_best: Returns for each text a list of so many `(text, score)`, the best first; the
                score is the log-probability over its penalty, and that of the coverage.
            beam_groups: Into how many groups of one size the beam is divided: each avoids what the
                groups before it write at the same step, so that the texts of `n_best` differ more
                (Vijayakumar et al. 2018, arXiv:1610.02424).
            diversity_penalty: How many nats a token loses for each time that it was so written.
            unknown: `"copy"` lets a translator by words write words that it does not know: each
                is the source word that gets the most attention there (Luong et al. 2015,
                arXiv:1410.8206, without their dictionary).
            batch_size: The most texts that are computed at once; texts of like length go together,
                and the results do not depend on it.
            **others: None; the words of other packages are told what they are called here.

        Returns:
            A text or a list of texts; with `return_attention` also the attention weights, one
            float32 array `(generated tokens, source tokens)` per text, the end token included.

        Raises:
            InputError: If a text is empty or has unseen symbols, an argument is not valid, or the
                attention is requested from a model without it.

        Example:
            >>> from rnnzoo import Vocabulary, gru_seq2seq
            >>> special_tokens = ("<pad>", "<start>", "<end>")
            >>> source = Vocabulary.from_text("one two", special_tokens=special_tokens)
            >>> target = Vocabulary.from_text("12", special_tokens=special_tokens)
            >>> model = gru_seq2seq(source, target, units=8)
            >>> text, weights = model.translate("one two", return_attention=True)
            >>> weights.shape[1]
            8
            >>> len(model.translate("one two", beam_width=4, n_best=2))
            2
        """
        return translate(
            self, texts, max_new_tokens, *positional, return_attention=return_attention,
            beam_width=beam_width, length_penalty=length_penalty,
            coverage_penalty=coverage_penalty, n_best=n_best, beam_groups=beam_groups,
            diversity_penalty=diversity_penalty, unknown=unknown,
            batch_size=batch_size, **others,
        )  # fmt: skip

    def stream(
        self, text: str | Sequence[int], max_new_tokens: int | None = None
    ) -> Iterator[str | int]:
        """Translates by greedy search, and yields the translation as it is made.

        The parts together are what `translate` returns without a beam: with one, the words are
        known at the end alone.

        Args:
            text: A text; without vocabularies a list of ids.
            max_new_tokens: As in `translate`.

        Returns:
            An iterator of texts, none of them empty; of ids without a vocabulary.

        Raises:
            InputError: As `translate`, and if there is more than one text; at the call.

        Example:
            >>> from rnnzoo import Vocabulary, gru_seq2seq
            >>> special_tokens = ("<pad>", "<start>", "<end>")
            >>> source = Vocabulary.from_text("one two", special_tokens=special_tokens)
            >>> target = Vocabulary.from_text("12", special_tokens=special_tokens)
            >>> model = gru_seq2seq(source, target, units=8)
            >>> "".join(model.stream("one two")) == model.translate("one two")
            True
        """
        return stream_translation(self, text, max_new_tokens)

    def score(self, sources: Texts, targets: Texts, *, batch_size: int = 256) -> Scores:
        """Computes the log-probability of translations, the end token included.

        Args:
            sources: A text or a list of texts. Without vocabularies: ids or lists of ids.
            targets: A translation of each, without start and end tokens.
            batch_size: The most pairs that are computed at once.

        Returns:
            `{"nats", "tokens"}`, as `LanguageModel.score`.

        Raises:
            InputError: If a source is empty, a text has unseen symbols, or the numbers of texts
                differ.

        Example:
            >>> import numpy as np
            >>> from rnnzoo import gru_seq2seq
            >>> int(gru_seq2seq(20, 12, units=8).score([3, 4], [5, 6, 7])["tokens"])
            4
        """
        return score_pairs(self, sources, targets, batch_size=batch_size)

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the model."""

        def saved(vocabulary, size):
            return keras.saving.serialize_keras_object(vocabulary) if vocabulary else size

        return {
            **super().get_config(),
            "source_vocabulary": saved(self.source_vocabulary, self.source_vocabulary_size),
            "target_vocabulary": saved(self.target_vocabulary, self.target_vocabulary_size),
            **self.config,
        }


def _check_special_tokens(side, vocabulary, tokens):
    if vocabulary is None:
        return
    if vocabulary.pad_id != 0 or not set(tokens) <= set(vocabulary.tokens):
        raise InputError(
            f"The {side} vocabulary must have {', '.join(tokens)}, and <pad> as id 0; its first "
            f"tokens are {list(vocabulary.tokens[:4])}, so make it with "
            f"special_tokens={tokens!r}."
        )
