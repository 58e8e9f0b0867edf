"""Writing text with a plain stack of layers: one compiled loop that carries the state.

The documents S0 and S4 write with a window: they run the network over the last `SEQ_LENGTH`
characters, take one character, move the window on by one and run the network over all of it again.
That is `write_by_sliding`. `Writer` reads the phrase once and then carries the state from character
to character, inside one compiled loop. The first character is the same; afterwards a window forgets
what has left it and the state does not.
"""

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.generation.compiled import compile_function
from rnnzoo.generation.generate import compiled_loop
from rnnzoo.generation.protocol import Decodable, TokenRules
from rnnzoo.generation.samplers import get_sampler, with_penalties


class Writer:
    """Writes text with a `keras.Sequential` that scores the next character.

    Args:
        model: A stack of layers: ids to numbers (an `Embedding`), recurrent layers, and layers that
            act on each step alone. Its output are logits.
        vocabulary: The `Vocabulary` of the ids.
        shortest: The fewest characters of a phrase.

    Example:
        ```python
        writer = Writer(model, vocabulary)
        writer.write("First Citizen:", 200, sampler="greedy")
        ```
    """

    def __init__(self, model, vocabulary, shortest=1):
        self.model, self.vocabulary, self.shortest = model, vocabulary, shortest
        self.decodable = _DecodableStack(model, TokenRules(len(vocabulary)))

    def write(self, phrase, length, sampler=None, temperature=None, seed=0):
        """Writes on from a phrase.

        Args:
            phrase: The text to go on from.
            length: Characters to write.
            sampler: As for `LanguageModel.generate`: `"greedy"` is argmax.
            temperature: As for `LanguageModel.generate`.
            seed: Of the draws.

        Returns:
            The characters that were written, without the phrase.

        Raises:
            InputError: If the phrase is too short or has unknown characters.
        """
        self.check(phrase)
        run, numbers = compiled_loop(
            self.decodable, with_penalties(get_sampler(sampler, temperature))
        )
        tokens = self.vocabulary.encode(phrase)[:, None]  # (P, 1)
        uniforms = np.random.default_rng(seed).random((length, 1), "float32")
        written = run(tokens, uniforms, np.array([length], "int32"), *numbers)  # (1, N)
        return self.vocabulary.decode(ops.convert_to_numpy(written)[0])

    def check(self, phrase):
        """Raises an `InputError` for a phrase that `write` cannot go on from."""
        if len(phrase) < self.shortest:
            raise InputError(
                f"The phrase {phrase!r} has {len(phrase)} characters; give at least "
                f"{self.shortest}, the length of a window."
            )
        self.vocabulary.encode(phrase)


class _DecodableStack(Decodable):
    """A stack of layers; its inputs are phrases of one length, step-major, ids (P, B)."""

    def __init__(self, model, rules):
        super().__init__(model, rules)
        self._functions = {}  # one for each kind of sampler

    def compiled(self, key, function):
        if key not in self._functions:
            self._functions[key] = compile_function(self.model, function)
        return self._functions[key]

    def start(self, inputs, attention=False):
        """Reads the phrase id by id."""
        (tokens,) = inputs
        length, rows = ops.shape(tokens)[0], ops.shape(tokens)[1]
        state = [
            part
            for layer in self.model.layers
            if isinstance(layer, keras.layers.RNN)
            for part in keras.tree.flatten(layer.get_initial_state(rows))
        ]

        def read_one(position, logits, *state):
            logits, state = self.step(ops.take(tokens, position, axis=0), list(state))
            return (position + 1, logits, *state)

        first = (ops.convert_to_tensor(0, "int32"), ops.zeros((rows, self.rules.size)), *state)
        _, logits, *state = ops.while_loop(lambda at, *_: at < length, read_one, first)
        return logits, state

    def step(self, tokens, state, attention=False):
        """Reads one id a row, (B,): the logits of the next (B, V), and the new state."""
        values, state, new_state = tokens, list(state), []
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.RNN):
                count = len(keras.tree.flatten(layer.cell.state_size))
                own, state = state[:count], state[count:]
                values, own = layer.cell(values, own)  # (B, units)
                new_state += keras.tree.flatten(own)
            elif not isinstance(layer, keras.layers.Dropout):
                values = layer(values)
        return ops.cast(values, "float32"), new_state


def write_by_sliding(model, vocabulary, phrase, length, window, predict=None):
    """Writes by argmax, the documents' way: the network reads a whole window for every character.

    Args:
        model: As for `Writer`; with logits of the last step (B, V) or of all (B, T, V).
        vocabulary: The `Vocabulary` of the ids.
        phrase: The text to go on from.
        length: Characters to write.
        window: Characters that the network sees.
        predict: Function from ids (1, window) to logits; `model.predict_on_batch`, a compiled call,
            when left out.

    Returns:
        The characters that were written.
    """
    predict = predict or model.predict_on_batch
    ids = vocabulary.encode(phrase).tolist()
    for _ in range(length):
        logits = predict(np.array([ids[-window:]], "int32"))
        ids.append(int(logits[0].reshape(-1, len(vocabulary))[-1].argmax()))
    return vocabulary.decode(ids[len(ids) - length :])
