"""What the endpoints of one model share: each graph is traced, and stored, once."""

import functools
from typing import Any

import keras
import tensorflow as tf

from rnnzoo.export.signatures import TEXTS
from rnnzoo.generation.protocol import Decodable
from rnnzoo.vocabulary import Vocabulary
from rnnzoo.vocabulary.graph_vocabulary import GraphVocabulary


class Shared:
    """A model, what decodes it, and its vocabularies, as the makers of endpoints take them.

    Args:
        model: The model, on TensorFlow.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        self.vocabularies: list[GraphVocabulary] = []

    @functools.cached_property
    def decodable(self) -> "SharedDecodable":
        """What starts and goes on."""
        return SharedDecodable(self.model.decodable())

    def vocabulary(self, vocabulary: Vocabulary) -> GraphVocabulary:
        """Returns the one graph vocabulary of a vocabulary."""
        for graph in self.vocabularies:
            if graph.vocabulary is vocabulary:
                return graph
        graph = GraphVocabulary(vocabulary)
        graph.encode = tf.function(graph.encode, [TEXTS], autograph=False)
        self.vocabularies.append(graph)
        return graph


class SharedDecodable(Decodable):
    """Decodes as another decodable does, by two functions that are traced once.

    Args:
        decodable: The other one.
    """

    def __init__(self, decodable: Decodable):
        super().__init__(decodable.model, decodable.rules)
        self.has_attention = decodable.has_attention
        self.nats, self.source_mask = decodable.nats, decodable.source_mask
        self.reorder = decodable.reorder
        self._changing: list[int] = []  # the places of the state that a step changes
        options = {"attention": True} if self.has_attention else {}

        def start(inputs):
            return decodable.start(inputs, **options)

        def step(tokens, state):
            logits, new, *weights = decodable.step(tokens, state, **options)
            old, new = keras.tree.flatten(state), keras.tree.flatten(new)
            self._changing = [place for place, part in enumerate(new) if part is not old[place]]
            return logits, [new[place] for place in self._changing], *weights

        self._start = tf.function(start, autograph=False)
        self._step = tf.function(step, autograph=False)

    def start(self, inputs: tuple[tf.Tensor, ...], attention: bool = False) -> tuple:
        """Reads the inputs; see `Decodable.start`."""
        result = self._start(inputs)
        return result if attention else result[:2]

    def step(self, tokens: tf.Tensor, state: Any, attention: bool = False) -> tuple:
        """Reads one token per row; what stays as it is in the state is the same tensor again."""
        logits, changed, *weights = self._step(tokens, state)
        flat = keras.tree.flatten(state)
        for place, part in zip(self._changing, changed, strict=True):
            flat[place] = part
        result = logits, keras.tree.pack_sequence_as(state, flat)
        return (*result, *weights) if attention else result

    def state_specs(self, inputs: tuple[tf.TensorSpec, ...]) -> Any:
        """Returns shapes and dtypes of the state after `start` of such inputs."""
        return self._start.get_concrete_function(inputs).structured_outputs[1]
