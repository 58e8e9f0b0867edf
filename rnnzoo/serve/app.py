"""The routes: what a request may say, and what is answered."""

import asyncio
import contextlib
import json
import math
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from rnnzoo.errors import InputError, unknown_name
from rnnzoo.generation.growing_text import GrowingText
from rnnzoo.generation.inputs import encode_prompts, read_seed, read_stop
from rnnzoo.generation.rows import Request as RowRequest
from rnnzoo.generation.samplers import get_sampler, with_penalties
from rnnzoo.generation.scoring import token_nats
from rnnzoo.serve.engine import Engine, Job, QueueFull
from rnnzoo.version import __version__

MAX_NEW_TOKENS = 4096
MAX_CHARACTERS = 20_000  # of a text
MAX_BODY = 200_000  # bytes
MAX_SECONDS = 120.0
QUEUE = 256


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model: str | None = None


class GenerateBody(_Body):
    """What `/v1/generate` reads; the words are those of `LanguageModel.generate`."""

    prompt: str = Field(max_length=MAX_CHARACTERS)
    max_new_tokens: int = Field(100, ge=1, le=MAX_NEW_TOKENS)
    sampler: str | None = None
    temperature: float | None = None
    k: int | None = Field(None, ge=1, le=2**31 - 1)
    p: float | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram: int | None = Field(None, ge=0, le=MAX_NEW_TOKENS)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    stream: bool = False


class TranslateBody(_Body):
    """What `/v1/translate` reads."""

    text: str = Field(max_length=MAX_CHARACTERS)
    beam_width: int = Field(1, ge=1, le=16)
    attention: bool = False


class ScoreBody(_Body):
    """What `/v1/score` reads: a text, and for a translator the source of it."""

    text: str = Field(max_length=MAX_CHARACTERS)
    source: str | None = Field(None, max_length=MAX_CHARACTERS)


def create_app(models: Mapping[str, Any], *, capacity: int = 64, queue: int = QUEUE) -> FastAPI:
    """Makes the application, for any ASGI server.

    Args:
        models: The models by the names that requests give.
        capacity: How many texts each language model writes at once.
        queue: How many more may wait, of each model.

    Returns:
        The application. Its engines run from its start to its end.
    """
    engines = {
        name: Engine(model, capacity=capacity, queue=queue, max_new_tokens=MAX_NEW_TOKENS)
        for name, model in models.items()
        if hasattr(model, "generate") and model.vocabulary is not None
    }

    @contextlib.asynccontextmanager
    async def running(app):
        for engine in engines.values():
            engine.start()
        yield
        for engine in engines.values():
            await run_in_threadpool(engine.stop)

    app = FastAPI(title="rnnzoo", version=__version__, lifespan=running)
    app.add_middleware(_LimitedBody)
    app.state.engines = engines
    locks = {name: threading.Lock() for name in models}
    locks |= {name: engine.lock for name, engine in engines.items()}
    others = asyncio.Semaphore(queue)  # translations and scores that wait

    async def computed(name: str, function: Callable) -> Any:
        """Computes something with a model, which does one thing at a time."""

        def alone():
            with locks[name]:
                return function()

        if others.locked():
            raise QueueFull
        async with others:
            return await run_in_threadpool(alone)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _refused(422, _sentence(error.errors()[-1]))

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:
            return _refused(422, "The body is not JSON that can be read.")
        return _refused(error.status_code, f"{error.detail}; /docs lists what there is.")

    @app.exception_handler(InputError)
    async def mistaken(request: Request, error: InputError) -> JSONResponse:
        return _refused(422, str(error))

    @app.exception_handler(_Unknown)
    async def unknown(request: Request, error: _Unknown) -> JSONResponse:
        return _refused(404, str(error))

    @app.exception_handler(QueueFull)
    async def full(request: Request, error: QueueFull) -> JSONResponse:
        return _refused(429, "Too many texts are asked for at once; try again in a moment.")

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """Whether all models are at work."""
        dead = [name for name, engine in engines.items() if not engine.is_alive()]
        if dead:
            return _refused(503, f"These models have stopped: {', '.join(dead)}.")
        return JSONResponse({"status": "ok"})

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        """The models, and what each does."""
        return {"models": [_about(name, model) for name, model in models.items()]}

    @app.post("/v1/generate")
    async def generate(body: GenerateBody, request: Request) -> Any:
        """Continues a prompt, at once or as server-sent events."""
        name = _name_of(body.model, engines, models)
        parts, job, seed = _submitted(models[name], engines[name], body)
        if body.stream:
            return _Events(_events(parts), engines[name], job=job)
        text, reason = await _whole(parts, engines[name], job=job, request=request)
        if reason == "error":
            return _refused(503, "The server stopped before the text was complete.")
        return {
            "model": name, "text": text, "finish_reason": reason, "tokens": job.tokens,
            "seed": seed,
        }  # fmt: skip

    @app.post("/v1/translate")
    async def translate(body: TranslateBody) -> dict[str, Any]:
        """Translates a text."""
        able = [name for name, model in models.items() if hasattr(model, "translate")]
        name = _name_of(body.model, able, models)
        found = await computed(
            name,
            partial(
                models[name].translate,
                body.text,
                beam_width=body.beam_width,
                return_attention=body.attention,
            ),
        )
        if not body.attention:
            return {"model": name, "text": found}
        text, weights = found
        return {"model": name, "text": text, "attention": weights.tolist()}

    @app.post("/v1/score")
    async def score(body: ScoreBody) -> dict[str, Any]:
        """Tells how probable a text is."""
        name = _name_of(body.model, models, models)
        if hasattr(models[name], "translate") != (body.source is not None):
            raise InputError(
                f"{name} generates, so leave out `source`."
                if body.source is not None
                else f"{name} translates: give `source`, the text that `text` is a translation of."
            )
        _, ids, nats = await computed(
            name, partial(token_nats, models[name], body.text, source=body.source)
        )
        total = float(nats.sum())
        return {
            "model": name, "nats": total, "tokens": len(ids),
            "perplexity": math.exp(min(total / max(1, len(ids)), 700.0)),
        }  # fmt: skip

    return app


class _Unknown(Exception):
    """A model that is not served."""


class _LimitedBody:
    """Refuses bodies that are longer than any request needs, while they come in."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        read, answered = 0, False

        async def limited():
            nonlocal read, answered
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY and not answered:
                answered = True
                sentence = f"The body is longer than {MAX_BODY:,} bytes; send a shorter text."
                await _refused(413, sentence)(scope, receive, send)
                return {"type": "http.disconnect"}
            return message

        async def once(message):
            if not answered:
                await send(message)

        await self.app(scope, limited, once)


def _refused(status, sentence):
    return JSONResponse({"error": sentence}, status_code=status)


def _sentence(error):
    """What was wrong with a body, in one sentence."""
    where = next((str(part) for part in error["loc"] if part != "body"), "The body")
    if error["type"] == "json_invalid":
        return f"The body is not JSON ({error.get('ctx', {}).get('error', 'invalid')})."
    if error["type"] == "extra_forbidden":
        return f"`{where}` is no field of this request."
    return f"`{where}`: {error['msg'][:1].lower()}{error['msg'][1:]}."


def _name_of(name, able, models):
    """The name of the model that a request means."""
    able = list(able)
    if not able:
        raise _Unknown("No model that is served here can do this.")
    if name is None:
        if len(able) > 1:
            raise InputError(f"Give `model`, one of: {', '.join(able)}.")
        return able[0]
    if name not in models:
        raise _Unknown(str(unknown_name("model", name[:200], models)))
    if name not in able:
        raise InputError(f"{name} cannot do this; these can: {', '.join(able)}.")
    return name


def _about(name, model):
    translates = hasattr(model, "translate")
    vocabulary = model.target_vocabulary if translates else model.vocabulary
    return {
        "name": name,
        "task": "translate" if translates else "generate",
        "parameters": model.count_params(),
        "level": None if vocabulary is None else vocabulary.level,
        "vocabulary_size": None if vocabulary is None else len(vocabulary),
    }


def _submitted(model, engine, body):
    """Hands a request to the engine: where its parts come, the job, and its seed."""
    stop, seed = read_stop(body.stop, model.vocabulary), read_seed(body.seed)
    sampler = with_penalties(
        get_sampler(body.sampler, body.temperature, k=body.k, p=body.p),
        repetition_penalty=body.repetition_penalty,
        no_repeat_ngram=body.no_repeat_ngram,
    )
    (ids,), _ = encode_prompts(model, body.prompt)
    parts: asyncio.Queue = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def send(part, reason):
        with contextlib.suppress(RuntimeError):  # the server has ended
            loop.call_soon_threadsafe(parts.put_nowait, (part, reason))

    job = Job(
        RowRequest(ids, sampler, seed),
        GrowingText(model.vocabulary, before=ids, prompt=body.prompt, stop=stop),
        limit=body.max_new_tokens, seconds=MAX_SECONDS, send=send,
    )  # fmt: skip
    engine.submit(job)
    return parts, job, seed


class _Events(StreamingResponse):
    """Server-sent events, whose job is let go also where the client left before the first."""

    def __init__(self, events: AsyncIterator[str], engine: Engine, *, job: Job):
        super().__init__(events, media_type="text/event-stream")
        self.engine, self.job = engine, job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.engine.cancel(self.job)


async def _events(parts: asyncio.Queue) -> AsyncIterator[str]:
    """The parts as server-sent events."""
    reason = None
    while reason is None:
        part, reason = await parts.get()
        content = {"text": part} if reason is None else {"finish_reason": reason}
        yield f"data: {json.dumps(content, ensure_ascii=False)}\n\n"


async def _whole(parts, engine, *, job, request):
    """The whole text and why it ended."""
    texts, reason = [], None
    try:
        while reason is None:
            try:
                part, reason = await asyncio.wait_for(parts.get(), 1.0)
            except TimeoutError:
                if await request.is_disconnected():
                    return "", "disconnect"
                continue
            texts.append(part or "")
    finally:
        if reason is None:
            engine.cancel(job)
    return "".join(texts), reason
