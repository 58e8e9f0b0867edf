"""From what a caller types to a sampler."""

import types
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.generation.peer_words import SAMPLERS_OF_PEERS
from rnnzoo.generation.samplers.base import Sampler
from rnnzoo.generation.samplers.greedy import GreedySampler
from rnnzoo.generation.samplers.min_p import MinPSampler
from rnnzoo.generation.samplers.no_repeat_ngram import NoRepeatNgram
from rnnzoo.generation.samplers.repetition_penalty import RepetitionPenalty
from rnnzoo.generation.samplers.temperature import TemperatureSampler
from rnnzoo.generation.samplers.top_k import TopKSampler
from rnnzoo.generation.samplers.top_p import TopPSampler
from rnnzoo.generation.samplers.typical import TypicalSampler
from rnnzoo.typing import Tensor

SAMPLERS = {
    "greedy": GreedySampler,
    "temperature": TemperatureSampler,
    "top_k": TopKSampler,
    "top_p": TopPSampler,
    "min_p": MinPSampler,
    "typical": TypicalSampler,
}
PENALTIES = {"repetition_penalty": RepetitionPenalty(), "no_repeat_ngram": NoRepeatNgram()}


def get_sampler(
    sampler: str | Callable | None = None,
    temperature: float | None = None,
    *,
    k: int | None = None,
    p: float | None = None,
) -> Callable:
    """Returns the sampler that a name, an object or numbers stand for.

    Args:
        sampler: `"greedy"`, `"temperature"`, `"top_k"`, `"top_p"`, `"min_p"`, `"typical"`, or any
            callable that acts as `Sampler.__call__` does. When left out `"top_k"` where there is a
            `k`, `"top_p"` where there is a `p`, and else `"temperature"`.
        temperature: Temperature of a sampler given by name. Defaults to 1.
        k: The `k` of `"top_k"`.
        p: The `p` of `"top_p"`, `"min_p"` or `"typical"`.

    Returns:
        The sampler.

    Raises:
        InputError: If the name is unknown, a number is not allowed, or a number is given to a
            sampler that does not take it or to an object, which has its own.

    Example:
        >>> get_sampler(temperature=0.5)
        TemperatureSampler(temperature=0.5)
        >>> get_sampler("top_p", p=0.8)
        TopPSampler(p=0.8, temperature=1.0)
    """
    numbers = {"temperature": temperature, "k": k, "p": p}
    numbers = {name: value for name, value in numbers.items() if value is not None}
    if sampler is None:
        sampler = "top_k" if k is not None else "top_p" if p is not None else "temperature"
    if not isinstance(sampler, str):
        if isinstance(sampler, type) or not callable(sampler):
            raise InputError(
                f"`sampler` must be a name ({', '.join(SAMPLERS)}) or a sampler object, "
                f"not {sampler!r}."
            )
        for name, value in numbers.items():
            raise InputError(
                f"`{name}` ({value!r}) goes with a sampler's name: {sampler!r} is an "
                f"object already, so give it its {name} when you make it."
            )
        return sampler
    if sampler in SAMPLERS_OF_PEERS:
        raise InputError(f"No sampler is called {sampler!r}; use {SAMPLERS_OF_PEERS[sampler]}.")
    if sampler not in SAMPLERS:
        raise unknown_name("sampler", sampler, SAMPLERS)
    if sampler == "greedy" and numbers.get("temperature") == 0:
        del numbers["temperature"]
    takes = SAMPLERS[sampler]().get_config()
    for name, value in numbers.items():
        if name not in takes:
            others = [other for other in SAMPLERS if name in SAMPLERS[other]().get_config()]
            raise InputError(
                f"The sampler {sampler!r} takes no {name}, but {value!r} was given: leave it out, "
                f"or use the sampler {' or '.join(map(repr, others))}."
            )
    return SAMPLERS[sampler](**numbers)


def with_penalties(sampler: Callable, **penalties: float | None) -> Sampler:
    """Returns a sampler for the loop: any callable, with penalties before it.

    Args:
        sampler: What `get_sampler` returned.
        **penalties: The numbers of `PENALTIES` by name; those that change nothing are left out.

    Returns:
        A `Sampler`. Temperature 0 is `"greedy"`.

    Raises:
        InputError: If a number is not allowed.

    Example:
        >>> with_penalties(GreedySampler(), repetition_penalty=1.2).numbers()
        {'repetition_penalty': 1.2}
    """
    if not isinstance(sampler, Sampler):
        sampler = _Own(sampler)
    elif getattr(sampler, "temperature", None) == 0 and sampler.numbers():
        sampler = GreedySampler()
    given = {}
    for name, number in penalties.items():
        if number is not None:
            PENALTIES[name].check(number)
            if number != PENALTIES[name].off:
                given[name] = number
    return Penalized(sampler, given) if given else sampler


class Penalized(Sampler):
    """A sampler behind penalties, each with a state of its own.

    Args:
        sampler: The sampler that chooses at last.
        penalties: The numbers of `PENALTIES` by name.
    """

    def __init__(self, sampler: Sampler, penalties: dict[str, float]):
        self.sampler, self.penalties = sampler, penalties

    def start(self, *sizes: Any) -> list[Any]:
        """Makes the states of the sampler and of every penalty."""
        penalties = [PENALTIES[name] for name in self.penalties]
        return [each.start(*sizes) for each in (self.sampler, *penalties)]

    def sample(
        self, logits: Tensor, uniform: Tensor, state: list[Any], numbers: dict[str, Tensor]
    ) -> tuple[Tensor, list[Any]]:
        """Chooses a token for each row."""
        own, *states = state
        numbers = dict(numbers)
        for name, its_state in zip(self.penalties, states, strict=True):
            logits = PENALTIES[name].apply(logits, its_state, numbers.pop(name))
        token, own = self.sampler.sample(logits, uniform, own, numbers=numbers)
        states = [
            PENALTIES[name].update(its_state, token)
            for name, its_state in zip(self.penalties, states, strict=True)
        ]
        return token, [own, *states]

    def numbers(self) -> dict[str, float]:
        """Returns those of the sampler and of the penalties."""
        return {**self.sampler.numbers(), **self.penalties}

    def key(self) -> Hashable:
        """Returns the kind of the sampler and the names of the penalties."""
        return self.sampler.key(), tuple(self.penalties)


class _Own(Sampler):
    """A function of logits and uniform numbers that someone wrote."""

    def __init__(self, function):
        self.function = function

    def __call__(self, logits: Tensor, uniform: Tensor) -> Tensor:
        return self.function(logits, uniform)

    def key(self) -> Hashable:
        """Returns what is equal for lambdas that one line of code makes again and again."""
        whole = self.function if isinstance(self.function, Hashable) else id(self.function)
        return _key_of(self.function) or whole


# What can be compared by value, or does not change what it does.
_CONSTANTS = (
    int, float, str, bytes, types.NoneType, np.generic, type, types.ModuleType,
    types.BuiltinFunctionType,
)  # fmt: skip


def _key_of(function: Any, within: tuple[Any, ...] = ()) -> Hashable:
    """What is equal for functions that surely do the same; `None` where that is not known.

    That is their code and the values that it reads: from around it, as defaults and as globals,
    also by way of functions of the same file.
    """
    if not isinstance(function, types.FunctionType):
        return None
    if function.__code__ in within:
        return "recursion"
    try:
        values = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # a cell that is still empty
        return None
    values += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    names = sorted(_names(function.__code__) & function.__globals__.keys())
    values += [function.__globals__[name] for name in names]
    key: list[Hashable] = [function.__code__, id(function.__globals__)]
    for value in values:
        own = isinstance(value, types.FunctionType)
        if own and value.__globals__ is function.__globals__:
            its = _key_of(value, (*within, function.__code__))
            if its is None:
                return None
            key.append(its)
        elif own or isinstance(value, _CONSTANTS):
            key.append((type(value), value))
        else:
            return None
    return tuple(key)


def _names(code: types.CodeType) -> set[str]:
    """The names that code reads, with the code inside it."""
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))
