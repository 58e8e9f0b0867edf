"""S2's network: embedding, LSTM, and a softmax over the next word at every step."""

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import check_positive
from rnnzoo.evaluation.metrics import Perplexity
from rnnzoo.generation.compiled import compile_function
from rnnzoo.generation.generate import compiled_loop
from rnnzoo.generation.protocol import Decodable, TokenRules
from rnnzoo.generation.samplers import GreedySampler
from rnnzoo.layers import LSTM, AttentionCell
from rnnzoo.models.base import ZooModel


@keras.saving.register_keras_serializable("rnnzoo")
class WordModel(ZooModel):
    """The document's network over ids.

    `compile` and `fit` are those of `rnnzoo.LanguageModel`: with weights `(batch, time)` the loss
    is `sequence_loss` with both averages, and a large softmax is computed a few words at a time.

    Args:
        vocabulary_size: Words of the softmax and of the embedding.
        embedding_dim: Size of a word's embedding.
        units: Size of the state of each LSTM layer, one number a layer.
        attention_length: Exercise: each layer attends over so many of its own last outputs (see
            `rnnzoo.layers.AttentionCell`); `None` is a plain LSTM.
        trainable_initial_state: Exercise: the state before the first word is learnt, the same for
            every review, from zeros; else it stays zero.
        **kwargs: What every `keras.Model` takes.

    Call arguments:
        inputs: Ids, int32 `(batch, time)`, or a dictionary of these as `"tokens"` with the right
            next ids as `"labels"` and their float32 `"weights"`, both `(batch, time)`.

    Returns:
        Logits `(batch, time, vocabulary_size)`, float32; with labels `{"nats", "mean"}`, the nats
        of each `(batch, time)` and their weighted mean.

    Raises:
        InputError: If a size is not positive.

    Example:
        >>> model = WordModel(100, embedding_dim=10, units=[8])
        >>> tuple(model(np.zeros((2, 5), "int32")).shape)
        (2, 5, 100)
    """

    def __init__(
        self,
        vocabulary_size,
        *,
        embedding_dim,
        units,
        attention_length=None,
        trainable_initial_state=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_positive(vocabulary_size=vocabulary_size, embedding_dim=embedding_dim)
        for size in units:
            check_positive(units=size)
        self.vocabulary_size, self.embedding_dim = vocabulary_size, embedding_dim
        self.units, self.attention_length = tuple(units), attention_length
        self.trainable_initial_state = trainable_initial_state
        dtype = self.dtype_policy
        self.embedding = keras.layers.Embedding(vocabulary_size, embedding_dim, dtype=dtype)
        self.recurrent = [self._layer(size, dtype) for size in self.units]
        self.head = keras.layers.Dense(vocabulary_size, dtype=dtype, name="softmax")
        self.build((None, None))

    def _layer(self, units, dtype):
        if self.attention_length is None:
            return LSTM(units, return_sequences=True, dtype=dtype)
        cell = keras.layers.LSTMCell(units, dtype=dtype)
        cell = AttentionCell(cell, attention_length=self.attention_length, dtype=dtype)
        return keras.layers.RNN(cell, return_sequences=True, dtype=dtype)

    def build(self, _):
        """Creates all weights; the constructor calls it."""
        self.embedding.build((None, None))
        features = self.embedding_dim
        for layer, units in zip(self.recurrent, self.units, strict=True):
            layer.build((None, None, features))
            features = units
        self.head.build((None, None, features))
        sizes = [size for layer in self.recurrent for size in layer.cell.state_size]
        self.first_state = [
            self.add_weight((size,), "zeros", trainable=True, name=f"first_state_{number}")
            if self.trainable_initial_state
            else ops.zeros((size,))
            for number, size in enumerate(sizes)
        ]
        self.built = True

    @property
    def output_size(self):
        """The number of words it predicts."""
        return self.vocabulary_size

    def default_metric(self):
        """Perplexity."""
        return Perplexity()

    def get_initial_state(self, batch_size):
        """The state before the first word, a flat list of `(batch_size, size)`."""
        rows = ops.zeros((batch_size, 1), self.compute_dtype)
        return [rows + ops.cast(part, self.compute_dtype) for part in self.first_state]

    def call(self, inputs, training=False):
        """Returns the logits of whole sequences; see the class."""
        tokens = inputs["tokens"] if isinstance(inputs, dict) else inputs
        hidden = self.embedding(tokens)  # (B, T, E)
        state = self.get_initial_state(ops.shape(tokens)[0])
        for layer in self.recurrent:
            own, state = self._split(layer, state)
            hidden = layer(hidden, initial_state=own, training=training)  # (B, T, units)
        if not isinstance(inputs, dict):
            return self.logits(hidden)
        labels, weights = inputs["labels"], inputs.get("weights")
        return self._token_losses(hidden, self, labels, weights=weights, training=training)

    def logits(self, hidden):
        """Computes the logits of hidden vectors, float32 `(..., vocabulary_size)`."""
        return ops.cast(self.head(hidden), "float32")

    def step(self, tokens, state):
        """Reads one id per row, `(batch,)`: the logits of the next, and the new state."""
        hidden, new_state = self.embedding(tokens), []
        for layer in self.recurrent:
            own, state = self._split(layer, state)
            hidden, own = layer.cell(hidden, own)
            new_state += own
        return self.logits(hidden), new_state

    def _split(self, layer, state):
        """The part of the state that is this layer's, and the rest."""
        count = len(layer.cell.state_size)
        return state[:count], state[count:]

    def nats(self, tokens, targets, batch_size=64):
        """Measures the cross-entropy of every target.

        Args:
            tokens: Ids, int32 `(rows, time)`.
            targets: The right next ids, int32 `(rows, time)`.
            batch_size: Rows at a time.

        Returns:
            float32 `(rows, time)`.
        """

        def nats(x, y):
            return self({"tokens": x, "labels": y})["nats"]

        score = self._compiled("nats", lambda: compile_function(self, nats))
        batches = [slice(at, at + batch_size) for at in range(0, len(tokens), batch_size)]
        found = [ops.convert_to_numpy(score(tokens[rows], targets[rows])) for rows in batches]
        return np.concatenate(found)

    def write(self, first, length):
        """Writes greedily: the likeliest word, fed back step by step, whatever it is.

        Args:
            first: The id to start from.
            length: How many ids to write.

        Returns:
            int32 `(length,)`, without the first.
        """
        run, _ = compiled_loop(_DecodableWords(self), GreedySampler())
        nothing_is_drawn = np.zeros((length, 1), "float32")
        written = run(np.array([first], "int32"), nothing_is_drawn, np.array([length], "int32"))
        return ops.convert_to_numpy(written)[0]

    def get_config(self):
        """The arguments that remake the model."""
        names = ("vocabulary_size", "embedding_dim", "attention_length", "trainable_initial_state")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "units": list(self.units)}


class _DecodableWords(Decodable):
    """S2's network; its inputs are the first ids, `(batch,)`. No id is suppressed, none ends."""

    def __init__(self, model):
        super().__init__(model, TokenRules(model.vocabulary_size))

    def start(self, inputs, attention=False):
        (tokens,) = inputs
        return self.model.step(tokens, self.model.get_initial_state(ops.shape(tokens)[0]))

    def step(self, tokens, state, attention=False):
        return self.model.step(tokens, state)
