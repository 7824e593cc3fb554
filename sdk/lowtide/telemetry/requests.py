"""Counts, times and traces requests of an ASGI application, by the route as it is written: a path may be a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from lowtide.telemetry.measures import Count, Measure, Spread
from lowtide.telemetry.tracing import Tracer
from lowtide.wire.traces import carried, read

__all__ = ["HttpMeasures", "TracedRequests"]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[Any]]
_Send = Callable[[Any], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

_UNTOLD: Final = frozenset({"/livez", "/readyz"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMeasures:
    """Wrap an application by :meth:`around`; probes are not counted."""

    def __init__(self) -> None:
        self.requests = Count(
            "lowtide_http_requests_total", "Requests answered, by status", ("method", "route", "status")
        )
        self.seconds = Spread("lowtide_http_request_seconds", "Until the whole answer was sent", ("method", "route"))

    @property
    def measures(self) -> Sequence[Measure]:
        return (self.requests, self.seconds)

    def around(self, app: _App) -> _App:
        async def measured(scope: _Scope, receive: _Receive, send: _Send) -> None:
            if scope["type"] != "http" or scope["path"] in _UNTOLD:
                return await app(scope, receive, send)
            status = 500

            async def noting(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                await app(scope, receive, noting)
            finally:
                method = scope["method"] if scope["method"] in _METHODS else "other"
                route = getattr(scope.get("route"), "path", "none")
                self.requests.add(method, route, str(status))
                self.seconds.see(loop.time() - began, method, route)

        return measured


class TracedRequests:
    """Middleware: each request is a span, below that which its headers name; probes and ``untraced`` paths are not."""

    def __init__(self, app: _App, *, tracer: Tracer, untraced: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._tracer = tracer
        self._untraced = _UNTOLD | untraced

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._untraced:
            return await self._app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                span.attributes["http.response.status_code"] = message["status"]
                if message["status"] >= 500:
                    span.failure = str(message["status"])
            await send(message)

        with self._tracer.span(scope["method"], read(carried(headers)), "server") as span:
            span.attributes["http.request.method"] = scope["method"]
            try:
                await self._app(scope, receive, noting)
            finally:
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.name = f"{scope['method']} {route}"
                    span.attributes["http.route"] = route
