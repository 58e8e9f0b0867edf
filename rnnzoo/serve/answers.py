"""What a client waits for, while it waits: the texts of one request, and other work."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.inputs import encode_prompts
from rnnzoo.generation.rows import Request as RowRequest
from rnnzoo.generation.samplers import Sampler
from rnnzoo.serve.engine import Engine
from rnnzoo.serve.jobs import Job, Part
from rnnzoo.serve.refusals import ClientLeft, Refusal

MAX_SECONDS = 120.0
Found = TypeVar("Found")


async def while_connected(request: Request, work: Coroutine[Any, Any, Found]) -> Found:
    """Waits for work, which is cancelled once its client has left.

    Args:
        request: The request of the client.
        work: What it waits for.

    Returns:
        What the work returns.

    Raises:
        ClientLeft: If the client has left.
    """
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait([task], timeout=1.0))[0]:
            if await request.is_disconnected():
                raise ClientLeft
        return task.result()
    finally:
        task.cancel()


class Texts:
    """The texts that one request waits for.

    Args:
        model: The `LanguageModel`.
        engine: Its engine.

    Attributes:
        jobs: A `Job` for each text.
    """

    def __init__(self, model: Any, engine: Engine):
        self.model, self.engine = model, engine
        self.jobs: list[Job] = []
        self._parts: asyncio.Queue[tuple[int, Part]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def add(
        self,
        prompt: str,
        *,
        seeds: Sequence[int],
        sampler: Sampler,
        limit: int,
        stop: list[str],
        alternatives: int | None,
        unit: int | None = None,
    ) -> None:
        """Hands further texts to the engine, one a seed, all from one prompt, which is read once.

        The other words are those of `RowRequest` and `Job`.

        Raises:
            InputError: If the prompt cannot be read; no text of the request is written then.
            QueueFull: If too many wait already; likewise.
        """
        try:
            (ids,), _ = encode_prompts(self.model, prompt)
            jobs = [
                Job(
                    RowRequest(ids, sampler, seed, unit=unit),
                    GrowingText(self.model.vocabulary, before=ids, prompt=prompt, stop=stop),
                    limit=limit, seconds=MAX_SECONDS, send=partial(self._send, index),
                    alternatives=alternatives,
                )
                for index, seed in enumerate(seeds, len(self.jobs))
            ]  # fmt: skip
            self.engine.submit(*jobs)
        except Exception:
            self.cancel()
            raise
        self.jobs += jobs

    def _send(self, index, part):
        """Is called from the engine's thread."""
        with contextlib.suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._parts.put_nowait, (index, part))

    def cancel(self) -> None:
        """Lets the texts go: nobody waits for them any more."""
        for job in self.jobs:
            self.engine.cancel(job)

    async def parts(self) -> AsyncIterator[tuple[int, Part]]:
        """Yields the number of a text and a part of it, as they come, until all have ended."""
        left = len(self.jobs)
        while left:
            index, part = await self._parts.get()
            left -= part.reason is not None
            yield index, part

    async def whole(self, request: Request) -> list[Part]:
        """Waits until all texts have ended, or the client has left.

        Returns:
            Each text as a single part.

        Raises:
            Refusal: If a text could not be completed, or the client has left.
        """
        whole = [[] for _ in self.jobs]

        async def collect():
            async for index, part in self.parts():
                whole[index].append(part)

        try:
            await while_connected(request, collect())
        finally:
            self.cancel()
        if any(parts[-1].reason == "error" for parts in whole):
            raise Refusal(503, "The server stopped before the text was complete.")
        return [
            Part(
                "".join(part.text for part in parts),
                tuple(token for part in parts for token in part.tokens),
                parts[-1].reason,
            )
            for parts in whole
        ]


class Events(StreamingResponse):
    """Server-sent events of texts, which are let go also where the client left before the first.

    Args:
        events: What stands in each event.
        texts: The texts.
    """

    def __init__(self, events: AsyncIterator[str], texts: Texts):
        super().__init__(
            (f"data: {event}\n\n" async for event in events), media_type="text/event-stream"
        )
        self.texts = texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the events, as any ASGI application."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.texts.cancel()
