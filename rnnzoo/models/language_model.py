"""Recurrent language models: given the text so far, how likely is each next token?"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras import ops

from rnnzoo.errors import InputError, check_fraction, check_positive
from rnnzoo.evaluation.metrics import BitsPerCharacter, Perplexity
from rnnzoo.generation.generate import generate
from rnnzoo.generation.scoring import Scores, score_texts
from rnnzoo.generation.session import Session
from rnnzoo.generation.streaming import stream
from rnnzoo.layers.dropout import EmbeddingDropout
from rnnzoo.layers.heads import TiedHead, embedding_matrix, head_logits
from rnnzoo.layers.replaced import ReplaceableLayers
from rnnzoo.layers.stack import RecurrentStack
from rnnzoo.models.base import ZooModel, padding_mask, vocabulary_and_size
from rnnzoo.models.carried_state import StatefulStreams
from rnnzoo.models.decodables import DecodableLanguageModel
from rnnzoo.typing import Shape, Tensor, Texts, Written
from rnnzoo.vocabulary import Vocabulary

# Of embeddings that also score tokens. Within Keras's 0.05 learning is slow at first; within 0.4 it
# is fast, but ends worse (docs/lessons_learnt.md has the figures).
START_OF_TIED = 0.1


@keras.saving.register_keras_serializable("rnnzoo")
class LanguageModel(ReplaceableLayers, StatefulStreams, ZooModel):
    """Embedding, recurrent layers, and a softmax over the next token at every step.

    Args:
        vocabulary: A `Vocabulary`, which then travels inside the model and lets it read and write
            text, or a number of ids.
        units: Size of the recurrent state, one number or one per layer.
        num_layers: Number of recurrent layers.
        cell: `"lstm"`, `"gru"`, `"min_gru"` or another name of docs/cells.md, or one given to
            `rnnzoo.layers.register_cell`.
        embedding_dim: Length of a token's embedding; `units` of the first layer when left out.
        dropout: Rate of the dropout on the output of each recurrent layer.
        tie_embedding_weights: Whether the output scores tokens by their input embeddings, which
            then start within 0.1 instead of Keras's 0.05.
        locked_dropout: Whether `dropout` drops the same units at every step of a row.
        weight_drop: Rate of the dropout on the recurrent matrices.
        embedding_dropout: Rate of the dropout of whole tokens.
        sampled_softmax: How many tokens a training step of `fit` scores beside the right one, drawn
            anew for each batch; all, exactly, when left out. Evaluation is always exact.
        trainable_initial_state: Whether the recurrent state before the first token is learnt.
        block: `"plain"`, or `"residual"` for norms and a gated feed-forward layer around each
            recurrent layer; `dropout` then stands behind the norms. See
            `rnnzoo.layers.ResidualBlock`.
        expansion: Inner width of a residual block's feed-forward layer, in `units`.
        activation_regularization: In training, what the mean square of the last recurrent outputs
            counts for in the loss (AR; Merity et al. 2018); 2 is usual.
        temporal_regularization: The same of their change from step to step (TAR); 1 is usual.
        **kwargs: What every `keras.Model` takes, such as `name` and `dtype`.

    Call arguments:
        inputs: Token ids, int32 `(batch, time)`, or a dictionary of these as `"tokens"` and, of a
            stream, `"reset"` `(batch,)`. `fit` and `evaluate` add the right next tokens as
            `"labels"` and their float32 `"weights"`, both `(batch, time)`: then the result is
            `{"nats", "mean"}`, the nats of each label `(batch, time)`, without a gradient, and
            their weighted mean, and no logits are kept.
        initial_state: The state to go on from, as `return_state` gives it; zeros when left out.
        return_state: Whether to return the final state too.

    Returns:
        Logits of the next token at every step, float32 `(batch, time, vocabulary_size)`; with
        `return_state` also a flat list of `(batch, units)` tensors.

    Raises:
        InputError: If a size, rate or name is not valid.

    Example:
        >>> import numpy as np
        >>> model = LanguageModel(vocabulary=65, units=16, num_layers=2)
        >>> model(np.zeros((4, 10), "int32")).shape == (4, 10, 65)
        True

    Reference:
        Mikolov et al., "Recurrent neural network based language model", Interspeech 2010.
    """

    takes_one_label_a_row = True

    def __init__(
        self,
        vocabulary: Vocabulary | int,
        *,
        units: int | Sequence[int],
        num_layers: int | None = None,
        cell: str = "lstm",
        embedding_dim: int | None = None,
        dropout: float = 0.0,
        tie_embedding_weights: bool = False,
        locked_dropout: bool = False,
        weight_drop: float = 0.0,
        embedding_dropout: float = 0.0,
        sampled_softmax: int | None = None,
        trainable_initial_state: bool = False,
        block: str = "plain",
        expansion: float = 1.5,
        activation_regularization: float = 0.0,
        temporal_regularization: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocabulary, self.vocabulary_size = vocabulary_and_size(vocabulary)
        self.padding_id = None if self.vocabulary is None else self.vocabulary.pad_id
        dtype = self.dtype_policy
        check_positive(embedding_dim=embedding_dim, sampled_softmax=sampled_softmax)
        check_fraction(embedding_dropout=embedding_dropout)
        recurrent = RecurrentStack(
            units, num_layers=num_layers, cell=cell, dropout=dropout,
            locked_dropout=locked_dropout, weight_drop=weight_drop,
            trainable_initial_state=trainable_initial_state, block=block, expansion=expansion,
            activation_regularization=activation_regularization,
            temporal_regularization=temporal_regularization,
            dtype=dtype, name="recurrent",
        )  # fmt: skip
        self.embedding_dim = int(embedding_dim or recurrent.units[0])
        self.tie_embedding_weights = tie_embedding_weights
        start = "uniform"
        if tie_embedding_weights:
            start = keras.initializers.RandomUniform(-START_OF_TIED, START_OF_TIED)
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, start, dtype=dtype, name="embedding"
        )
        self.embedding_dropout = EmbeddingDropout(
            self.vocabulary_size, rate=embedding_dropout, dtype=dtype, name="embedding_dropout"
        )
        self.sampled_softmax = sampled_softmax
        if sampled_softmax:
            self.sampling_seed = keras.random.SeedGenerator()
        self.recurrent = recurrent
        if tie_embedding_weights:
            self.head = TiedHead(
                self.vocabulary_size, embedding_dim=self.embedding_dim, dtype=dtype, name="head"
            )
        else:
            self.head = keras.layers.Dense(self.vocabulary_size, dtype=dtype, name="head")
        self._make_stream_states(self.recurrent.state_shapes)
        self.build((None, None))

    def build(self, _: Shape) -> None:
        """Creates all weights; the constructor calls it."""
        self.embedding.build((None, None))
        self.recurrent.build((None, None, self.embedding_dim))
        self.head.build((None, None, self.recurrent.output_size))
        self.built = True

    def default_metric(self) -> BitsPerCharacter | Perplexity:
        """Bits per character for characters, perplexity for everything else."""
        level = "word" if self.vocabulary is None else self.vocabulary.level
        return BitsPerCharacter() if level == "character" else Perplexity()

    def get_initial_state(self, batch_size: int) -> list[Tensor]:
        """Makes the state before any token.

        Args:
            batch_size: The number of rows.

        Returns:
            A flat list of tensors, `(batch_size, *shape)` each: zeros, but for a cell that starts
            elsewhere or a trained initial state.
        """
        return self.recurrent.get_initial_state(batch_size)

    def call(
        self,
        inputs: Tensor | dict[str, Tensor],
        initial_state: list[Tensor] | None = None,
        return_state: bool = False,
        training: bool = False,
    ) -> Tensor | tuple[Tensor, list[Tensor]] | dict[str, Tensor]:
        """Returns the logits of whole sequences; see the class."""
        carried, labels = False, None
        if isinstance(inputs, dict):
            if not ({"tokens", "reset"} <= set(inputs) or {"tokens", "labels"} <= set(inputs)):
                raise InputError(
                    "A LanguageModel is called on token ids, or on a stream's "
                    f'{{"tokens", "reset"}}, not on a dictionary of {sorted(inputs)}.'
                )
            labels, weights = inputs.get("labels"), inputs.get("weights")
            inputs, reset = inputs["tokens"], inputs.get("reset")
            if reset is not None:
                carried, initial_state = True, self._carried(reset, inputs.shape[0])
        hidden = self.embedding(inputs)  # (B, T, E)
        hidden = self.embedding_dropout(hidden, inputs, training=training)
        hidden, state = self.recurrent(hidden, initial_state=initial_state, training=training)
        if carried:
            self._keep(state)
        if labels is not None:
            return self._token_losses(hidden, self, labels, weights=weights, training=training)
        logits = self.logits(hidden)  # (B, T, V)
        return (logits, state) if return_state else logits

    @property
    def output_size(self) -> int:
        """The number of tokens that it predicts."""
        return self.vocabulary_size

    def part_sizes(self) -> dict[str, tuple[int, int]]:
        """The sizes of the inputs and outputs of the layers that may be replaced."""
        size = self.vocabulary_size
        return {
            "embedding": (size, self.embedding_dim),
            "head": (self.recurrent.output_size, size),
        }

    def embeddings(self) -> Tensor:
        """Computes the matrix of the embedding layer, `(vocabulary_size, embedding_dim)`."""
        return embedding_matrix(self.embedding, self.vocabulary_size)

    def hidden(
        self, tokens: Tensor, initial_state: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Reads sequences up to the last recurrent layer.

        Args:
            tokens: Token ids, int32 `(batch, time)`.
            initial_state: The state to go on from; the one before any token when left out.

        Returns:
            The vectors that `logits` takes, `(batch, time, units)`, and the final state.
        """
        return self.recurrent(self.embedding(tokens), initial_state=initial_state)

    def logits(self, hidden: Tensor) -> Tensor:
        """Computes the logits of hidden vectors, float32 `(..., vocabulary_size)`."""
        if isinstance(self.head, TiedHead):
            logits = self.head(hidden, self.embeddings())
        else:
            logits = head_logits(self.head, hidden)
        return ops.cast(logits, "float32")  # a softmax over a vocabulary needs the digits

    def step(self, tokens: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Reads one token per row.

        Args:
            tokens: Token ids, int32 `(batch,)`.
            state: The flat list of `(batch, units)` tensors.

        Returns:
            The logits of the next token, float32 `(batch, vocabulary_size)`, and the new state.

        Example:
            >>> import numpy as np
            >>> model = LanguageModel(vocabulary=65, units=16)
            >>> logits, state = model.step(np.array([3]), model.get_initial_state(1))
            >>> logits.shape == (1, 65)
            True
        """
        hidden, state = self.recurrent.step(self.embedding(tokens), state)
        return self.logits(hidden), state

    def prefill(
        self, tokens: Tensor, lengths: Tensor, initial_state: list[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Reads prompts of different lengths at once.

        Args:
            tokens: Token ids, int32 `(batch, time)`, right-padded.
            lengths: Real length of each row, `(batch,)`, at least 1.
            initial_state: The state to go on from; the one before any token when left out.

        Returns:
            The logits after each row's last token, float32 `(batch, vocabulary_size)`, and the
            state there.
        """
        mask = padding_mask(ops.shape(tokens)[1], lengths)
        hidden = self.embedding(tokens)  # (B, T, E)
        hidden, state = self.recurrent(hidden, initial_state=initial_state, mask=mask)
        last = ops.reshape(ops.cast(lengths, "int32") - 1, (-1, 1, 1))
        last_hidden = ops.squeeze(ops.take_along_axis(hidden, last, axis=1), 1)  # (B, units)
        return self.logits(last_hidden), state

    def decodable(self) -> DecodableLanguageModel:
        """Returns what `rnnzoo.generation` needs of this model."""
        return DecodableLanguageModel(self)

    def export_endpoints(self) -> dict[str, dict[str, Any]]:
        """Returns those that go on from a state, and with a vocabulary those of text."""
        inputs = {
            "tokens": keras.InputSpec("int32", (None, None)),
            "lengths": keras.InputSpec("int32", (None,)),
        }
        of_ids = {"start_tokens": {"inputs": inputs}, "step": {"inputs": inputs}}
        if self.vocabulary is None:
            return {**super().export_endpoints(), **of_ids}
        of_text = ("generate", "next_tokens", "score", "start", "decode")
        parts = {name: {"vocabulary": self.vocabulary} for name in of_text}
        return {**parts, **of_ids, **super().export_endpoints()}

    def generate(
        self,
        prompts: Texts | None = None,
        max_new_tokens: int = 100,
        *positional: Any,
        sampler: str | Callable | None = None,
        temperature: float | None = None,
        k: int | None = None,
        p: float | None = None,
        repetition_penalty: float | None = None,
        no_repeat_ngram: int | None = None,
        seed: int | Sequence[int] | None = None,
        stop: str | Sequence[str] | None = None,
        num_samples: int | None = None,
        beam_width: int | None = None,
        length_penalty: float = 0.6,
        n_best: int | None = None,
        beam_groups: int = 1,
        diversity_penalty: float = 0.5,
        batch_size: int = 256,
        **unknown: Any,
    ) -> Written | list:
        """Generates text that follows prompts, one token after the other, in a compiled loop.

        The padding, start and unknown tokens are never generated. A row stops at the end token, if
        the vocabulary has one. The numbers of the samplers (`temperature` to `no_repeat_ngram`)
        may change from call to call at no cost.

        Args:
            prompts: A text or a list of texts; a text may be empty where the vocabulary has a start
                token. Without a vocabulary: ids or a list of lists of ids.
            max_new_tokens: The most tokens to generate.
            *positional: The sampler, temperature and seed without their names; deprecated.
            sampler: `"greedy"`, `"temperature"`, `"top_k"`, `"top_p"`, `"min_p"`, `"typical"`, or a
                sampler object; when left out the model's own distribution is drawn from.
            temperature: Below 1 plays safe, above 1 takes risks, 0 takes the likeliest token; 1
                when left out.
            k: How many tokens `"top_k"` draws from; 40 when left out.
            p: The probability that `"top_p"` or `"typical"` keeps, 0.9 when left out; for `"min_p"`
                the share of the largest probability, 0.1 when left out.
            repetition_penalty: Above 1, tokens that were generated before become less likely.
            no_repeat_ngram: The length of the n-grams that are generated once at most.
            seed: A whole number that makes the draws repeatable; `keras.utils.set_random_seed`
                does so too. What is drawn for a prompt depends on the seed and on its place in
                the list, and not on the other prompts. A list of seeds, one a prompt, draws for
                each what it would get alone.
            stop: A text or texts before whose first appearance the result ends.
            num_samples: How many texts to draw for each prompt; the results are then lists.
            beam_width: Follows so many hypotheses with beam search, which draws nothing.
            length_penalty: As in `Seq2Seq.translate`, for beam search.
            n_best: Returns for each prompt a list of so many `(text, score)`, the best first; for
                beam search.
            beam_groups: As in `Seq2Seq.translate`, for beam search.
            diversity_penalty: As in `Seq2Seq.translate`, for beam search.
            batch_size: The most rows that are computed at once; prompts of like length go
                together, and the results do not depend on it.
            **unknown: None; the words of other packages are told what they are called here.

        Returns:
            The continuation without the prompt, a text or a list of texts (arrays of ids without
            a vocabulary). `prompt + continuation` is the whole text: it begins with a space where
            one belongs.

        Raises:
            InputError: If a prompt is empty or has unseen symbols, or an argument is not valid.

        Example:
            >>> from rnnzoo import Vocabulary, char_lstm
            >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
            >>> len(model.generate("to ", max_new_tokens=5, temperature=0.8, seed=1))
            5
            >>> len(model.generate("to ", 5, sampler="top_p", p=0.9, repetition_penalty=1.2))
            5
            >>> len(model.generate("to ", 5, beam_width=4, n_best=2))
            2
        """
        return generate(
            self, prompts, max_new_tokens, *positional, sampler=sampler, temperature=temperature,
            k=k, p=p, repetition_penalty=repetition_penalty, no_repeat_ngram=no_repeat_ngram,
            seed=seed, stop=stop, num_samples=num_samples, beam_width=beam_width,
            length_penalty=length_penalty, n_best=n_best, beam_groups=beam_groups,
            diversity_penalty=diversity_penalty, batch_size=batch_size, **unknown,
        )  # fmt: skip

    def stream(
        self,
        prompt: str | Sequence[int] | None = None,
        max_new_tokens: int = 100,
        *,
        sampler: str | Callable | None = None,
        temperature: float | None = None,
        k: int | None = None,
        p: float | None = None,
        repetition_penalty: float | None = None,
        no_repeat_ngram: int | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] | None = None,
        **unknown: Any,
    ) -> Iterator[str | int]:
        """Generates text as `generate` does, and yields it as it is made.

        The parts together are what `generate` returns with the same arguments and seed. A part has
        whole characters (code points), and words with the space before them; what may be the
        beginning of a stop text waits until that is clear. The iterator may be abandoned at any
        point.

        Args:
            prompt: A text; it may be empty where the vocabulary has a start token. Without a
                vocabulary: a list of ids.
            max_new_tokens: The most tokens to generate.
            sampler: As in `generate`, like all that follow.
            temperature: See `generate`.
            k: See `generate`.
            p: See `generate`.
            repetition_penalty: See `generate`.
            no_repeat_ngram: See `generate`.
            seed: See `generate`.
            stop: See `generate`.
            **unknown: None; the words of other packages are told what they are called here.

        Returns:
            An iterator of texts, none of them empty; of ids without a vocabulary.

        Raises:
            InputError: As `generate`, and if there is more than one prompt; at the call, not
                when the first text is requested.

        Example:
            >>> from rnnzoo import Vocabulary, char_lstm
            >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
            >>> parts = list(model.stream("to ", 5, temperature=0.8, seed=1))
            >>> "".join(parts) == model.generate("to ", 5, temperature=0.8, seed=1)
            True
        """
        return stream(
            self, prompt, max_new_tokens, sampler=sampler, temperature=temperature, k=k, p=p,
            repetition_penalty=repetition_penalty, no_repeat_ngram=no_repeat_ngram, seed=seed,
            stop=stop, **unknown,
        )  # fmt: skip

    def session(
        self,
        prompt: str | Sequence[int] = "",
        *,
        sampler: str | Callable | None = None,
        temperature: float | None = None,
        k: int | None = None,
        p: float | None = None,
        repetition_penalty: float | None = None,
        seed: int | None = None,
    ) -> Session:
        """Starts a text that the model and you write in turns, without an end, in constant memory.

        `write(n)` lets the model write n tokens, `read(text)` lets it read yours, and `state` is
        all that it keeps in between: a dictionary of NumPy arrays, for `np.savez`.

        Args:
            prompt: As in `stream`.
            sampler: As in `generate`, like all that follow.
            temperature: See `generate`.
            k: See `generate`.
            p: See `generate`.
            repetition_penalty: See `generate`. It holds for all that the session ever wrote.
            seed: See `generate`.

        Returns:
            A `rnnzoo.generation.session.Session`.

        Raises:
            InputError: If the prompt or an argument is not valid.

        Example:
            >>> from rnnzoo import Vocabulary, char_lstm
            >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
            >>> session = model.session("to ", temperature=0.8, seed=1)
            >>> session.write(2) + session.write(3) == model.generate(
            ...     "to ", 5, temperature=0.8, seed=1
            ... )
            True
            >>> session.read(" not ")
            >>> len(session.write(4))
            4
        """
        return Session(
            self, prompt, sampler=sampler, temperature=temperature, k=k, p=p,
            repetition_penalty=repetition_penalty, seed=seed,
        )  # fmt: skip

    def score(self, texts: Texts, *, batch_size: int = 256) -> Scores:
        """Computes the log-probability of texts.

        A text is read from the zero state, after the start token and up to the end token, where
        the vocabulary has these; without a start token the first symbol is given, not predicted.
        The perplexity is `exp(sum(nats) / sum(tokens))`.

        Args:
            texts: A text or a list of texts. Without a vocabulary: ids or a list of lists of ids.
            batch_size: The most texts that are computed at once.

        Returns:
            `{"nats", "tokens"}`: the negative log-probability of each text, float32 `(batch,)`,
            and how many tokens were predicted, int32 `(batch,)`; two numbers for a single text.

        Raises:
            InputError: If a text is too short or has unseen symbols.

        Example:
            >>> from rnnzoo import Vocabulary, char_lstm
            >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
            >>> int(model.score("to be")["tokens"])
            4
        """
        return score_texts(self, texts, batch_size=batch_size)

    def get_config(self) -> dict[str, Any]:
        """The arguments that remake the model."""
        vocabulary = self.vocabulary
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary_size
            if vocabulary is None
            else keras.saving.serialize_keras_object(vocabulary),
            "embedding_dim": self.embedding_dim,
            "tie_embedding_weights": self.tie_embedding_weights,
            "embedding_dropout": self.embedding_dropout.rate,
            "sampled_softmax": self.sampled_softmax,
            **self.recurrent.own_config(),
        }
