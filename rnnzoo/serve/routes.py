"""rnnzoo's own routes: generate, translate, score, classify, and what is served."""

import json
import math
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from rnnzoo.errors import InputError
from rnnzoo.generation.inputs import read_seed, read_stop
from rnnzoo.generation.samplers import get_sampler, with_penalties
from rnnzoo.generation.scoring import token_nats
from rnnzoo.inspection.one_unit import read_unit, state_tensors, unit_place
from rnnzoo.inspection.tokens import token_texts
from rnnzoo.serve.answers import Events, Texts
from rnnzoo.serve.bodies import (
    ActivationsBody,
    ClassifyBody,
    GenerateBody,
    ScoreBody,
    TranslateBody,
)
from rnnzoo.serve.jobs import Token
from rnnzoo.serve.refusals import Refusal
from rnnzoo.serve.served import Served, Turn
from rnnzoo.serve.translating import (
    translate_with_beams,
    translate_with_tokens,
    translation_nats,
)


def make_router(served: Served) -> APIRouter:
    """Makes the routes of some models."""
    router, started = APIRouter(), int(time.time())

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether all models are at work."""
        dead = [name for name, engine in served.engines.items() if not engine.is_alive()]
        if dead:
            raise Refusal(503, f"These models have stopped: {', '.join(dead)}.")
        return {"status": "ok"}

    @router.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        """The models, and what each does, in the form of OpenAI's list."""
        listed = [_about(name, model, started) for name, model in served.models.items()]
        return {"object": "list", "data": listed}

    @router.post("/v1/generate")
    async def generate(body: GenerateBody, request: Request) -> Any:
        """Continues a prompt, at once or as server-sent events."""
        name = served.named(body.model, served.engines)
        model, seed = served.models[name], read_seed(body.seed)
        sampler = with_penalties(
            get_sampler(body.sampler, body.temperature, k=body.k, p=body.p),
            repetition_penalty=body.repetition_penalty,
            no_repeat_ngram=body.no_repeat_ngram,
        )
        unit = None if body.unit is None else unit_place(model, body.unit)
        alternatives = 0 if unit is not None and body.alternatives is None else body.alternatives
        texts = Texts(model, served.engines[name])
        texts.add(
            body.prompt, seeds=[seed], sampler=sampler, limit=body.max_new_tokens,
            stop=read_stop(body.stop, model.vocabulary), alternatives=alternatives,
            unit=unit,
        )  # fmt: skip
        if body.stream:
            return Events(_events(texts), texts)
        (part,) = await texts.whole(request)
        (job,) = texts.jobs
        answer = {
            "model": name, "text": part.text, "finish_reason": part.reason, "tokens": job.tokens,
            "seed": seed,
        }  # fmt: skip
        if alternatives is not None:
            answer["logprobs"] = [_token(token) for token in part.tokens]
        return answer

    @router.post("/v1/translate")
    async def translate(body: TranslateBody, request: Request) -> JSONResponse:
        """Translates a text."""
        name = served.named(body.model, served.translators)
        model = served.models[name]
        _check_search(model, body)

        def answer(turn: Turn):  # as JSON already: attention is too much for the event loop
            if body.beam_width > 1:
                found = translate_with_beams(
                    model, body.text, beam_width=body.beam_width, attention=body.attention
                )
            else:
                found = translate_with_tokens(
                    model, body.text, alternatives=body.alternatives or 0,
                    attention=body.attention, deadline=turn.deadline, left=turn.left.is_set,
                )  # fmt: skip
            told = {"model": name, "text": found.text, "finish_reason": found.reason}
            if body.alternatives is not None:
                told |= {
                    "source": found.source,
                    "logprobs": [_token(token) for token in found.tokens],
                }
            if body.attention:
                told["attention"] = found.attention.tolist()
            return JSONResponse(told)

        return await served.computed(name, answer, request)

    @router.post("/v1/score")
    async def score(body: ScoreBody, request: Request) -> dict[str, Any]:
        """Tells how probable a text is."""
        able = [name for name in served.models if name not in served.classifiers]
        name = served.named(body.model, able)
        if (name in served.translators) != (body.source is not None):
            raise InputError(
                f"{name} generates, so leave out `source`."
                if body.source is not None
                else f"{name} translates: give `source`, the text that `text` is a translation of."
            )
        model = served.models[name]

        def answer(turn: Turn):
            if body.source is None:
                return token_nats(model, body.text)
            return translation_nats(model, body.text, source=body.source)

        _, ids, nats = await served.computed(name, answer, request)
        total = float(nats.sum())
        return {
            "model": name, "nats": total, "tokens": len(ids),
            "perplexity": math.exp(min(total / max(1, len(ids)), 700.0)),
        }  # fmt: skip

    @router.post("/v1/classify")
    async def classify(body: ClassifyBody, request: Request) -> dict[str, Any]:
        """Finds the label of a text."""
        name = served.named(body.model, served.classifiers)
        model = served.models[name]
        found = await served.computed(name, lambda turn: model.classify(body.text), request)
        return {"model": name, "label": found.label, "probabilities": found.probabilities}

    @router.post("/v1/activations")
    async def activations(body: ActivationsBody, request: Request) -> dict[str, Any]:
        """Reads a text, and tells the activation of one unit after each token."""
        name = served.named(body.model, served.engines)
        model = served.models[name]
        ids, values = await served.computed(
            name, lambda turn: read_unit(model, body.text, body.unit), request
        )
        return {
            "model": name, "unit": body.unit, "tokens": token_texts(model.vocabulary, ids),
            "activations": [round(value, 4) for value in values.tolist()],
        }  # fmt: skip

    return router


def _check_search(model, body):
    """Refuses what does not go together in a translation."""
    if body.alternatives is not None and body.beam_width > 1:
        raise InputError(
            f"`alternatives` goes with greedy search, not with `beam_width` {body.beam_width}; "
            "leave one of them out."
        )
    if body.attention and model.decoder.attention is None:
        raise InputError("The model was built without attention; leave out `attention`.")


def _about(name, model, created):
    translates, classifies = hasattr(model, "translate"), hasattr(model, "classify")
    vocabulary = model.target_vocabulary if translates else model.vocabulary
    writes = not (translates or classifies)
    states = state_tensors(model) if writes and vocabulary is not None else []
    about = {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "rnnzoo",
        "task": "translate" if translates else "classify" if classifies else "generate",
        "attention": translates and model.decoder.attention is not None,
        "parameters": model.count_params(),
        "level": None if vocabulary is None else vocabulary.level,
        "vocabulary_size": None if vocabulary is None else len(vocabulary),
        "states": [tensor._asdict() for tensor in states],
    }
    return about | ({"labels": list(model.labels)} if classifies else {})


def _token(token: Token) -> dict[str, Any]:
    """A token as JSON."""
    told = {
        "text": token.text,
        "logprob": round(token.logprob, 4),
        "alternatives": [
            {"text": text, "logprob": round(logprob, 4)} for text, logprob in token.alternatives
        ],
    }
    if token.activation is not None:
        told["activation"] = round(token.activation, 4)
    return told


async def _events(texts: Texts) -> AsyncIterator[str]:
    """The parts of one text as JSON."""
    async for _, part in texts.parts():
        if part.reason is None:
            content: dict[str, Any] = {"text": part.text}
            if part.tokens:
                content["logprobs"] = [_token(token) for token in part.tokens]
        else:
            content = {"finish_reason": part.reason}
        yield json.dumps(content, ensure_ascii=False)
