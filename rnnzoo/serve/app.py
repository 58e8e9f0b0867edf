"""The application: routes, what they share, and how it starts and ends."""

import contextlib
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from rnnzoo.serve import completions, routes, web_page
from rnnzoo.serve.metrics import CountedRequests, Metrics
from rnnzoo.serve.refusals import add_handlers
from rnnzoo.serve.served import Served
from rnnzoo.version import __version__

QUEUE = 256


def create_app(models: Mapping[str, Any], *, capacity: int = 64, queue: int = QUEUE) -> FastAPI:
    """Makes the application, for any ASGI server.

    Args:
        models: The models by the names that requests give.
        capacity: How many texts each language model writes at once.
        queue: How many more may wait, of each model.

    Returns:
        The application. Its engines run from its start to its end.
    """
    metrics = Metrics()
    served = Served(models, capacity=capacity, queue=queue, report=metrics.report)
    metrics.watch(served.engines)

    @contextlib.asynccontextmanager
    async def running(app):
        for engine in served.engines.values():
            engine.start()
        yield
        for engine in served.engines.values():
            await run_in_threadpool(engine.stop)

    app = FastAPI(title="rnnzoo", version=__version__, lifespan=running)
    app.state.engines = served.engines
    for router in (
        routes.make_router(served), completions.make_router(served), metrics.make_router(),
        web_page.make_router(),
    ):  # fmt: skip
        app.include_router(router)
    add_handlers(app)
    app.add_middleware(CountedRequests, metrics=metrics)
    return app
