"""The models of rnnzoo as a user of Keras alone would write them.

Import `_common` before: it chooses the backend.
"""

import keras
from keras import layers, ops


class StockLanguageModel(keras.Model):
    """Embedding, LSTM layers and a softmax layer, which may be tied to the embedding."""

    def __init__(self, vocabulary_size, units, num_layers, embedding_dim, tied):
        super().__init__()
        self.embedding = layers.Embedding(vocabulary_size, embedding_dim)
        self.recurrent = [layers.LSTM(units, return_sequences=True) for _ in range(num_layers)]
        self.tied = tied
        if tied:
            self.projection = layers.Dense(embedding_dim)
            self.bias = self.add_weight(shape=(vocabulary_size,), initializer="zeros", name="bias")
        else:
            self.head = layers.Dense(vocabulary_size)

    def call(self, tokens):
        hidden = self.embedding(tokens)  # (B, T, E)
        for layer in self.recurrent:
            hidden = layer(hidden)  # (B, T, units)
        if not self.tied:
            return self.head(hidden)  # (B, T, V)
        hidden = self.projection(hidden)  # (B, T, E)
        return ops.matmul(hidden, ops.transpose(self.embedding.embeddings)) + self.bias


class AttentionCell(layers.Layer):
    """A GRU cell whose input is the token and what its last state finds in the source.

    `memory` is set before each use: the source's vectors, their keys and their mask.
    """

    def __init__(self, units, memory_dim):
        super().__init__()
        self.units, self.memory = units, None
        self.state_size, self.output_size = units, units + memory_dim
        self.query = layers.Dense(units, use_bias=False)
        self.score = layers.Dense(1, use_bias=False)
        self.cell = layers.GRUCell(units)

    def build(self, input_shape):
        memory_dim = self.output_size - self.units
        self.query.build((None, self.units))
        self.score.build((None, None, self.units))
        self.cell.build((None, input_shape[-1] + memory_dim))

    def call(self, token, states):
        values, keys, mask = self.memory
        query = ops.expand_dims(self.query(states[0]), 1)  # (B, 1, units)
        scores = ops.squeeze(self.score(ops.tanh(query + keys)), -1)  # (B, S)
        weights = ops.softmax(ops.where(mask, scores, -1e9))
        context = ops.squeeze(ops.matmul(ops.expand_dims(weights, 1), values), 1)  # (B, V)
        hidden, states = self.cell(ops.concatenate([token, context], -1), states)
        return ops.concatenate([hidden, context], -1), states


class StockSeq2Seq(keras.Model):
    """A bidirectional GRU encoder and a GRU decoder with Bahdanau attention before the cell."""

    def __init__(self, source_size, target_size, units):
        super().__init__()
        self.source_embedding = layers.Embedding(source_size, units)
        self.target_embedding = layers.Embedding(target_size, units)
        self.encoder = layers.Bidirectional(
            layers.GRU(units, return_sequences=True, return_state=True)
        )
        self.bridge = layers.Dense(units, activation="tanh")
        self.keys = layers.Dense(units, use_bias=False)
        self.cell = AttentionCell(units, 2 * units)
        self.decoder = layers.RNN(self.cell, return_sequences=True)
        self.readout = layers.Dense(units, activation="tanh")
        self.head = layers.Dense(target_size)

    def call(self, inputs):
        mask = ops.not_equal(inputs["source"], 0)  # (B, S)
        embedded = self.source_embedding(inputs["source"])
        values, forwards, backwards = self.encoder(embedded, mask=mask)
        state = self.bridge(ops.concatenate([forwards, backwards], -1))  # (B, units)
        self.cell.memory = (values, self.keys(values), mask)
        embedded = self.target_embedding(inputs["target"])  # (B, T, E)
        said = self.decoder(embedded, initial_state=state)  # (B, T, units + 2 * units)
        self.cell.memory = None  # else the cell would keep the graph's tensors
        return self.head(self.readout(ops.concatenate([said, embedded], -1)))  # (B, T, V)
