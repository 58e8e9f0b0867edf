"""What a server counts and times, for Prometheus."""

from collections.abc import Mapping

import prometheus_client as prometheus
from fastapi import APIRouter, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rnnzoo.serve.engine import Engine

FIRST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds
NEXT = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


class Metrics:
    """The figures of one server, each application its own."""

    def __init__(self):
        self.registry = prometheus.CollectorRegistry()
        own = {"namespace": "rnnzoo", "registry": self.registry}
        model = {"labelnames": ["model"], **own}
        self.requests = prometheus.Counter(
            "requests", "Requests that were answered.", labelnames=["route", "status"], **own
        )
        self.tokens = prometheus.Counter("tokens", "Tokens that were generated.", **model)
        self.queue = prometheus.Gauge("queue_length", "Texts that wait for a place.", **model)
        self.rows = prometheus.Gauge("rows_in_use", "Texts that are being generated.", **model)
        self.first = prometheus.Histogram(
            "first_token_seconds", "From a request to its first token.", buckets=FIRST, **model
        )
        self.following = prometheus.Histogram(
            "next_token_seconds", "From one token to the next, as parts of a text give it.",
            buckets=NEXT, **model,
        )  # fmt: skip
        prometheus.ProcessCollector(registry=self.registry)

    def report(self, model: str, tokens: int, seconds: float, first: bool) -> None:
        """Notes new tokens of a text; the arguments are those of `Engine.report`."""
        self.tokens.labels(model).inc(tokens)
        if first:
            self.first.labels(model).observe(seconds)
        else:
            self.following.labels(model).observe(seconds / tokens)

    def watch(self, engines: Mapping[str, Engine]) -> None:
        """Reads the load of engines whenever the figures are read."""
        for name, engine in engines.items():
            self.rows.labels(name).set_function(lambda engine=engine: engine.load[0])
            self.queue.labels(name).set_function(lambda engine=engine: engine.load[1])

    def make_router(self) -> APIRouter:
        """Makes the route `/metrics`."""
        router = APIRouter()

        @router.get("/metrics", response_class=Response)
        async def metrics() -> Response:
            """The figures in Prometheus's text format."""
            text = prometheus.generate_latest(self.registry)
            return Response(text, media_type=prometheus.CONTENT_TYPE_PLAIN_0_0_4)

        return router


class CountedRequests:
    """Counts each answer by its route, not by its path, of which there is no end.

    Args:
        app: The application.
        metrics: Where it is counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, as any ASGI application."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        status = 500  # where an accident leaves none

        async def counted(message: Message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, status).inc()
