"""The gatekeeper: lets through what waits in line, when a slot becomes free, a start comes in, or a moment has come.

It rests while nothing happens. What it forgets when it dies (slots that have become free) the next tick looks for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from lowtide.errors import LowtideError
from lowtide.runtime.clock import Clock

from .admitting import admit
from .store import lanes, rates
from .store.database import Tx
from .work import Desk

__all__ = ["Gatekeeper"]

log = logging.getLogger("lowtide.orchestrate")

_LONGEST: Final = 300.0
_SHORTEST: Final = 0.02
_BATCH: Final = 1_000


class Gatekeeper:
    """One loop per process; processes take turns, each with a transaction of its own."""

    def __init__(self, desk: Desk, clock: Clock, horizon: float) -> None:
        self._desk = desk
        self._clock = clock
        self._horizon: Final = horizon
        self._slots: set[str] = set()
        self._kicked = asyncio.Event()
        self._rests = asyncio.Event()
        self._stopping = False
        self._holding = 0

    @property
    def held(self) -> bool:
        """Whether somebody keeps this process alive for what has to be looked at soon."""
        return self._holding > 0 and not self._stopping

    def look(self, slots: Collection[str] = ()) -> None:
        """Something may be admitted: look at what is due, and at what waits for these slots."""
        self._slots.update(slots)
        self._rests.clear()
        self._kicked.set()

    def stop(self) -> bool:
        """Whoever waits in :meth:`hold` returns; whether anybody did."""
        held = self.held
        self._stopping = True
        self._rests.set()
        return held

    async def sweep(self) -> None:
        """Look at every lane: a process that died may have known of a free slot that nobody else knows of."""

        async def look(tx: Tx) -> None:
            await lanes.look_again(tx)
            while await rates.expire(tx, _BATCH) == _BATCH:
                pass

        await self._desk.database.run(look)
        self.look()

    async def hold(self, longest: float) -> None:
        """Return when nothing has to be looked at within the horizon, or after ``longest`` seconds."""
        if self._stopping:
            return
        self._holding += 1
        try:
            async with asyncio.timeout(longest):
                await self._rests.wait()
        except TimeoutError:
            return
        finally:
            self._holding -= 1

    async def run(self) -> None:
        """Until cancelled, from the first :meth:`look` on."""
        pause = 0.5
        await self._kicked.wait()
        while True:
            self._kicked.clear()
            try:
                wait = await self._round()
                pause = 0.5
            except LowtideError as error:
                self._rests.set()
                log.warning("nothing is admitted for %.1f s: %s", pause, error)
            except Exception:  # a defect of ours must not end the loop: everything else still has to be admitted
                log.exception("nothing is admitted for %.1f s", pause)
            else:
                await self._pause(wait)
                continue
            await self._clock.sleep(pause)
            pause = min(2 * pause, 10.0)

    async def _round(self) -> float:
        """Admit what fits; how many seconds there is nothing to do."""
        slots = frozenset(self._slots)
        self._slots.clear()  # one that becomes free from now on may be too late for this round
        try:
            found = await self._desk.do(lambda work: admit(work, slots))
        except BaseException:  # cancelled too: the round that comes after has to look at these
            self._slots |= slots
            raise
        if found.again or self._slots:
            return 0.0
        if found.seconds is None or found.seconds > self._horizon:
            self._rests.set()
        return _LONGEST if found.seconds is None else min(max(found.seconds, _SHORTEST), _LONGEST)

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._kicked.wait()
        except TimeoutError:
            return
