"""What is refused, each in one sentence."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from rnnzoo.errors import InputError
from rnnzoo.serve.engine import QueueFull

MAX_BODY = 200_000  # bytes
OPENAI_ROUTE = "/v1/completions"  # whose clients read another form


class Refusal(Exception):
    """A request that is refused with a status of its own.

    Args:
        status: The status of HTTP.
        sentence: What was wrong.
    """

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


class ClientLeft(Refusal):
    """Nobody waits for the answer any more."""

    def __init__(self):
        super().__init__(499, "The client has left.")


def openai_error(status: int, sentence: str) -> dict[str, dict]:
    """Puts a sentence into the form that OpenAI's clients read."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": sentence, "type": kind, "param": None, "code": None}}


def add_handlers(app: FastAPI) -> None:
    """Lets an application answer what is refused, and refuse bodies that are too long."""
    app.add_middleware(_LimitedBody)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return _refused(request.scope, 422, _sentence(error.errors()))

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:
            return _refused(request.scope, 422, "The body is not JSON that can be read.")
        sentence = f"{error.detail}; /docs lists what there is."
        return _refused(request.scope, error.status_code, sentence)

    @app.exception_handler(InputError)
    async def mistaken(request: Request, error: InputError) -> JSONResponse:
        return _refused(request.scope, 422, str(error))

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> JSONResponse:
        return _refused(request.scope, error.status, str(error))

    @app.exception_handler(QueueFull)
    async def full(request: Request, error: QueueFull) -> JSONResponse:
        sentence = "Too many texts are requested at once; try again in a moment."
        return _refused(request.scope, 429, sentence)


def _refused(scope, status, sentence):
    if scope["path"] != OPENAI_ROUTE:
        return JSONResponse({"error": sentence}, status_code=status)
    status = 400 if status == 422 else status  # what OpenAI answers
    return JSONResponse(openai_error(status, sentence), status_code=status)


def _sentence(errors):
    """What was wrong with a body, in one sentence."""
    # Of what takes several types one error says more than that it is not of the other types.
    error = sorted(errors, key=lambda error: not error["type"].endswith("_type"))[-1]
    where = next((str(part) for part in error["loc"] if part != "body"), "The body")
    if error["type"] == "json_invalid":
        return f"The body is not JSON ({error.get('ctx', {}).get('error', 'invalid')})."
    if error["type"] == "extra_forbidden":
        return f"`{where}` is no field of this request."
    return f"`{where}`: {error['msg'][:1].lower()}{error['msg'][1:]}."


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
                await _refused(scope, 413, sentence)(scope, receive, send)
                return {"type": "http.disconnect"}
            return message

        async def once(message):
            if not answered:
                await send(message)

        await self.app(scope, limited, once)
