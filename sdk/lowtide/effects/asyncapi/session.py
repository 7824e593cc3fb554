"""Subscriptions that stay open between two commands of the engine.

The engine asks for messages batch by batch, and journals each; a connection for each batch would lose what comes
between two of them. So a subscription is kept in the process that opened it, by the command that it belongs to. One
that nobody asks for messages for a minute is closed: its execution has parked, moved to another process, or ended. What
was not acknowledged is the broker's again then, and the next command opens anew, at the cursor where there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractAsyncContextManager
from typing import Final

from lowtide.effects.asyncapi.link import Feed
from lowtide.effects.asyncapi.message import Incoming
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON

__all__ = ["Batch", "Session", "Sessions"]

_HELD: Final = 100
"""Messages that wait in this process; the broker keeps the others."""

_IDLE: Final = 60.0

Batch = tuple[list[Incoming], dict[str, JSON], bool]
"""Messages, the cursor after them, and whether no more will come."""


class Session:
    """One subscription: a task of its own holds the connection and fills a queue."""

    def __init__(self, opening: AbstractAsyncContextManager[Feed], cursor: dict[str, JSON], limit: int) -> None:
        self._cursor = dict(cursor)
        self._limit = limit
        self._queue: asyncio.Queue[Incoming | TaskFailed | None] = asyncio.Queue(_HELD)
        self._feed: Feed | None = None
        self._end: TaskFailed | bool = False
        self._taken: list[Incoming] = []
        self._last: tuple[str, Batch] | None = None
        self._task = asyncio.create_task(self._run(opening))

    async def take(self, name: str, count: int, seconds: float, *, acknowledged: int = 0) -> Batch:
        """At least one message, if one comes within ``seconds``, and whatever else is there, up to ``count`` and to the
        limit of bytes; the first ``acknowledged`` of those that were taken before have been dealt with.

        The same ``name`` again gives the same batch: its answer did not arrive.

        Raises ``TaskFailed`` where the connection cannot be made, or broke and all that came before has been taken.
        """
        if self._last is not None and self._last[0] == name:
            return self._last[1]
        await self.acknowledge(acknowledged)
        taken: list[Incoming] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._next(taken)
        size = sum(len(one.body) for one in taken)
        while taken and not self._queue.empty() and len(taken) < count and size < self._limit:
            await self._next(taken)
            size += len(taken[-1].body)
        if not taken and isinstance(self._end, TaskFailed):
            raise self._end
        self._taken += taken
        for one in taken:
            if one.position is not None:
                self._cursor[one.position[0]] = one.position[1]
        batch = (taken, dict(self._cursor), self._end is True)
        self._last = (name, batch)
        return batch

    async def _next(self, taken: list[Incoming]) -> None:
        if self._end:
            return
        match await self._queue.get():
            case Incoming() as incoming:
                taken.append(incoming)
            case TaskFailed() as failure:
                self._end = failure
            case None:
                self._end = True

    async def acknowledge(self, count: int) -> None:
        """The first ``count`` messages that were taken since the last time have been dealt with."""
        done, self._taken = self._taken[:count], self._taken[count:]
        if done and self._feed is not None and self._feed.acknowledge is not None and not self._task.done():
            await self._feed.acknowledge(done)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, opening: AbstractAsyncContextManager[Feed]) -> None:
        end: TaskFailed | None = None
        try:
            async with opening as self._feed:
                async for incoming in self._feed.incoming:
                    await self._queue.put(incoming)
                # Stay open until what was taken is acknowledged: the end of a stream is no reason to hurry.
        except TaskFailed as failure:
            end = failure
        await self._queue.put(end)


class Sessions:
    """Those of one process, by the command that they belong to."""

    def __init__(self, idle: float = _IDLE) -> None:
        self._idle = idle
        self._open: dict[str, Session] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, key: str) -> Session | None:
        """One that is open; it is not closed while it is being used, see :meth:`rest`."""
        self._stop_timer(key)
        return self._open.get(key)

    def keep(self, key: str, session: Session) -> Session:
        self._open[key] = session
        return session

    def rest(self, key: str) -> None:
        """Nobody uses it now: it is closed unless somebody does within a minute."""
        if key in self._open:
            loop = asyncio.get_running_loop()
            self._stop_timer(key)
            self._timers[key] = loop.call_later(self._idle, self._expire, key)

    async def discard(self, key: str) -> None:
        self._stop_timer(key)
        session = self._open.pop(key, None)
        if session is not None:
            await session.close()

    async def close(self) -> None:
        for key in list(self._open):
            await self.discard(key)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _expire(self, key: str) -> None:
        task = asyncio.ensure_future(self.discard(key))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _stop_timer(self, key: str) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
