"""The ASGI application: ``POST /`` takes a dispatch event, ``/livez`` and ``/readyz`` answer probes.

Plain ASGI (asgi.readthedocs.io, HTTP & lifespan specifications): a web framework would cost more time at a cold start
than everything that is done here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

from lowtide.errors import LowtideError, TooLarge
from lowtide.settings import ExecuteSettings
from lowtide.wire import json, problem
from lowtide.wire.cloudevents import read, to_binary

from .invocation import Answer, Invocations
from .parts import Parts, build_parts

if TYPE_CHECKING:
    from lowtide.telemetry.measures import Measure

    from .measuring import Measuring

__all__ = ["Execute", "create_app"]

log = logging.getLogger("lowtide.execute")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_FAREWELL: Final = 5.0
"""Seconds that registrations and lifecycle events have to arrive when the process ends."""

_LARGEST_BODY: Final = 64 * 1024 * 1024
"""Bytes of a dispatch. Brokers carry 40 MB; what is larger travels by claim check."""


def create_app(settings: ExecuteSettings) -> Execute:
    return Execute(settings)


class Execute:
    """The application. Its parts are built at the lifespan's start, or with the first request where there is none."""

    def __init__(self, settings: ExecuteSettings) -> None:
        self._settings = settings
        self._parts: Parts | None = None
        self._invocations: Invocations | None = None
        self._measuring: Measuring | None = None
        self._serving = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    @property
    def invocations(self) -> Invocations:
        if self._invocations is None:
            self._parts = build_parts(self._settings)
            self._invocations = Invocations(self._parts)
            if self._settings.metrics_port:
                from .measuring import Measuring  # not at the cold start of a process that nobody watches

                self._measuring = Measuring()
                self._measuring.watch(self._parts)
        return self._invocations

    def yield_all(self) -> None:
        """The process was asked to end: invocations park, to be resumed at once elsewhere."""
        if self._parts is not None and self._invocations is not None:
            self._parts.stopping = True
            self._invocations.yield_all()

    async def close(self) -> None:
        if self._parts is not None:
            await self._serving.aclose()
            if self._invocations is not None:
                await self._invocations.settle(_FAREWELL)
            await self._parts.close()
            self._parts = self._invocations = None

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    _ = self.invocations
                    if self._measuring is not None:
                        await self._tell(self._measuring)
                except LowtideError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _tell(self, measuring: Measuring) -> None:
        from lowtide.telemetry.serving import serving_measures

        async def measures() -> Sequence[Measure]:
            return measuring.measures(self._parts, self._invocations) if self._parts and self._invocations else ()

        serving = serving_measures("execute", self._settings.host, self._settings.metrics_port, measures)
        await self._serving.enter_async_context(serving)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case "POST", "/":
                answer = await self._dispatch(scope, receive)
            case "GET" | "HEAD", "/livez":
                answer = Answer(200)
            case "GET" | "HEAD", "/readyz":
                answer = self._ready()
            case method, "/" | "/livez" | "/readyz":
                answer = Answer(405, problem=problem.of_status(405, f"{method} is not taken here"))
            case _, path:
                answer = Answer(404, problem=problem.of_status(404, f"there is nothing at {path}; POST events to /"))
        await respond(send, answer)
        if self._parts is not None and self._parts.traces is not None and scope["method"] == "POST":
            self._parts.traces.exporter.start()  # not before the first answer: it imports much

    def _ready(self) -> Answer:
        if self._parts is not None and self._parts.stopping:
            return Answer(503, problem=problem.of_status(503, "this process is ending"))
        return Answer(200)

    async def _dispatch(self, scope: Scope, receive: Receive) -> Answer:
        try:
            event = read(scope["headers"], await _body(receive))
        except LowtideError as error:
            log.warning("refused", extra={"code": error.code, "reason": str(error)})
            return Answer(error.http_status, problem=problem.of_error(error))
        abandoned = asyncio.Event()
        watching = asyncio.ensure_future(_watch(receive, abandoned))
        began = asyncio.get_running_loop().time()
        try:
            answer = await self.invocations.handle(event, abandoned)
        finally:
            watching.cancel()
        if self._measuring is not None:
            self._measuring.ended(answer, began)
        return answer


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _LARGEST_BODY:
            raise TooLarge(f"the event is larger than {_LARGEST_BODY} bytes")
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _watch(receive: Receive, abandoned: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    abandoned.set()


async def respond(send: Send, answer: Answer) -> None:
    """Write the answer as an HTTP response; an event in binary mode."""
    headers: dict[str, str] = {}
    body = b""
    if answer.event is not None:
        headers, body = to_binary(answer.event)
    elif answer.problem is not None:
        headers, body = problem.headers(answer.problem), json.encode(answer.problem)
    elif answer.status == 200:
        headers, body = {"content-type": "application/json"}, b'{"status":"ok"}'
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    if answer.status != 204:
        encoded.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
