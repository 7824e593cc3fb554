"""The laptop's broker, a process of its own: ``python -m lowtide.local.broker`` (settings: ``BrokerSettings``).

``POST /`` takes CloudEvents in every mode and answers 202 at once; events from outside are stored first. What is
delivered where is the one table of Triggers; subscribers' replies come in again as if they had been posted.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

from lowtide.errors import LowtideError, TooLarge
from lowtide.runtime import loops
from lowtide.runtime.clock import SystemClock
from lowtide.settings import BrokerSettings
from lowtide.wire import cloudevents, problem
from lowtide.wire.triggers import DEAD_LETTER_PATH, TRIGGERS, TriggerSpec

from .answers import answer, answer_problem
from .delivery import Delivery
from .ports import bind
from .routing import Router
from .serving import serve
from .stored import StoredEvents

__all__ = ["main", "running"]

_MAX_BODY: Final = 64 * 1024 * 1024


@contextlib.asynccontextmanager
async def running(settings: BrokerSettings, triggers: tuple[TriggerSpec, ...] = TRIGGERS) -> AsyncIterator[Router]:
    """A broker that listens until the end of the block, and then drains."""
    subscribers = {
        "execute": settings.execute_url.rstrip("/"),
        "orchestrate": settings.orchestrate_url.rstrip("/"),
        "analytics": settings.analytics_api_url.rstrip("/"),
    }
    clock = SystemClock()
    async with StoredEvents(settings.broker_database_url) as stored, _session() as session:
        router = Router(stored, clock, settings.max_queued)
        router.deliveries = tuple(
            Delivery(
                trigger,
                subscribers[trigger.subscriber] + trigger.path,
                subscribers["orchestrate"] + DEAD_LETTER_PATH,
                session,
                clock,
                router.take,
                settings.concurrency,
            )
            for trigger in triggers
        )
        await router.recover()
        runner = await serve(_Ingress(router).handle, bind(settings.host, settings.port, "PORT"), grace=1.0)
        try:
            yield router
        finally:
            await router.drain(settings.shutdown_grace)
            await runner.cleanup()


def _session() -> ClientSession:
    """No time limit on a delivery. Connections are kept for less time than subscribers keep theirs."""
    return ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=3.0),
        timeout=ClientTimeout(total=None, sock_connect=10.0),
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=("Content-Type", "Accept-Encoding"),
        read_bufsize=2**18,
    )


class _Ingress:
    """HTTP in, answers out."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            match (request.method, request.path):
                case ("POST", "/"):
                    events = cloudevents.read_all(request.headers, await _body(request))
                    await asyncio.gather(*(self._router.take(event) for event in events))
                    return web.Response(status=202)
                case ("GET", "/livez" | "/readyz"):
                    return answer({"status": "ok"})
                case ("GET", "/status"):
                    return answer(self._router.status())
                case (_, "/"):
                    return answer_problem(problem.of_status(405, "events are sent by POST"))
            return answer_problem(problem.of_status(404, "events are posted to /"))
        except LowtideError as error:
            return answer_problem(problem.of_error(error))


async def _body(request: web.BaseRequest) -> bytes:
    if (request.content_length or 0) <= _MAX_BODY:
        parts = bytearray()
        async for chunk in request.content.iter_any():
            parts += chunk
            if len(parts) > _MAX_BODY:
                break
        else:
            return bytes(parts)
    raise TooLarge(f"an event of more than {_MAX_BODY // 2**20} MiB; store the data elsewhere and send its address")


async def _serve(settings: BrokerSettings) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with running(settings):
        await ended.wait()


def main() -> int:
    """Returns the exit code."""
    try:
        loops.run(_serve(BrokerSettings.from_environment()))
    except (LowtideError, OSError) as error:
        print(f"broker: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
