"""Composition: settings in, ASGI application out. Nothing is connected before the first question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from lowtide.errors import InvalidInput, Misconfigured
from lowtide.model.cost import Prices
from lowtide.runtime.chance import digits
from lowtide.runtime.clock import Clock, SystemClock, nanos
from lowtide.settings import AnalyticsSettings
from lowtide.telemetry.measures import Measure
from lowtide.telemetry.otlp import Traces, sending
from lowtide.telemetry.requests import HttpMeasures, TracedRequests
from lowtide.telemetry.serving import serving_measures
from lowtide.wire.prices import read_prices

from . import cost, executions, exporting, failing, health, logs, measuring, problems, series, streaming, timeline
from .store import Store

__all__ = ["create_app"]


def create_app(settings: AnalyticsSettings, clock: Clock | None = None) -> FastAPI:
    """Raises :class:`lowtide.errors.Misconfigured` where the store's URL is none, or the price list."""
    store = Store(
        settings.analytics_url, connections=settings.connections, statement_timeout=settings.statement_timeout
    )

    requests = HttpMeasures()
    traces = Traces.of("analytics", settings.otlp_endpoint, settings.trace_share, nanos, digits)

    async def measures() -> Sequence[Measure]:
        return [*requests.measures, *store.measures, *(traces.measures() if traces is not None else ())]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with sending(traces), serving_measures("analytics", settings.host, settings.metrics_port, measures):
            yield
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
    if traces is not None:
        app.add_middleware(TracedRequests, tracer=traces.tracer)
    if settings.metrics_port:
        app.add_middleware(requests.around)
    tenant = "/v1/namespaces/{namespace}"
    for router in (
        executions.routes(store, clock or SystemClock()),
        exporting.routes(store),
        failing.routes(store, clock or SystemClock()),
        timeline.routes(store),
        logs.routes(store),
        series.routes(store, clock or SystemClock()),
        cost.routes(store, clock or SystemClock(), _prices(settings.prices)),
        measuring.routes(store, clock or SystemClock()),
        streaming.routes(store, clock or SystemClock(), streams),
    ):
        app.include_router(router, prefix=tenant)
    app.include_router(health.routes(store))
    return app


def _prices(given: str) -> Prices:
    try:
        return read_prices(given)
    except InvalidInput as error:
        raise Misconfigured(f"LOWTIDE_PRICES: {error}") from error
