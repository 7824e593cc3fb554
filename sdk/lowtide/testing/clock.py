"""A clock that tests move, or that moves itself: a thirty-day wait takes no time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager

from lowtide.model.base import Millis

__all__ = ["VirtualClock"]


class VirtualClock:
    """Implements the clock port. Whoever sleeps is woken in the order of due times, without waiting.

    With ``runs=True`` it jumps to the next due time as soon as the event loop has nothing else to do, and stands still
    while real work is under way (:meth:`working`); ``waits=False`` is for effects that sleep on this clock themselves.
    With ``runs=False`` only :meth:`advance` moves it.
    """

    def __init__(self, start: int = 1_767_225_600_000, *, runs: bool = True, waits: bool = True) -> None:
        self._now = float(start)
        self._start = float(start)
        self._runs = runs
        self._waits = waits
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._working = 0
        self._mover: asyncio.Task[None] | None = None

    def now(self) -> Millis:
        return Millis(int(self._now))

    def monotonic(self) -> float:
        return (self._now - self._start) / 1000

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        # A millisecond at least: a sleeper that asks for the rest of one would else never get past it.
        due = self._now + max(seconds * 1000, 1.0)
        heapq.heappush(self._sleepers, (due, self._count, future))
        if self._runs and (self._mover is None or self._mover.done()):
            self._mover = asyncio.ensure_future(self._move())
        await future

    @contextmanager
    def working(self) -> Iterator[None]:
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers at their times."""
        target = self._now + seconds * 1000
        while self._sleepers and self._sleepers[0][0] <= target:
            self._wake_next()
            await _settle()
        self._now = max(self._now, target)
        await _settle()

    async def _move(self) -> None:
        while self._sleepers:
            await _settle()
            if self._working and self._waits:
                await asyncio.sleep(0.001)
            elif self._sleepers:
                self._wake_next()

    def _wake_next(self) -> None:
        due, _, future = heapq.heappop(self._sleepers)
        if not future.done():
            self._now = max(self._now, due)
            future.set_result(None)


async def _settle() -> None:
    """Let everything that is ready run until it waits again."""
    for _ in range(50):
        await asyncio.sleep(0)
