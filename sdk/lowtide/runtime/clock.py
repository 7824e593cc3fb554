"""Clocks: the only place that reads the time. Everything else is given one."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from lowtide.model.base import Millis

__all__ = ["Clock", "SystemClock", "nanos"]


class Clock(Protocol):
    """Wall time for what is shown and stored, monotonic time for leases, sleep for both."""

    def now(self) -> Millis:
        """Wall time, milliseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def working(self) -> AbstractContextManager[None]:
        """Real work is under way: a virtual clock stands still meanwhile."""
        ...


def nanos() -> int:
    """Wall time, nanoseconds since the epoch: for spans, whose ends are compared across processes."""
    return time.time_ns()


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Millis:
        return Millis(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def working(self) -> AbstractContextManager[None]:
        return nullcontext()
