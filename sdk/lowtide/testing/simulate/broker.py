"""A Broker as Knative's: takes an event, delivers it at least once, and again while the subscriber does not take it.

What it may do to events: late, twice, in another order, refused, taken without an answer. What it may forget are events
of Lowtide's own (an in-memory channel forgets when it restarts): those must heal; the world's events it keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from lowtide.errors import Unavailable
from lowtide.model.base import JSON
from lowtide.testing.simulate.faults import Faults
from lowtide.testing.simulate.history import History
from lowtide.testing.simulate.network import Lost
from lowtide.testing.simulate.process import OUTSIDE
from lowtide.wire.cloudevents import CloudEvent, from_json
from lowtide.wire.triggers import TRIGGERS, TriggerSpec
from lowtide.wire.types import (
    ALERT_TICK,
    DEAD_LETTER_CODE,
    DISPATCH,
    OUTCOMES,
    REGISTERED,
    SOURCES,
    TICK,
    is_lifecycle,
)

__all__ = ["Broker", "Refused", "Subscribers"]

_LONGEST_DELIVERY = 300.0


class Refused(Exception):
    """The subscriber answered with an HTTP status that is no success."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status}")
        self.status = status


class Subscribers(Protocol):
    """Where deliveries go. All raise :class:`Refused` or :class:`lowtide.testing.simulate.network.Lost`."""

    async def execute(self, event: CloudEvent) -> CloudEvent | None: ...

    async def orchestrate(self, event: CloudEvent) -> None: ...

    async def dead_letter(self, event: CloudEvent) -> None: ...


class Broker:
    """What processes see of it (:meth:`send`, :meth:`publish`), and the deliveries, which no process's death ends."""

    def __init__(self, faults: Faults, history: History, to: Subscribers) -> None:
        self.busy = 0
        self._faults = faults
        self._history = history
        self._to = to
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, event: dict[str, JSON]) -> None:
        await self.send(from_json(event))

    async def send(self, event: CloudEvent) -> None:
        """Returns once it was taken. Raises :class:`lowtide.errors.Unavailable` where it may not have been."""
        await asyncio.sleep(self._faults.delay(0.002))
        odds = self._faults.odds
        if "broker" in self._faults.down or self._faults.happens(odds.lose_request):
            raise Unavailable("the broker did not take it")
        self._take(event)
        await asyncio.sleep(self._faults.delay(0.001))
        if self._faults.happens(odds.lose_reply):
            raise Unavailable("the broker's answer was lost")

    def _take(self, event: CloudEvent) -> None:
        if is_lifecycle(event.type) and event.source.startswith(SOURCES):
            return  # no Trigger brings it back: orchestrate has shown it to those who listen
        if event.type == ALERT_TICK:
            return  # for analytics, which is not here
        own = event.type.startswith("dev.lowtide.")
        copies = 1
        if own and self._faults.happens(self._faults.odds.drop):
            self._history.note("fault", what="drop", type=event.type, id=event.id)
            copies = 0
        elif self._faults.happens(self._faults.odds.duplicate):
            copies = 2
        for _ in range(copies):
            task = OUTSIDE.copy().run(asyncio.get_running_loop().create_task, self._deliver(event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: CloudEvent) -> None:
        self.busy += 1
        try:
            await asyncio.sleep(self._faults.delay(0.003))
            trigger = _trigger_of(event.type)
            status = await self._attempts(event, trigger, self._subscriber(event))
            if status is not None:
                await self._bury(event, status)
        finally:
            self.busy -= 1

    async def _bury(self, event: CloudEvent, status: int) -> None:
        """A dead letter goes to orchestrate, with the same patience."""
        letter = CloudEvent({**event.attributes, **({DEAD_LETTER_CODE: str(status)} if status else {})}, event.data)
        self._history.note("fault", what="dead letter", type=event.type, id=event.id, status=status)
        await self._attempts(letter, _trigger_of(event.type), lambda: self._to.dead_letter(letter))

    def _subscriber(self, event: CloudEvent) -> Callable[[], Awaitable[None]]:
        async def to_execute() -> None:
            reply = await self._to.execute(event)
            if reply is not None:
                self._take(reply)

        async def to_orchestrate() -> None:
            await self._to.orchestrate(event)

        return to_execute if event.type == DISPATCH else to_orchestrate

    async def _attempts(
        self, event: CloudEvent, trigger: TriggerSpec, deliver: Callable[[], Awaitable[None]]
    ) -> int | None:
        """``None`` once it was taken; else the last status, 0 where nobody answered."""
        status = 0
        for attempt in range(trigger.retries + 1):
            if attempt:
                await asyncio.sleep(trigger.backoff * 2 ** (attempt - 1))
            try:
                async with asyncio.timeout(_LONGEST_DELIVERY):
                    await deliver()
                return None
            except Refused as refused:
                status = refused.status
                if status not in (404, 408, 409, 429) and status < 500:
                    return status
            except (Lost, TimeoutError):
                status = 0
        return status


def _trigger_of(event_type: str) -> TriggerSpec:
    """Which Trigger an event of this type goes through; see :data:`lowtide.wire.triggers.TRIGGERS`."""
    if event_type == DISPATCH:
        name = "execute-dispatches"
    elif event_type in (*OUTCOMES, REGISTERED):
        name = "orchestrate-outcomes"
    else:
        name = "orchestrate-ticks" if event_type == TICK else "orchestrate-world"
    return next(trigger for trigger in TRIGGERS if trigger.name == name)
