"""The models of a server, and who may compute with one when."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.serve.bodies import MAX_ALTERNATIVES, MAX_NEW_TOKENS
from rnnzoo.serve.engine import Engine, QueueFull
from rnnzoo.serve.refusals import Refusal


class Served:
    """Models by name; an engine for each that generates, and a lock for each.

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
        self._locks = {name: threading.Lock() for name in models}
        self._locks |= {name: engine.lock for name, engine in self.engines.items()}
        self._others = asyncio.Semaphore(queue)  # what waits beside the texts: translations, scores

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

    async def computed(self, name: str, function: Callable[[], Any]) -> Any:
        """Computes something with a model, which does one thing at a time.

        Raises:
            QueueFull: If too many wait already.
        """

        def alone():
            with self._locks[name]:
                return function()

        if self._others.locked():
            raise QueueFull
        async with self._others:
            return await run_in_threadpool(alone)
