"""`/v1/completions` as OpenAI's clients know it."""

import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request

from rnnzoo.errors import InputError
from rnnzoo.generation.inputs import read_seed, read_stop
from rnnzoo.generation.samplers import get_sampler, with_penalties
from rnnzoo.serve.answers import Events, Texts
from rnnzoo.serve.bodies import MAX_TEXTS, CompletionBody
from rnnzoo.serve.jobs import Part, Token
from rnnzoo.serve.refusals import OPENAI_ROUTE, openai_error
from rnnzoo.serve.served import Served

REASONS = {"length": "length", "time": "length", "stop": "stop", "end": "stop"}  # OpenAI has two


def make_router(served: Served) -> APIRouter:
    """Makes the route of some models."""
    router = APIRouter()

    @router.post(OPENAI_ROUTE)
    async def complete(body: CompletionBody, request: Request) -> Any:
        """Continues prompts, at once or as server-sent events, in the form of OpenAI's API."""
        name = served.named(body.model, served.engines)
        prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
        if len(prompts) * body.n > MAX_TEXTS:
            raise InputError(
                f"{len(prompts)} prompts with `n` {body.n} are more than {MAX_TEXTS} texts; "
                "send them in several requests."
            )
        if body.echo and body.logprobs is not None:
            raise InputError("`echo` goes without `logprobs`: a prompt is given, not predicted.")
        texts = Texts(served.models[name], served.engines[name])
        _add(texts, prompts, body)
        answer = {
            "id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion",
            "created": int(time.time()), "model": name,
        }  # fmt: skip
        before = [prompt if body.echo else "" for prompt in prompts for _ in range(body.n)]
        if body.stream:
            return Events(_events(answer, texts, before, body=body), texts)
        parts = await texts.whole(request)
        choices = [
            _choice(index, part._replace(text=start + part.text), offset=0)
            for index, (start, part) in enumerate(zip(before, parts, strict=True))
        ]
        return answer | {"choices": choices, "usage": _usage(texts, body.n)}

    return router


def _add(texts, prompts, body):
    """Hands the texts of a request to the engine; the i-th of a prompt has the seed + i."""
    top_p = body.temperature > 0 and body.top_p < 1
    sampler = with_penalties(
        get_sampler(
            "top_p" if top_p else "temperature", body.temperature, p=body.top_p if top_p else None
        )
    )
    stop, seed = read_stop(body.stop, texts.model.vocabulary), read_seed(body.seed)
    for prompt in prompts:
        texts.add(
            prompt, seeds=range(seed, seed + body.n), sampler=sampler, limit=body.max_tokens,
            stop=stop, alternatives=body.logprobs,
        )  # fmt: skip


def _choice(index: int, part: Part, offset: int) -> dict[str, Any]:
    """A text, or a part of it that begins after so many characters."""
    return {
        "index": index, "text": part.text, "finish_reason": REASONS.get(part.reason),
        "logprobs": _logprobs(part.tokens, offset) if part.tokens else None,
    }  # fmt: skip


def _logprobs(tokens: tuple[Token, ...], offset: int) -> dict[str, list]:
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [
            {text or "": logprob for text, logprob in reversed(token.alternatives)}
            for token in tokens
        ],
        "text_offset": offsets,
    }


def _usage(texts: Texts, n: int) -> dict[str, int]:
    read = sum(len(job.request.ids) for job in texts.jobs[::n])  # each prompt once
    written = sum(job.tokens for job in texts.jobs)
    return {
        "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
    }  # fmt: skip


async def _events(
    answer: dict[str, Any], texts: Texts, before: list[str], *, body: CompletionBody
) -> AsyncIterator[str]:
    """The parts of texts as JSON, and a word at their end."""
    offsets = [0 for _ in texts.jobs]  # of the tokens
    for index, start in enumerate(before):
        if start:
            yield json.dumps(answer | {"choices": [_choice(index, Part(start), 0)]})
    async for index, part in texts.parts():
        if part.reason == "error":
            yield json.dumps(openai_error(503, "The server stopped before the text was complete."))
            continue
        yield json.dumps(answer | {"choices": [_choice(index, part, offsets[index])]})
        offsets[index] += sum(len(token.text) for token in part.tokens)
    if body.stream_options and body.stream_options.include_usage:
        yield json.dumps(answer | {"choices": [], "usage": _usage(texts, body.n)})
    yield "[DONE]"
