"""Calls and streams between processes: they take time, get lost, arrive without an answer, and end with either end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from lowtide.testing.simulate.faults import Faults
from lowtide.testing.simulate.process import OUTSIDE, Process, current

__all__ = ["Lost", "Network", "Pipe", "Replicas"]

T = TypeVar("T")
S = TypeVar("S")

_USUAL = 0.001


class Lost(Exception):
    """The other end is gone, or was never reached; whether it did anything is not known."""


class Replicas(Generic[S]):
    """The living replicas of one service, as whoever calls it by its name finds them."""

    def __init__(self, faults: Faults) -> None:
        self.all: dict[Process, S] = {}
        self._faults = faults
        self._came = asyncio.Event()

    def add(self, process: Process, service: S) -> None:
        self.all[process] = service
        process.at_end(lambda: self.remove(process))
        self._came.set()

    def remove(self, process: Process) -> None:
        self.all.pop(process, None)

    def pick(self) -> tuple[Process, S]:
        """Any of them. Raises :class:`Lost` where there is none."""
        if not self.all:
            raise Lost("nobody listens")
        return self._faults.chance.choice(list(self.all.items()))

    async def wait(self) -> tuple[Process, S]:
        """Any of them, once there is one."""
        while not self.all:
            self._came.clear()
            await self._came.wait()
        return self.pick()


@dataclass
class Network:
    faults: Faults

    async def travel(self) -> None:
        await asyncio.sleep(self.faults.delay(_USUAL))

    async def call(
        self, to: Process, work: Callable[[], Awaitable[T]], *, hung_up: Callable[[], None] | None = None
    ) -> T:
        """What ``work`` returns or raises, done in the process ``to``.

        Raises :class:`Lost` where the request, its answer or that process is lost. ``hung_up`` is called there when
        the caller has died or stopped waiting; without it the work is cancelled then.
        """
        await self.travel()
        if not to.alive or self.faults.happens(self.faults.odds.lose_request):
            raise Lost(f"{to.name} was not reached")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        serving = to.spawn(self._serve(work, answer))
        forget = to.at_end(lambda: _fail(answer, Lost(f"{to.name} is gone")))
        hang_up = hung_up or serving.cancel
        caller = current.get()
        remember = caller.at_end(lambda: to.call(hang_up)) if caller else lambda: None
        try:
            return await answer
        except asyncio.CancelledError:
            to.call(hang_up)
            raise
        finally:
            forget()
            remember()

    async def _serve(self, work: Callable[[], Awaitable[T]], answer: asyncio.Future[T]) -> None:
        failure: Exception | None = None
        try:
            result = await work()
        except Exception as error:
            failure = error
        await self.travel()
        if self.faults.happens(self.faults.odds.lose_reply):
            failure = Lost("the answer was lost")
        if failure is not None:
            _fail(answer, failure)
        elif not answer.done():
            answer.set_result(result)

    def pipe(self) -> Pipe[T]:
        return Pipe(self.faults)


class Pipe(Generic[T]):
    """One direction of a stream: items arrive late, but in their order. :meth:`close` ends it, in its turn."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._arrived: asyncio.Queue[tuple[Sequence[T], Exception | None]] = asyncio.Queue()
        self._last = 0.0

    def put(self, item: T) -> None:
        self._later(([item], None))

    def close(self, error: Exception | None = None) -> None:
        """Whoever reads has come to the end, or meets with ``error``."""
        self._later(((), error or _END))

    async def get(self) -> T | None:
        """The next item; ``None`` at the end, again and again."""
        items, error = await self._arrived.get()
        if error is None:
            return items[0]
        self._arrived.put_nowait((items, error))
        if error is _END:
            return None
        raise error

    def _later(self, what: tuple[Sequence[T], Exception | None]) -> None:
        loop = asyncio.get_running_loop()
        self._last = max(self._last + 1e-6, loop.time() + self._faults.delay(_USUAL))
        loop.call_at(self._last, self._arrived.put_nowait, what, context=OUTSIDE)


_END = Exception("the end of the stream")


def _fail(answer: asyncio.Future[T], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # a caller that died never asks
