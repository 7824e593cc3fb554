"""The short way of a synchronous start: the stored dispatch goes straight to execute, the outcome comes as its answer.

Should it fail, or this process end, the Broker takes over: the outbox holds the same dispatch, byte for byte.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from lowtide.errors import LowtideError, Unavailable
from lowtide.model.base import ExecutionId, Millis
from lowtide.runtime.clock import Clock
from lowtide.telemetry.tracing import Tracer
from lowtide.wire.cloudevents import CloudEvent, read, to_binary

from .background import Background
from .dispatching import event_of, traced
from .nouns import Execution, Order
from .ports import Execute
from .reports import Reports
from .store import executions, groups, outbox
from .work import Desk, Work

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["HttpExecute", "ShortWay", "Waiters"]

log = logging.getLogger("lowtide.orchestrate")

_POLL: Final = 0.5


class HttpExecute:
    """Posts dispatches to execute. ``timeout``: seconds for a whole invocation."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._session: ClientSession | None = None

    async def invoke(self, event: CloudEvent) -> CloudEvent | None:
        from aiohttp import ClientError

        headers, body = to_binary(event)
        try:
            async with self._opened().post(self._url, data=body, headers=headers) as response:
                answer = await response.read()
        except (TimeoutError, ClientError, OSError) as error:
            raise Unavailable(f"execute at {self._url} cannot be reached: {error}") from error
        if response.status >= 300:
            raise Unavailable(f"execute answered {response.status}: {answer[:300].decode(errors='replace')}")
        return read(list(response.headers.items()), answer) if answer else None

    async def wake(self) -> None:
        from aiohttp import ClientError

        try:
            async with self._opened().get(f"{self._url.rstrip('/')}/readyz") as response:
                await response.read()
        except (TimeoutError, ClientError, OSError) as error:
            log.info("execute was not woken: %s", error)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> ClientSession:
        if self._session is None:
            from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

            self._session = ClientSession(
                timeout=ClientTimeout(total=self._timeout), connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar()
            )
        return self._session


class Waiters:
    """Requests that wait for an execution's end. The database is asked too: it may end through another process."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: defaultdict[str, set[asyncio.Future[Execution]]] = defaultdict(set)
        self._asking: asyncio.Task[None] | None = None

    def ended(self, execution: Execution) -> None:
        for waiting in self._waiting.get(execution.id, ()):
            if not waiting.done():
                waiting.set_result(execution)

    async def wait(self, execution: Execution, seconds: float) -> Execution:
        """The execution when it has ended, or as it is after ``seconds``."""
        if execution.ended:
            return execution
        waiting: asyncio.Future[Execution] = asyncio.get_running_loop().create_future()
        self._waiting[execution.id].add(waiting)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="asking for ends")
        try:
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError:
            return await self._read(execution)
        finally:
            self._waiting[execution.id].discard(waiting)
            if not self._waiting[execution.id]:
                del self._waiting[execution.id]

    async def _ask(self) -> None:
        """Now and then, for all at once that have waited for a while; most are answered before that."""
        before: set[str] = set()
        try:
            while self._waiting:
                await asyncio.sleep(_POLL)
                ids = [id_ for id_ in self._waiting if id_ in before]
                before = set(self._waiting)
                if not ids:
                    continue
                try:
                    for execution in await self._desk.database.run(lambda tx, ids=ids: groups.ended_among(tx, ids)):  # type: ignore[misc]
                        self.ended(execution)
                except LowtideError as error:
                    log.warning("cannot ask which executions have ended: %s", error)
        finally:
            self._asking = None

    async def _read(self, execution: Execution) -> Execution:
        found = await self._desk.database.run(lambda tx: executions.find(tx, execution.namespace, execution.id))
        return found or execution


class ShortWay:
    """Carries dispatches to execute without the Broker."""

    def __init__(
        self,
        desk: Desk,
        reports: Reports,
        execute: Execute,
        clock: Clock,
        background: Background,
        tracer: Tracer | None = None,
    ) -> None:
        self._tracer = tracer
        self._desk = desk
        self._reports = reports
        self._execute = execute
        self._clock = clock
        self._background = background

    def go(self, order: Order, begun: Execution) -> None:
        """Take a dispatch of an execution that has just begun to execute; the request that started it does not have
        to stay."""
        self._background.spawn(self._carry(order, begun), f"the short way of {order.execution}")

    async def _carry(self, order: Order, begun: Execution) -> None:
        terms = self._desk.terms
        expires = Millis(self._clock.now() + int(terms.token_lifetime * 1000))
        try:
            with traced(order, self._tracer) as span:
                event = await event_of(order, terms.key, expires, self._desk.claims, span)
                reply = await self._execute.invoke(event)
            if reply is not None:
                await self._reports.take(reply, begun)
        except LowtideError as error:
            log.info(
                "execution %s goes by the broker: %s", order.execution, error, extra={"execution": order.execution}
            )
            await self._desk.do(lambda work: _hurry(work, order.execution, order.epoch))


async def _hurry(work: Work, execution: ExecutionId, epoch: int) -> None:
    await outbox.hurry(work.tx, execution, epoch)
    work.after.publish = True
