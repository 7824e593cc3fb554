"""The clocks of a simulated process: the loop's time, and a wall clock that somebody may set."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext

from lowtide.model.base import Millis
from lowtide.testing.simulate.postgres import START
from lowtide.testing.simulate.process import Process

__all__ = ["ProcessClock"]


class ProcessClock:
    """Implements the clock port. ``process.skew`` moves the wall clock, never the monotonic one."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def now(self) -> Millis:
        return Millis(int((START + asyncio.get_running_loop().time()) * 1000) + self._process.skew)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def working(self) -> AbstractContextManager[None]:
        return nullcontext()
