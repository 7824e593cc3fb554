"""The tick: what is done once a minute, and asked for in between when a timer is due sooner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from lowtide.errors import LowtideError
from lowtide.runtime.chance import new_owner
from lowtide.runtime.clock import Clock
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.types import TICK

from .alerting import ask_for_alerts
from .background import Background
from .deleting import delete_old
from .gatekeeper import Gatekeeper
from .incoming import match_leftovers
from .listening import catch_up
from .lost import find_lost
from .nouns import millis
from .ports import Broker, Ingest
from .relay import Channel
from .rounds import Rounds
from .store import deadletters, events, workflows
from .store.database import Tx
from .store.outbox import Kind
from .store.outlook import EVERYTHING, Outlook, outlook
from .timekeeper import Timekeeper
from .work import Desk

__all__ = ["Tick", "TickRequests"]

log = logging.getLogger("lowtide.orchestrate")

_SOURCE: Final = "/lowtide/orchestrate"
_LEFT_OVER: Final = 5.0
_BATCH: Final = 500
_Work: TypeAlias = Callable[[], Coroutine[Any, Any, object]]
_REMEMBERED: Final = 30 * 86_400.0
"""Seconds for which dead letters that nobody has to look at any more are kept."""

_LONGEST_PUBLISH: Final = 60.0
_LONGEST_DELETION: Final = 45.0
"""Seconds of a tick in which old executions are deleted; the rest waits for the next one."""


class TickRequests:
    """Publishes a tick where a timer is due before the next one, unless this process holds timers already."""

    def __init__(self, broker: Broker, clock: Clock, keeper: Timekeeper, background: Background, period: float) -> None:
        self._broker = broker
        self._clock = clock
        self._keeper = keeper
        self._background = background
        self._period = period
        self._under_way = False
        self._again = False

    def needed(self, due: datetime) -> None:
        """A timer that is due then was committed."""
        if self._is_soon(due) and not self._keeper.nudge():
            self.publish()

    def expected(self, due: datetime) -> None:
        """Somebody has to be there at that moment, and nobody holds this process for it."""
        if self._is_soon(due):
            self.publish()

    def _is_soon(self, due: datetime) -> bool:
        return (millis(due) - self._clock.now()) / 1000 <= self._period

    def publish(self) -> None:
        """Many in a row become one; one more follows for those that came while it was on its way."""
        if self._under_way:
            self._again = True
            return
        self._under_way = True
        self._background.spawn(self._publish(), "asking for a tick")

    async def _publish(self) -> None:
        try:
            while True:
                self._again = False
                await self._send()
                if not self._again:
                    return
        finally:
            self._under_way = False

    async def _send(self) -> None:
        attributes: dict[str, str | int | bool] = {"specversion": "1.0", "source": _SOURCE, "type": TICK}
        event = CloudEvent({**attributes, "id": f"{self._clock.now()}-{new_owner()}"})
        pause = 0.5
        for _ in range(8):  # for about a minute: then the next tick comes by itself
            try:
                async with asyncio.timeout(_LONGEST_PUBLISH):
                    return await self._broker.send(event)
            except TimeoutError:
                return None  # a synchronous Broker answers when the tick was handled: it was taken
            except LowtideError as error:
                log.warning("the broker did not take a tick, again in %.1f s: %s", pause, error)
            await self._clock.sleep(pause)
            pause = min(2 * pause, 16.0)
        return None


class Holders(NamedTuple):
    """Who has to do with timers, containers, lines, operations, removals: they keep the process that a tick brought up.

    The ``hold`` of each returns when there is nothing to do soon, or after a time that is given.
    """

    keeper: Timekeeper
    caretaker: Rounds
    gatekeeper: Gatekeeper
    steward: Rounds
    remover: Rounds


class Tick:
    """Handles ticks. They may overlap: whatever they do is claimed, or harmless when done twice.

    Harmless is not free: what a busy process has not done when the next tick comes is not begun beside it once more.
    """

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        ingest: Ingest,
        broker: Broker,
        holders: Holders,
        channels: Mapping[Kind, Channel],
        background: Background,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._ingest = ingest
        self._broker = broker
        self._holders = holders
        self._channels = channels
        self._background = background
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def begin(self) -> None:
        """A process has started: what is there may be its to do, and no tick need come for it."""
        found = await self._look()
        self._kick(found)
        if found.containers:
            self._holders.caretaker.kick()
        if found.lines:
            self._holders.gatekeeper.look()
        if found.operations:
            self._holders.steward.kick()
        if found.removals:
            self._holders.remover.kick()

    async def handle(self, longest: float) -> None:
        """Return when nothing is due any more and nothing is held; or after ``longest`` seconds."""
        found = await self._look()
        self._kick(found)
        keeper, caretaker, gatekeeper, steward, remover = self._holders
        if found.lines:
            await self._chore("what waits in line", gatekeeper.sweep)
        holders = (
            (found.time, keeper),
            (found.containers, caretaker),
            (found.lines, gatekeeper),
            (found.operations, steward),
            (found.removals, remover),
        )
        held = [holder.hold(longest) for needed, holder in holders if needed]
        chores = self._chores(found, min(longest, _LONGEST_DELETION))
        await asyncio.gather(*held, *(self._chore(what, work) for what, work in chores))
        await asyncio.gather(*(channel.quiet(10.0) for channel in self._channels.values()))

    async def _look(self) -> Outlook:
        try:
            terms = self._desk.terms
            return await self._desk.database.run(lambda tx: outlook(tx, terms.tick_horizon, terms.retain))
        except LowtideError as error:
            log.warning("what there is to do is not known: %s", error)
            return EVERYTHING

    def _kick(self, found: Outlook) -> None:
        for kind, channel in self._channels.items():
            if kind in found.outbox:
                channel.kick()

    def _chores(self, found: Outlook, seconds: float) -> Iterator[tuple[str, _Work]]:
        """``seconds``: how long may be taken for what may take long."""
        if found.lost:
            yield "lost dispatches", lambda: find_lost(self._desk, self._ingest)
        if found.unmatched:
            yield "events left over", lambda: match_leftovers(self._desk, _LEFT_OVER, _BATCH)
        if found.behind:
            yield "listeners left behind", self._catch_up
        if found.expired:
            yield "expired events", lambda: self._expire(lambda tx: events.expire(tx, _BATCH))
        if found.forgotten:
            yield "interests of removed workflows", lambda: self._desk.database.run(workflows.forget_interests)
        if found.alerts:
            yield "alert rules", lambda: ask_for_alerts(self._desk, self._broker, self._clock)
        if found.old:
            yield "executions kept long enough", lambda: delete_old(self._desk, self._clock, seconds)
        if found.letters:
            yield "old dead letters", lambda: self._expire(lambda tx: deadletters.expire(tx, _REMEMBERED, _BATCH))

    async def _chore(self, what: str, work: _Work) -> None:
        """One chore that fails keeps no other from being done; the next tick tries again."""
        task = self._under_way.get(what)
        if task is None or task.done():
            task = self._under_way[what] = self._background.spawn(work(), what)
        await asyncio.shield(task)

    async def _catch_up(self) -> None:
        found = await self._desk.database.run(lambda tx: events.behind(tx, _LEFT_OVER, _BATCH))
        for execution, command in found:
            await self._desk.do(lambda work, e=execution, c=command: catch_up(work, e, c))  # type: ignore[misc]

    async def _expire(self, remove: Callable[[Tx], Awaitable[int]]) -> None:
        removed = _BATCH
        while removed == _BATCH:
            removed = await self._desk.database.run(remove)
