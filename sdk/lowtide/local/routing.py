"""What the broker does with an event: store it if it is the world's, deliver it to every trigger that matches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final

from lowtide.errors import LowtideError, Unavailable
from lowtide.model.base import JSON
from lowtide.runtime.clock import Clock
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.types import REPEATED

from .delivery import Delivery
from .filters import matches
from .stored import StoredEvents

__all__ = ["Router"]

_OURS: Final = "dev.lowtide.execution."
_AGAIN: Final = 60.0  # seconds until a stored event that not even the dead letters took is tried again


class Router:
    """Set ``deliveries`` before the first event: they need :meth:`take` for their replies."""

    def __init__(self, stored: StoredEvents, clock: Clock, max_queued: int) -> None:
        self.deliveries: tuple[Delivery, ...] = ()
        self.accepted = 0
        self._stored = stored
        self._clock = clock
        self._max_queued = max_queued
        self._running: dict[asyncio.Task[None], tuple[CloudEvent, int | None]] = {}

    async def take(self, event: CloudEvent) -> None:
        """Returns when the event may be forgotten by whoever sent it.

        Raises :class:`lowtide.errors.Unavailable` when it is to be sent again later.
        """
        wanted = [delivery for delivery in self.deliveries if matches(delivery.trigger.filters, event)]
        self.accepted += 1
        if not wanted:
            return
        if len(self._running) >= self._max_queued:
            raise Unavailable(f"{len(self._running)} events wait for their delivery; send this one again later")
        durable = not event.type.startswith(_OURS) and event.type not in REPEATED
        self._spawn(event, wanted, await self._stored.add(event) if durable else None)

    async def recover(self) -> int:
        """Deliver what an earlier broker accepted and did not deliver; returns how many events."""
        events = await self._stored.all()
        for number, event in events:
            wanted = [delivery for delivery in self.deliveries if matches(delivery.trigger.filters, event)]
            self._spawn(event, wanted, number)
        return len(events)

    async def drain(self, grace: float) -> None:
        """Let deliveries end within ``grace`` seconds; store the rest, for the next broker to deliver."""
        if self._running:
            await asyncio.wait(self._running, timeout=grace)
        left = [event for event, number in self._running.values() if number is None and event.type not in REPEATED]
        for task in self._running:
            task.cancel()
        with contextlib.suppress(LowtideError):  # what cannot be stored now, outbox and journal bring back
            await asyncio.gather(*(self._stored.add(event) for event in left))

    def status(self) -> dict[str, JSON]:
        counts = [delivery.counts for delivery in self.deliveries]
        return {
            "accepted": self.accepted,
            "queued": sum(count.queued for count in counts),
            "inFlight": sum(count.in_flight for count in counts),
            "stored": sum(number is not None for _, number in self._running.values()),
            "deadLetters": sum(count.dead for count in counts),
            "triggers": {delivery.trigger.name: _shown(delivery) for delivery in self.deliveries},
        }

    def _spawn(self, event: CloudEvent, wanted: list[Delivery], number: int | None) -> None:
        task = asyncio.create_task(self._deliver(event, wanted, number))
        self._running[task] = (event, number)
        task.add_done_callback(lambda ended: self._running.pop(ended, None) and None)

    async def _deliver(self, event: CloudEvent, wanted: list[Delivery], number: int | None) -> None:
        while True:
            taken = await asyncio.gather(*(delivery.deliver(event) for delivery in wanted))
            wanted = [delivery for delivery, ended in zip(wanted, taken, strict=True) if not ended]
            if number is None or not wanted:
                break
            await self._clock.sleep(_AGAIN)
        if number is not None:
            self._stored.remove(number)


def _shown(delivery: Delivery) -> Mapping[str, JSON]:
    counts = delivery.counts
    return {
        "queued": counts.queued,
        "inFlight": counts.in_flight,
        "delivered": counts.delivered,
        "failedAttempts": counts.failed_attempts,
        "deadLetters": counts.dead,
    }
