"""The models of a server, and who may compute with one when."""

import asyncio
import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.serve.answers import MAX_SECONDS, while_connected
from rnnzoo.serve.bodies import MAX_ALTERNATIVES, MAX_NEW_TOKENS
from rnnzoo.serve.engine import Engine, QueueFull
from rnnzoo.serve.refusals import Refusal


@dataclasses.dataclass
class Turn:
    """What a computation may know while it has its model.

    Args:
        deadline: The `time.monotonic()` after which it ends where it is, if it can.
        left: Is set once nobody waits for it any more.
    """

    deadline: float
    left: threading.Event = dataclasses.field(default_factory=threading.Event)


class Served:
    """Models by name; an engine for each that generates, and turns for all else.

    Args:
        models: The models by the names that requests give.
        capacity: How many texts each language model writes at once.
        queue: How many more may wait, of each model.
        report: As in `Engine`, after the name of the model.
    """

    def __init__(
        self,
        models: Mapping[str, Any],
        *,
        capacity: int,
        queue: int,
        report: Callable[[str, int, float, bool], None],
    ):
        self.models = dict(models)
        self.engines = {
            name: Engine(
                model,
                capacity=capacity,
                queue=queue,
                max_new_tokens=MAX_NEW_TOKENS,
                alternatives=MAX_ALTERNATIVES,
                report=lambda *numbers, name=name: report(name, *numbers),
            )
            for name, model in models.items()
            if hasattr(model, "generate") and model.vocabulary is not None
        }
        self.translators = [name for name, model in models.items() if hasattr(model, "translate")]
        self.classifiers = [name for name, model in models.items() if hasattr(model, "classify")]
        # What is computed beside the texts: translations, scores. It waits for its turn in the
        # event loop, without a thread, so that no model's work keeps another model waiting.
        self._turns = {name: asyncio.Lock() for name in models}
        self._places = {name: asyncio.Semaphore(1 + queue) for name in models}

    def named(self, name: str | None, able: Iterable[str]) -> str:
        """Finds the name of the model that a request means.

        Args:
            name: The name that it gives; None means the only one that is able.
            able: The names of the models that can do it.

        Raises:
            Refusal: If there is no such model.
            InputError: If it cannot do this, or a name is missing.
        """
        able = list(able)
        if not able:
            raise Refusal(404, "No model that is served here can do this.")
        if name is None:
            if len(able) > 1:
                raise InputError(f"Give `model`, one of: {', '.join(able)}.")
            return able[0]
        if name not in self.models:
            raise Refusal(404, str(unknown_name("model", name[:200], self.models)))
        if name not in able:
            raise InputError(f"{name} cannot do this; these can: {', '.join(able)}.")
        return name

    async def computed(self, name: str, function: Callable[[Turn], Any], request: Request) -> Any:
        """Computes something with a model, which does one thing at a time.

        Args:
            name: The name of the model.
            function: What is computed, in a thread.
            request: Who waits for it; once the client has left it is not begun any more.

        Raises:
            QueueFull: If too many wait already.
            Refusal: If its turn comes too late, or the client has left.
        """
        if self._places[name].locked():
            raise QueueFull
        turn = Turn(time.monotonic() + MAX_SECONDS)
        async with self._places[name]:
            return await while_connected(request, self._in_turn(name, function, turn))

    async def _in_turn(self, name, function, turn):
        engine = self.engines.get(name)

        def alone():
            with engine.lock if engine else contextlib.nullcontext():
                return function(turn)

        async with self._turns[name]:
            if time.monotonic() > turn.deadline:
                raise Refusal(
                    503,
                    f"{name} had no time for this within {MAX_SECONDS:.0f} seconds; try again when "
                    "it has less to do.",
                )
            work = asyncio.ensure_future(run_in_threadpool(alone))
            try:
                return await asyncio.shield(work)
            finally:  # a thread cannot be cancelled: the next turn begins when it has ended
                turn.left.set()
                await asyncio.gather(work, return_exceptions=True)
