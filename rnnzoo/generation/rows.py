"""Many texts that are written at once, a token each at every step, as they come and go."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from rnnzoo.errors import InputError
from rnnzoo.generation.batching import LENGTH_STEP
from rnnzoo.generation.inputs import chances
from rnnzoo.generation.protocol import Decodable
from rnnzoo.generation.row_steps import compiled_start, compiled_step
from rnnzoo.generation.samplers import MixedSampler, Sampler
from rnnzoo.typing import Tensor


@dataclasses.dataclass(frozen=True)
class Request:
    """What one row is to continue, and how it is drawn.

    Args:
        ids: The ids that the model starts from, int32 `(length,)`, not empty.
        sampler: What `with_penalties(get_sampler(...))` returned.
        seed: A whole number of at least 0, on which the draws depend, and on nothing else.
        unit: The place of a unit in the row's state, whose activation each `Choice` has; the
            tensors of the state count one after the other. None for no activation.
    """

    ids: np.ndarray
    sampler: Sampler
    seed: int
    unit: int | None = None


class Choice(NamedTuple):
    """A token that was chosen for a row.

    Args:
        token: Its id.
        log_probability: In nats, of the model's own distribution; None if it was not requested.
        alternatives: The likeliest tokens, `(id, log-probability)`, the likeliest first.
        activation: Of the row's unit when the token was chosen, after the token before it; None
            where the row names no unit.
    """

    token: int
    log_probability: float | None = None
    alternatives: tuple[tuple[int, float], ...] = ()
    activation: float | None = None


class Row:
    """One text that is being written.

    Attributes:
        choice: The latest `Choice`.
        choices: Those of the latest call of `join` or `step`, in order.
    """

    def __init__(self, request: Request, numbers: Sequence[float]):
        self.choice: Choice | None = None
        self.choices: list[Choice] = []
        self._numbers, self._unit = list(numbers), request.unit
        self._chances = chances(request.seed)


class Rows:
    """Rows that are decoded together; each may join and leave at any step.

    `join` reads prompts and chooses their first tokens; `step` chooses a token for every row, in
    one compiled function; `free` lets a row go. What a row gets depends on its own request alone:
    its state, its sampler and its draws are its own. (Matrices of other sizes may be multiplied
    in another order: where two tokens tie to within 1e-4, the other may be chosen.) A row goes on
    until it is freed, also after an end token.

    Args:
        model: What is decoded.
        capacity: The most rows at once.
        max_new_tokens: The most tokens of a row that `no_repeat_ngram` looks back on.
        alternatives: How many of the likeliest tokens each `Choice` lists, with log-probabilities;
            0 for none, and no log-probability. The attribute may be changed between two calls.
        sampler: A sampler of one's own, which then draws all rows; when left out each row has one
            of rnnzoo's.

    Example:
        >>> from rnnzoo import Vocabulary, char_lstm
        >>> from rnnzoo.generation.samplers import get_sampler
        >>> vocabulary = Vocabulary.from_text("to be or not to be")
        >>> rows = Rows(char_lstm(vocabulary, units=8).decodable(), capacity=2)
        >>> one, two = rows.join(
        ...     Request(vocabulary.encode("to "), get_sampler("greedy"), seed=0),
        ...     Request(vocabulary.encode("be"), get_sampler("top_p", p=0.9), seed=1),
        ... )
        >>> rows.step()
        >>> rows.free(one)
        >>> rows.step()
        >>> len(rows), 0 <= two.choice.token < 7
        (1, True)
    """

    def __init__(
        self,
        model: Decodable,
        *,
        capacity: int = 64,
        max_new_tokens: int = 1024,
        alternatives: int = 0,
        sampler: Sampler | None = None,
    ):
        self.model, self.capacity = model, capacity
        self.sampler = MixedSampler() if sampler is None else sampler
        self.alternatives = min(alternatives, model.rules.size)
        self._buffer = np.zeros(max_new_tokens, "int32")
        self._rows: list[Row | None] = []  # by their place in the state; None where one has left
        self._state: Any = None  # the states of model and sampler, tensors (rows, ...)

    def __len__(self) -> int:
        return sum(row is not None for row in self._rows)

    def join(self, *requests: Request) -> list[Row]:
        """Reads what rows start from, and chooses the first token of each.

        Args:
            *requests: What joins; prompts that join together are read at once, and an array of ids
                that several requests share is read once.

        Returns:
            The rows, in the same order.

        Raises:
            InputError: If there is no place for so many, or a request has a sampler that does not
                go with those of others.
        """
        if len(self) + len(requests) > self.capacity:
            raise InputError(
                f"There are {len(self)} rows of at most {self.capacity}; {len(requests)} more do "
                "not go in before others are freed."
            )
        rows = [Row(request, self._numbers_of(request)) for request in requests]
        prompts = {id(each.ids): each.ids for each in requests}
        input_of = [list(prompts).index(id(each.ids)) for each in requests]
        input_of = np.array(_padded(input_of), "int32")
        inputs = self.model.pack(_padded([*prompts.values()]), LENGTH_STEP)
        units = _units(rows)
        run = compiled_start(self.model, self.sampler, self.alternatives, watches=bool(units))
        uniforms, numbers = _drawing(rows)
        chosen, new = run(*inputs, input_of, self._buffer, uniforms[0], numbers, *units)
        _note(rows, chosen)
        if len(self):
            places = [place for place, row in enumerate(self._rows) if row is not None]
            first_new = len(self._rows_in(self._state))
            both = (*places, *range(first_new, first_new + len(rows)))
            self._state = self._arranged(both, new)
            self._rows = [row for row in self._rows if row is not None]
        else:
            self._state, self._rows = new, []
        self._rows += rows
        return rows

    def step(self, count: int = 1) -> None:
        """Chooses tokens for every row; `row.choices` has them.

        Args:
            count: How many tokens, in one compiled call; a row that ends among them goes on too.
        """
        if None in self._rows:
            places = [place for place, row in enumerate(self._rows) if row is not None]
            self._rows = [row for row in self._rows if row is not None]
            self._state = self._arranged(places) if places else None
        if not self._rows:
            return
        tokens = np.array([row.choice.token for row in _padded(self._rows)], "int32")
        units = _units(self._rows)
        run = compiled_step(
            self.model, self.sampler, self.alternatives,
            like=self._state, many=count > 1, watches=bool(units),
        )  # fmt: skip
        uniforms, numbers = _drawing(self._rows, count)
        uniforms = uniforms if count > 1 else uniforms[0]
        flat = keras.tree.flatten(self._state)
        chosen, self._state = run(tokens, uniforms, numbers, *units, *flat)
        _note(self._rows, chosen, many=count > 1)

    def free(self, *rows: Row) -> None:
        """Lets rows go; their places are free at once."""
        for row in rows:
            self._rows[self._rows.index(row)] = None
        if not len(self):
            self._state, self._rows = None, []

    def _numbers_of(self, request):
        if isinstance(self.sampler, MixedSampler):
            return MixedSampler.numbers_of(request.sampler).values()
        if request.sampler.key() != self.sampler.key():
            raise InputError(
                f"All rows are drawn by {self.sampler!r} here, not by {request.sampler!r}."
            )
        return request.sampler.numbers().values()

    def _rows_in(self, state):
        return keras.tree.flatten(state)[0]

    def _arranged(self, places, new=None):
        """The state of the rows at these places, of the old ones followed by the new ones."""
        state = self._state
        flat = [*keras.tree.flatten(state), *([] if new is None else keras.tree.flatten(new))]
        parts = 1 if new is None else 2

        def arrange(places, *flat):
            size = len(flat) // parts
            whole = flat[:size]
            if parts == 2:
                pairs = zip(whole, flat[size:], strict=True)
                whole = [ops.concatenate(pair, axis=0) for pair in pairs]
            return [ops.take(part, places, axis=0) for part in whole]

        places = np.array(_padded(places), "int32")
        run = self.model.compiled(("rows_arrange", parts), arrange)
        return keras.tree.pack_sequence_as(state, list(run(places, *flat)))


def _padded(rows: Sequence) -> list:
    """Repeats the first row up to a power of two where each size is compiled anew."""
    count = len(rows)
    size = count if LENGTH_STEP == 1 else 1 << (count - 1).bit_length()
    return [*rows, *[rows[0]] * (size - count)]


def _drawing(rows: Sequence[Row], count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """What rows are drawn with: uniform numbers (N, R), and the numbers of the sampler (R, F)."""
    padded = _padded(rows)
    uniforms = np.zeros((count, len(padded)), "float32")
    for place, row in enumerate(rows):
        uniforms[:, place] = row._chances.random(count, "float32")
    return uniforms, np.array([row._numbers for row in padded], "float32")


def _units(rows):
    """The place of each row's unit, int32 (R,), in a list; an empty one where no row has one."""
    places = [row._unit for row in rows]
    if all(place is None for place in places):
        return []
    return [np.array(_padded([place or 0 for place in places]), "int32")]


def _note(rows: Sequence[Row], chosen: dict[str, Tensor], many: bool = False) -> None:
    """Gives each row its choices, parts of (R, ...) or, of many steps, (N, R, ...)."""
    parts = {name: ops.convert_to_numpy(part).tolist() for name, part in chosen.items()}
    steps = list(zip(*parts.values(), strict=True)) if many else [list(parts.values())]
    for place, row in enumerate(rows):
        row.choices = [
            _choice(row, **dict(zip(parts, (part[place] for part in step), strict=True)))
            for step in steps
        ]
        row.choice = row.choices[-1]


def _choice(row, *, token, log_probability=None, ids=(), values=(), activation=None):
    activation = None if row._unit is None else activation
    others = tuple(zip(ids, values, strict=True))
    return Choice(token, log_probability, others, activation=activation)
