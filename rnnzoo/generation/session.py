"""A text that a model and a person write in turns, with its state in the open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError, check_positive
from rnnzoo.generation.batching import LENGTH_STEP
from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.inputs import MOST, chances, encode_prompts, read_seed
from rnnzoo.generation.row_steps import compiled_step
from rnnzoo.generation.samplers import get_sampler, with_penalties
from rnnzoo.generation.session_state import checked_state


class Session:
    """A text in the making; `LanguageModel.session` describes it and makes it.

    The model has read everything but the last token, which it reads before it writes on. What is
    kept does not grow with the text.

    Attributes:
        ended: Whether the model has written its end token. It writes on once it has read more.
    """

    def __init__(
        self,
        model: Any,
        prompt: str | Sequence[int] = "",
        *,
        sampler: str | Callable | None = None,
        temperature: float | None = None,
        k: int | None = None,
        p: float | None = None,
        repetition_penalty: float | None = None,
        seed: int | None = None,
    ):
        self._model, self._decodable = model, model.decodable()
        self._sampler = with_penalties(
            get_sampler(sampler, temperature, k=k, p=p), repetition_penalty=repetition_penalty
        )
        self._numbers = np.array([list(self._sampler.numbers().values())], "float32")
        self._chances = chances(read_seed(seed))
        rows, single = encode_prompts(model, prompt)
        if not single:
            raise InputError(f"A session has one prompt, not a list of {len(rows)}.")
        own = self._sampler.start(1, self._decodable.rules.size, 1)
        self._state = (model.get_initial_state(1), own)
        self._token = None
        self._text = None
        if model.vocabulary is not None:
            self._text = GrowingText(model.vocabulary)
        self._read(rows[0], prompt)

    @property
    def ended(self) -> bool:
        """Whether the model has written its end token."""
        return self._token == self._decodable.rules.end_id

    def write(self, count: int = 100) -> str | np.ndarray:
        """Lets the model write.

        Args:
            count: The most tokens; there are fewer where the model ends its text.

        Returns:
            The text, which can be appended to what was written and read before: it begins with a
            space where one belongs. Without a vocabulary an array of ids.

        Raises:
            InputError: If `count` is not a whole number from 1 to a million.
        """
        check_positive(MOST, count=count)
        ids = []
        run = compiled_step(self._decodable, self._sampler, 0, like=self._state)
        while len(ids) < count and not self.ended:
            uniform = self._chances.random((1,), "float32")
            token = np.array([self._token], "int32")
            chosen, self._state = run(
                token, uniform, self._numbers, *keras.tree.flatten(self._state)
            )
            self._token = int(ops.convert_to_numpy(chosen["token"])[0])
            ids.append(self._token)
        if self._text is None:
            return np.array(ids, "int32")
        return self._text.add(*ids) + self._text.end()

    def read(self, text: str | Sequence[int]) -> None:
        """Lets the model read a text that goes on from what was written.

        Args:
            text: The text, not empty; without a vocabulary a list of ids.

        Raises:
            InputError: If it is empty or has symbols that the vocabulary lacks.
        """
        if self._text is None:
            (ids,), _ = encode_prompts(self._model, text)
        else:
            ids = self._model.vocabulary.encode(text)
            if not ids.size:
                raise InputError("There is nothing to read: give a text of at least one symbol.")
        self._read(ids, text)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """What the session keeps, as NumPy arrays; assign it to go on from there.

        It goes with a session of the same model and the same kind of sampler.

        Example:
            >>> import io
            >>> from rnnzoo import Vocabulary, char_lstm
            >>> model = char_lstm(Vocabulary.from_text("to be or not to be"), units=8)
            >>> session, file = model.session("to ", seed=1), io.BytesIO()
            >>> np.savez(file, **session.state)
            >>> text = session.write(9)
            >>> other = model.session("be")
            >>> other.state = np.load(io.BytesIO(file.getvalue()))
            >>> other.write(9) == text
            True
        """
        arrays = self._arrays()
        arrays["token"] = np.array([self._token], "int32")
        arrays["draws"] = _words_of(self._chances)
        context, after_space = ([], False) if self._text is None else self._text.state
        arrays["context"], arrays["after_space"] = np.array(context, "int32"), np.array(after_space)
        return arrays

    @state.setter
    def state(self, state: Mapping[str, np.ndarray]):
        own = self._arrays()
        arrays = checked_state(state, own, self._decodable.rules.size)
        flat = keras.tree.flatten(self._state)
        new = [
            ops.cast(ops.convert_to_tensor(arrays[name]), part.dtype)
            for name, part in zip(own, flat, strict=True)
        ]
        self._state = keras.tree.pack_sequence_as(self._state, new)
        self._token = int(arrays["token"][0])
        _set_words(self._chances, arrays["draws"])
        if self._text is not None:
            self._text.state = arrays["context"].tolist(), bool(arrays["after_space"])

    def _arrays(self):
        """The tensors of the states of model and sampler, by name."""
        flat = [ops.convert_to_numpy(part) for part in keras.tree.flatten(self._state)]
        # NumPy's files have no bfloat16.
        flat = [part if part.dtype.kind in "fbiu" else part.astype("float32") for part in flat]
        count = len(keras.tree.flatten(self._state[0]))
        names = [f"state_{i}" for i in range(count)]
        names += [f"sampler_{i}" for i in range(len(flat) - count)]
        return dict(zip(names, flat, strict=True))

    def _read(self, ids, text):
        """Reads the last token and all ids but the last, which is now the last token."""
        unread = [] if self._token is None else [self._token]
        unread = np.array([*unread, *ids], "int32")
        if unread.size > 1:
            inputs = self._decodable.pack([unread[:-1]], LENGTH_STEP)
            state, own = self._state

            def run(tokens, lengths, *flat):
                old = keras.tree.pack_sequence_as(state, list(flat))
                return self._decodable.read((tokens, lengths), old)

            run = self._decodable.compiled("session_read", run)
            state = keras.tree.pack_sequence_as(
                state, keras.tree.flatten(run(*inputs, *keras.tree.flatten(state)))
            )
            self._state = (state, own)
        self._token = int(unread[-1])
        if self._text is not None:
            self._text.read(ids, text)


def _words_of(generator: np.random.Generator) -> np.ndarray:
    """The state of a generator of random numbers, uint64 (6,)."""
    state = generator.bit_generator.state
    words = []
    for number in (state["state"]["state"], state["state"]["inc"]):
        words += [number >> 64, number & (2**64 - 1)]
    return np.array([*words, state["has_uint32"], state["uinteger"]], "uint64")


def _set_words(generator: np.random.Generator, words: np.ndarray) -> None:
    """Gives a generator the state that `_words_of` returned."""
    high, low, inc_high, inc_low, has_half, half = (int(word) for word in words)
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": (high << 64) | low, "inc": (inc_high << 64) | inc_low},
        "has_uint32": has_half,
        "uinteger": half,
    }
