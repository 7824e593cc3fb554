"""Composition: settings in, ASGI application out. Nothing is connected before the first question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI

from lowtide.clients.broker import Broker
from lowtide.errors import InvalidInput, Misconfigured
from lowtide.model.cost import Prices
from lowtide.runtime.chance import digits
from lowtide.runtime.clock import Clock, SystemClock, nanos
from lowtide.settings import AnalyticsSettings
from lowtide.storage.database import Database
from lowtide.telemetry.measures import Measure
from lowtide.telemetry.otlp import Traces, sending
from lowtide.telemetry.requests import HttpMeasures, TracedRequests
from lowtide.telemetry.serving import serving_measures
from lowtide.wire.bodies import BodyLimit
from lowtide.wire.prices import read_prices

from . import (
    comparing,
    cost,
    executions,
    exporting,
    failing,
    graphing,
    health,
    logs,
    measuring,
    problems,
    reports,
    series,
    sql,
    streaming,
    timeline,
    top,
)
from .alerts import ruling, showing, silencing, ticks, trying
from .alerts.desk import Desk
from .store import Store

__all__ = ["create_app"]

_WRITING: Final = 2
"""Connections for alerts, of those that there may be."""

_LONGEST: Final = 45.0
"""Seconds that anything which is asked of alerts takes, or one look at a rule."""

_LARGEST: Final = 256 * 1024
"""Bytes of a request's body: questions have none, rules a few hundred."""


def create_app(settings: AnalyticsSettings, clock: Clock | None = None) -> FastAPI:
    """Raises :class:`lowtide.errors.Misconfigured` where the store's URL is none, the price list, or a token."""
    writing = min(_WRITING, max(1, settings.connections // 3))
    store = Store(
        settings.analytics_url,
        connections=max(1, settings.connections - writing),
        statement_timeout=settings.statement_timeout,
    )
    desk = _desk(settings, store, clock or SystemClock(), writing)

    requests = HttpMeasures()
    traces = Traces.of("analytics", settings.otlp_endpoint, settings.trace_share, nanos, digits)

    async def measures() -> Sequence[Measure]:
        return [*requests.measures, *store.measures, *desk.measures, *(traces.measures() if traces is not None else ())]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with sending(traces), serving_measures("analytics", settings.host, settings.metrics_port, measures):
            yield
        await desk.close()
        await store.close()

    app = FastAPI(
        title="Lowtide analytics",
        version=version("lowtide"),
        summary="What ran, how long, how often, at what cost",
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.streams = streams = streaming.Streams()
    problems.install(app)
    app.add_middleware(BodyLimit, limit=_LARGEST)
    if traces is not None:
        app.add_middleware(TracedRequests, tracer=traces.tracer)
    if settings.metrics_port:
        app.add_middleware(requests.around)
    prices = _prices(settings.prices)
    tenant = "/v1/namespaces/{namespace}"
    for router in _questions(store, clock or SystemClock(), prices, streams):
        app.include_router(router, prefix=tenant)
    for part in (ruling, silencing, trying, showing):  # what has a name of its own before ids of alerts
        app.include_router(part.routes(desk), prefix=tenant)
    app.include_router(sql.routes(store, settings.analysts_url, settings.analysts_connections), prefix=tenant)
    app.include_router(ticks.routes(desk))
    app.include_router(reports.of_all(store, clock or SystemClock(), prices, settings.operator_token))
    app.include_router(measuring.across(store, clock or SystemClock(), settings.operator_token))
    app.include_router(health.routes(store))
    return app


def _questions(store: Store, clock: Clock, prices: Prices, streams: streaming.Streams) -> Sequence[APIRouter]:
    """What a namespace is asked of."""
    return (
        executions.routes(store, clock),
        exporting.routes(store),
        failing.routes(store, clock),
        timeline.routes(store),
        graphing.routes(store),
        logs.routes(store),
        series.routes(store, clock),
        cost.routes(store, clock, prices),
        top.routes(store, clock, prices),
        reports.of_one(store, clock, prices),
        comparing.routes(store, prices),
        measuring.routes(store, clock),
        streaming.routes(store, clock, streams),
    )


def _desk(settings: AnalyticsSettings, store: Store, clock: Clock, connections: int) -> Desk:
    return Desk(
        Database("analytics", settings.analytics_url, connections, longest=_LONGEST, application="lowtide-alerts"),
        store,
        clock,
        broker=Broker(settings.broker_url) if settings.broker_url else None,
        loopback=settings.allow_loopback,
        delay=settings.alert_delay,
        patience=settings.alert_patience,
    )


def _prices(given: str) -> Prices:
    try:
        return read_prices(given)
    except InvalidInput as error:
        raise Misconfigured(f"LOWTIDE_PRICES: {error}") from error
