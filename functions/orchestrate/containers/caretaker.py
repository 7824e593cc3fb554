"""Starts, watches and removes containers: rows are claimed by a committed update, and served without a transaction.

Whatever is done to a container may be done twice: whoever dies in the middle leaves a claim that runs out, and the
next process does it again. A tick waits here while one lives, so that its end is seen within seconds, from zero too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from lowtide.errors import TaskFailed, Unavailable
from lowtide.model.base import JSON
from lowtide.model.container import Seen
from lowtide.model.error import Error, standard_error
from lowtide.runtime.clock import Clock
from lowtide.runtime.containers import Containers, conclude

from ..rounds import LONGEST_PAUSE, Rounds
from ..store import containers as store
from ..store.containers import Claimed
from ..work import Desk
from .serving import finish

__all__ = ["Caretaker"]

log = logging.getLogger("lowtide.orchestrate")

_LEASE: Final = 30.0
_AT_ONCE: Final = 8


class Caretaker(Rounds):
    """``start_within``: seconds after which a container that does not start is given up."""

    def __init__(self, desk: Desk, clock: Clock, containers: Containers, *, start_within: float) -> None:
        super().__init__("containers")
        self._desk = desk
        self._clock = clock
        self._containers = containers
        self._start_within = start_within

    async def close(self, grace: float) -> None:
        await super().close(grace)
        await self._containers.close()

    async def _round(self) -> float:
        room = _AT_ONCE - self._busy
        found = await self._desk.database.run(lambda tx: store.claim(tx, _LEASE, room)) if room else []
        for row in found:
            self._busy += 1
            self._tasks.spawn(self._serve(row), f"container {row.id} of {row.execution}")
        living, due = await self._desk.database.run(store.outlook)
        return self._rest(due, living=living)

    async def _serve(self, row: Claimed) -> None:
        try:
            async with self._claimed(row):
                match row.phase:
                    case "wanted":
                        await self._start(row)
                    case "running":
                        await self._look(row)
                    case "over":
                        await self._containers.end(row.id)
                        await self._desk.database.run(lambda tx: store.forget(tx, row.id))
                    case "done":
                        await self._desk.database.run(lambda tx: store.forget(tx, row.id))
        except Unavailable as error:
            pause = min(0.5 * 2 ** min(row.attempts, 8), LONGEST_PAUSE)
            log.warning("container %s comes again in %.1f s: %s", row.id, pause, error)
            await self._desk.database.run(lambda tx: store.postpone(tx, [row.id], pause))
        finally:
            self._busy -= 1
            self._kicked.set()

    @asynccontextmanager
    async def _claimed(self, row: Claimed) -> AsyncIterator[None]:
        """The claim is renewed while the row is served: an image may take minutes to come."""

        async def renew() -> None:
            while True:
                await self._clock.sleep(_LEASE / 3)
                await self._desk.database.run(lambda tx: store.postpone(tx, [row.id], _LEASE))

        renewing = asyncio.ensure_future(renew())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _start(self, row: Claimed) -> None:
        try:
            await self._containers.start(row.order)
        except TaskFailed as failure:
            return await self._finish(row, failure.error, ran=False)
        except Unavailable as error:
            if row.age < self._start_within:
                raise
            return await self._finish(row, standard_error("communication", str(error), status=503), ran=False)
        await self._desk.database.run(lambda tx: store.started(tx, row.id))
        return None

    async def _look(self, row: Claimed) -> None:
        seen = await self._containers.look(row.id)
        if seen.phase in ("starting", "running"):
            if row.running > row.order.seconds:
                seen = Seen("late")
            elif not (seen.phase == "starting" and seen.problem and row.running > self._start_within):
                pause = min(max(1.0, row.running / 20), LONGEST_PAUSE)
                return await self._desk.database.run(lambda tx: store.postpone(tx, [row.id], pause))
        result: JSON | Error
        try:
            result = await conclude(self._containers, row.order, seen)
        except TaskFailed as failure:
            result = failure.error
        return await self._finish(row, result, ran=seen.phase == "ended")

    async def _finish(self, row: Claimed, result: JSON | Error, *, ran: bool) -> None:
        if isinstance(result, Error) and not row.awaited:
            # Not its detail: it quotes what the container printed, which may hold a secret.
            log.warning("container %s, which nobody awaits, failed: %s (%s)", row.id, result.title, result.status)
        await self._desk.do(lambda work: finish(work, row, result, ran=ran))
