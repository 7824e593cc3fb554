"""The processes of one service: from zero on the first request, more under load, fewer and none when idle.

Everything here runs on one event loop, and no step between looking at an instance and giving it a request waits: a
request can neither be given to an instance that is being ended, nor end one that was just given a request.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from lowtide.errors import LowtideError, Unavailable
from lowtide.model.base import Millis
from lowtide.runtime.clock import Clock

from .ports import Reserved
from .processes import Child
from .readiness import until_ready
from .services import Service

__all__ = ["Instance", "Pool"]

_LOOK: Final = 0.25  # seconds between two looks at load and idleness, while there are processes
_SUSTAINED: Final = 1.0  # seconds of too much load that start another process
_BACKOFF: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds before a start, by failed starts in a row


@dataclass(eq=False)
class Instance:
    """One process of a service."""

    reserved: Reserved
    since: Millis
    state: Literal["starting", "ready", "ending"] = "starting"
    child: Child | None = None
    in_flight: int = 0
    quiet_since: float = 0.0

    @property
    def port(self) -> int:
        return self.reserved.port


class Pool:
    """``launch`` starts a process that will listen on a port, ``probe`` says whether it is ready there."""

    def __init__(
        self,
        service: Service,
        launch: Callable[[int], Awaitable[Child]],
        probe: Callable[[int], Awaitable[bool]],
        clock: Clock,
        *,
        idle: float,
        start_timeout: float,
        stop_grace: float = 30.0,
    ) -> None:
        self.service = service
        self.instances: list[Instance] = []
        self.cold_starts = 0
        self.crashes = 0
        self.zero_since: Millis | None = clock.now()
        self._launch = launch
        self._probe = probe
        self._clock = clock
        self._idle = idle
        self._start_timeout = start_timeout
        self._stop_grace = stop_grace
        self._waiting: deque[asyncio.Future[Instance]] = deque()
        self._lives: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._busy_since: float | None = None
        self._failures = 0
        self._closed = False

    @property
    def in_flight(self) -> int:
        return sum(instance.in_flight for instance in self.instances)

    @property
    def waiting(self) -> int:
        return sum(not future.done() for future in self._waiting)

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[Instance]:
        """A ready instance for the length of one request; waits for one if need be. Raises like :meth:`acquire`."""
        instance = await self.acquire()
        try:
            yield instance
        finally:
            self.release(instance)

    def at_once(self) -> Instance | None:
        """As :meth:`acquire`, where that need not wait."""
        instance = self._pick() if not self._closed and not self.waiting else None
        return None if instance is None else self._give(instance)

    async def acquire(self) -> Instance:
        """Raises :class:`ServiceBroken` where the service does not start, ``Unavailable`` once the pool is closed."""
        if self._closed:
            raise Unavailable(f"{self.service.name} is being stopped with the platform")
        instance = self.at_once()
        if instance is not None:
            return instance
        future: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._ensure_one()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.release(future.result())
            raise

    def release(self, instance: Instance) -> None:
        instance.in_flight -= 1
        instance.quiet_since = self._clock.monotonic()
        self._pump()

    def resume(self, instance: Instance) -> None:
        """Count a connection again that was released for its silence, and now talks (see ``splice``)."""
        self._give(instance)

    def discard(self, instance: Instance) -> None:
        """It does not accept connections: give it no more, and end it."""
        if instance.state == "ready" and instance.child is not None:
            instance.state = "ending"
            self.crashes += 1
            instance.child.kill()

    async def close(self, grace: float) -> None:
        """End all processes: gently, then after ``grace`` seconds not."""
        self._closed = True
        self._refuse(Unavailable(f"{self.service.name} is being stopped with the platform"))
        if self._looking is not None:
            self._looking.cancel()
        for instance in self.instances:
            instance.state = "ending"
        children = [instance.child for instance in self.instances if instance.child is not None]
        await asyncio.gather(*(child.stop(grace) for child in children))
        for life in list(self._lives):
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        for instance in self.instances:
            instance.reserved.release()  # a life that was cancelled before it began removes nothing

    def kill(self) -> None:
        self._closed = True
        for instance in self.instances:
            if instance.child is not None:
                instance.child.kill()

    # ------------------------------------------------------------ giving requests to instances

    def _pick(self) -> Instance | None:
        """Fill one process up to its target before the next, so that those not needed fall idle; past that, spread."""
        ready = [instance for instance in self.instances if instance.state == "ready"]
        for instance in ready:
            if instance.in_flight < self.service.target:
                return instance
        least = min(ready, key=lambda instance: instance.in_flight, default=None)
        return least if least is not None and least.in_flight < self.service.limit else None

    def _give(self, instance: Instance) -> Instance:
        instance.in_flight += 1
        return instance

    def _pump(self) -> None:
        while self._waiting:
            if self._waiting[0].done():  # its request went away
                self._waiting.popleft()
                continue
            instance = self._pick()
            if instance is None:
                return
            self._waiting.popleft().set_result(self._give(instance))

    def _refuse(self, error: Exception) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(error)

    # ------------------------------------------------------------ the life of instances

    def _ensure_one(self) -> None:
        if not self._serving():
            self._add()

    def _add(self) -> None:
        instance = Instance(reserved=Reserved(), since=self._clock.now())
        self.instances.append(instance)
        self.zero_since = None
        life = asyncio.create_task(self._live(instance))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_after())

    async def _live(self, instance: Instance) -> None:
        try:
            await self._clock.sleep(_BACKOFF[min(self._failures, len(_BACKOFF) - 1)])
            try:
                child = instance.child = await self._started(instance.port)
                await until_ready(
                    self.service.name, child, lambda: self._probe(instance.port), self._clock, self._start_timeout
                )
            except (LowtideError, OSError) as error:
                self._failures += 1
                if self.instances == [instance]:
                    self._refuse(error)
                return
            self._failures = 0
            self.cold_starts += 1
            if instance.state == "starting":
                instance.state = "ready"
            instance.quiet_since = self._clock.monotonic()
            self._pump()
            await child.wait()
            self.crashes += instance.state == "ready"
            instance.state = "ending"  # a request that holds it still may find that out, and is not to count it again
        finally:
            self._remove(instance)

    async def _started(self, port: int) -> Child:
        """A start cannot be cancelled half-way: the process would be there and nobody would know it."""
        launching = asyncio.ensure_future(self._launch(port))
        try:
            return await asyncio.shield(launching)
        except asyncio.CancelledError:
            (await launching).kill()
            raise

    def _remove(self, instance: Instance) -> None:
        instance.reserved.release()
        if instance in self.instances:
            self.instances.remove(instance)
        if not self.instances:
            self.zero_since = self.zero_since or self._clock.now()
        if self.waiting and not self._closed:
            self._ensure_one()

    # ------------------------------------------------------------ more and fewer

    async def _look_after(self) -> None:
        while self.instances:
            await self._clock.sleep(_LOOK)
            now = self._clock.monotonic()
            wanted = min(-(-(self.in_flight + self.waiting) // self.service.target), self.service.maximum)
            self._grow(now, wanted)
            self._shrink(now, wanted)

    def _grow(self, now: float, wanted: int) -> None:
        """Another process once there has been too much for those we have, for a while: bursts pass by themselves."""
        if wanted <= self._serving():
            self._busy_since = None
        elif self._busy_since is None:
            self._busy_since = now
        elif now - self._busy_since >= _SUSTAINED:
            self._busy_since = now
            self._add()

    def _shrink(self, now: float, wanted: int) -> None:
        """Idle processes go, but not those that the load asks for: requests given out do not move to them."""
        for instance in list(self.instances):
            idle = instance.state == "ready" and not instance.in_flight and now - instance.quiet_since >= self._idle
            if idle and self._serving() > wanted:
                self._end(instance)

    def _serving(self) -> int:
        return sum(instance.state != "ending" for instance in self.instances)

    def _end(self, instance: Instance) -> None:
        instance.state = "ending"
        if instance.child is not None:
            stopping = asyncio.create_task(self._stop(instance.child))
            self._lives.add(stopping)
            stopping.add_done_callback(self._lives.discard)

    async def _stop(self, child: Child) -> None:
        await child.stop(self._stop_grace)
