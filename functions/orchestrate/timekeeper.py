"""Timers from zero: claimed by a committed update, held without a transaction, fired on time.

A tick brings the process up and waits here while anything is held; whoever dies gives its timers back by the end of
their claim, and the next tick takes them.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Coroutine
from math import floor
from typing import Final

from lowtide.errors import LowtideError
from lowtide.model.base import ExecutionId
from lowtide.runtime.clock import Clock
from lowtide.runtime.grouping import Grouped

from .background import Background
from .firing import fire, fire_all
from .scheduling import begin_next
from .store import asks, rates, schedules, wakes
from .store.database import Tx
from .store.wakes import Held
from .work import Desk, Work

__all__ = ["Timekeeper"]

log = logging.getLogger("lowtide.orchestrate")

_RESCAN: Final = 5.0
"""Seconds between looks while something is held: what is registered elsewhere meanwhile has a tick of its own."""
_STEP: Final = 0.25
"""Seconds between looks while more is overdue than may fire at once."""
_OVERDUE: Final = "overdue timers"
_GRACE: Final = 15.0
_MOST: Final = 2000
_AT_ONCE: Final = 6
_AHEAD: Final = 2.5
"""Seconds before a timer is due at which execute is woken, so that its cold start is over when the wake arrives."""
_WARM_FOR: Final = 5.0


class Timekeeper:
    """Holds timers while somebody waits in :meth:`hold`; one loop per process, however many ticks come."""

    def __init__(
        self, desk: Desk, clock: Clock, background: Background, warm: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._background = background
        self._heap: list[tuple[float, ExecutionId, str]] = []
        self._firing = 0
        self._waiting = 0
        self._nudged = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._sleeps: Grouped[tuple[ExecutionId, str], float] = Grouped(
            lambda held: desk.do(lambda work: fire_all(work, held))
        )
        self._stopping = False
        self._claiming = False
        self._behind = False
        self._warm = warm
        self._warm_until = 0.0

    def nudge(self) -> bool:
        """A timer was registered: look again now. ``False`` where nothing is held here, so that a tick is needed."""
        if self._loop is None or self._loop.done() or self._stopping:
            return False
        self._nudged.set()
        return True

    def stop(self) -> bool:
        """Give everything back; whoever waits in :meth:`hold` returns soon. Whether anything is, or may be, held."""
        held, self._heap = self._heap, []
        self._stopping = True
        self._nudged.set()
        if held:
            self._background.spawn(self._give_back(held), "giving timers back")
        return bool(held) or self._claiming

    async def hold(self, longest: float) -> None:
        """Claim what falls due soon and fire it on time; returns when nothing is held, or after ``longest`` seconds."""
        if self._stopping:
            return
        self._waiting += 1
        try:
            if self._loop is None or self._loop.done():
                self._loop = self._background.spawn(self._keep(), "keeping time")
            self._nudged.set()
            await asyncio.wait({self._loop}, timeout=longest)
        finally:
            self._waiting -= 1
            self._nudged.set()

    async def _keep(self) -> None:
        try:
            while not self._stopping and (self._waiting or self._firing):
                self._nudged.clear()
                await self._claim()
                self._warm_up()
                self._fire_due()
                if not self._heap and not self._firing and not self._behind and not self._nudged.is_set():
                    return
                await self._sleep()
        finally:
            held, self._heap = self._heap, []
            if held:
                await self._give_back(held)

    async def _claim(self) -> None:
        self._claiming = True
        try:
            found, self._behind = await self._desk.database.run(self._claimed)
        except LowtideError as error:
            self._behind = False
            log.warning("no timers can be claimed: %s", error)
            return
        finally:
            self._claiming = False
        now = self._clock.monotonic()
        for execution, key, seconds in found:
            heapq.heappush(self._heap, (now + seconds, execution, key))
        if len(found) >= _MOST:
            self._nudged.set()

    async def _claimed(self, tx: Tx) -> tuple[list[Held], bool]:
        """What is ours from now on, and whether more is overdue than may fire now."""
        horizon, rate = self._desk.terms.tick_horizon, self._desk.terms.overdue_per_second
        due = await wakes.what_is_due(tx, horizon)
        found = await wakes.claim_timers(tx, horizon, _GRACE, _MOST) if due.timers else []
        found += await schedules.claim(tx, horizon, _GRACE, _MOST) if due.schedules else []
        if not due.overdue:
            return found, False
        if not rate:
            return found + await wakes.claim_overdue(tx, _GRACE, _MOST), False
        allowed = min(floor(rate * await rates.drawn(tx, _OVERDUE, max(_STEP, 1 / rate))), _MOST)
        late = await wakes.claim_overdue(tx, _GRACE, allowed) if allowed else []
        await rates.spend(tx, _OVERDUE, len(late) / rate)
        return found + late, len(late) == allowed

    def _warm_up(self) -> None:
        now = self._clock.monotonic()
        if self._heap and self._heap[0][0] - now <= _AHEAD and now >= self._warm_until:
            self._warm_until = now + _WARM_FOR
            self._background.spawn(self._warm(), "waking execute")

    def _fire_due(self) -> None:
        while self._heap and self._heap[0][0] <= self._clock.monotonic():
            _, execution, key = heapq.heappop(self._heap)
            self._firing += 1
            self._background.spawn(self._fire(execution, key), f"timer {key} of {execution}")

    async def _fire(self, execution: ExecutionId, key: str) -> None:
        """A timer that cannot be fired now stays in the store and is claimed again when its claim has run out."""
        try:
            if execution == schedules.OWNER or key in wakes.OF_OPERATORS or asks.is_timer(key):
                async with self._slots:
                    early = await self._desk.do(lambda work: self._fire_one(work, execution, key))
            else:
                early = await self._sleeps.ask((execution, key))
            if early > 0:
                heapq.heappush(self._heap, (self._clock.monotonic() + early, execution, key))
        finally:
            self._firing -= 1
            self._nudged.set()

    async def _fire_one(self, work: Work, execution: ExecutionId, key: str) -> float:
        return await (begin_next(work, int(key)) if execution == schedules.OWNER else fire(work, execution, key))

    async def _sleep(self) -> None:
        now = self._clock.monotonic()
        due = self._heap[0][0] - now if self._heap else _RESCAN
        if due > _AHEAD:
            due = max(due - _AHEAD, self._warm_until - now)  # execute is to be woken first
        try:
            async with asyncio.timeout(max(0.0, min(due, _STEP if self._behind else _RESCAN))):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _give_back(self, held: list[tuple[float, ExecutionId, str]]) -> None:
        rows = [(execution, key) for _, execution, key in held if execution != schedules.OWNER]
        versions = [int(key) for _, execution, key in held if execution == schedules.OWNER]

        async def give_back(tx: Tx) -> None:
            await wakes.give_back_timers(tx, rows)
            await schedules.give_back(tx, versions)

        await self._desk.database.run(give_back)
