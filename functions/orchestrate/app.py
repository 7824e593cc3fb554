"""``create_app(settings)``: the API around a service. Nothing happens before the server starts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

from lowtide.settings import OrchestrateSettings
from lowtide.telemetry.measures import Measure
from lowtide.telemetry.otlp import sending
from lowtide.telemetry.requests import HttpMeasures, TracedRequests
from lowtide.telemetry.serving import serving_measures
from lowtide.wire.bodies import BodyLimit
from lowtide.wire.triggers import DEAD_LETTER_PATH, TICK_PATH

from .api import (
    callbacks,
    deadletters,
    events,
    executions,
    functions,
    health,
    journal,
    operations,
    shapes,
    tasks,
    workflows,
)
from .measuring import Watch
from .problems import install
from .service import Neighbours, Service

__all__ = ["create_app"]

_DESCRIPTION: Final = """Workflows of the Open Workflow Specification, their executions, and the events between them.

Every error is a problem document (RFC 9457) with a stable `code`. Times are ISO 8601 in UTC; lists are pages with a
`next` cursor."""

_UNTRACED: Final = frozenset({functions.EVENTS_PATH, TICK_PATH, DEAD_LETTER_PATH})
"""What the Broker posts: events say themselves to which trace they belong."""

_FOR_FUNCTIONS: Final = 8
"""How many times larger the Broker's events may be than a user's: an outcome carries a snapshot."""


def create_app(
    settings: OrchestrateSettings,
    *,
    neighbours: Neighbours | None = None,
    started: Callable[[Service], None] = lambda _: None,
) -> FastAPI:
    """The ASGI application. ``started`` is told of the service when it runs, so that it can be stopped."""
    service = Service.of(settings, neighbours)
    requests = HttpMeasures()
    watch = Watch(service)

    async def measures() -> Sequence[Measure]:
        spans = service.traces.measures() if service.traces is not None else ()
        return [*requests.measures, *await watch.measures(), *spans]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with (
            sending(service.traces),
            service,
            serving_measures("orchestrate", settings.host, settings.metrics_port, measures),
        ):
            started(service)
            yield

    app = FastAPI(
        title="Lowtide orchestrate",
        version="1",
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    install(app)
    larger = _FOR_FUNCTIONS * settings.max_body_bytes
    app.add_middleware(
        BodyLimit,
        limit=settings.max_body_bytes,
        exempt={functions.EVENTS_PATH: larger, DEAD_LETTER_PATH: larger},
    )
    if service.tracer is not None:
        app.add_middleware(TracedRequests, tracer=service.tracer, untraced=_UNTRACED)
    if settings.metrics_port:
        app.add_middleware(requests.around)
    app.state.service = service
    app.router.routes.extend(_routes())  # ``include_router`` would build each of them again
    shapes.show_problems(app)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Built once: FastAPI's look at every signature takes as long as all the rest of a start."""
    parts = (workflows, executions, operations, deadletters, journal, tasks, callbacks, events, functions, health)
    return tuple(route for part in parts for route in part.routes().routes)
