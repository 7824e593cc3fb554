"""Lifecycle events of tasks on their way to the Broker: one after the other, beside the invocation, never in its way.

Best effort: what the Broker does not take in a few attempts is dropped, and so is what comes too fast; how many is
logged. An owner that dies leaves those of the journal's tail to the next one; ids are deterministic, so twice is once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from lowtide.errors import LowtideError
from lowtide.model.fact import Fact
from lowtide.runtime.clock import Clock
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.lifecycle import About, of_facts

__all__ = ["Announcer"]

log = logging.getLogger("lowtide.execute")

_MOST: Final = 2000
_ATTEMPTS: Final = 3
_LONGEST: Final = 10.0
"""Seconds after which a Broker that answers when all subscribers have ended is believed to have taken the event."""


class Sender(Protocol):
    async def send(self, event: CloudEvent) -> None: ...


class Announcer:
    """The facts of one invocation as events; ``sending`` holds the task while there is something to send, and
    ``count`` is told how many were dropped."""

    def __init__(
        self,
        sender: Sender,
        about: About,
        clock: Clock,
        sending: set[asyncio.Task[None]],
        count: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.dropped = 0
        self._logged = 0
        self._attempts = _ATTEMPTS
        self._count = count
        self._sender = sender
        self._about = about
        self._clock = clock
        self._sending = sending
        self._waiting: deque[CloudEvent] = deque()
        self._task: asyncio.Task[None] | None = None

    def tell(self, facts: tuple[Fact, ...]) -> None:
        """Returns at once."""
        events = of_facts(self._about, facts)
        room = max(0, _MOST - len(self._waiting))
        self._waiting.extend(events[:room])
        self.dropped += len(events[room:])
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.ensure_future(self._send_all())
            self._sending.add(self._task)
            self._task.add_done_callback(self._sending.discard)

    async def _send_all(self) -> None:
        while self._waiting:
            taken = await self._send(self._waiting[0])
            self._waiting.popleft()
            self.dropped += not taken
        if self.dropped > self._logged:
            dropped, self._logged = self.dropped - self._logged, self.dropped
            self._count(dropped)
            log.warning(
                "lifecycle events were dropped",
                extra={"execution": self._about.subject.execution, "dropped": dropped},
            )

    async def _send(self, event: CloudEvent) -> bool:
        """Whether it was taken. A Broker that failed all attempts gets one for each event until it takes one."""
        for attempt in range(self._attempts):
            if attempt:
                await self._clock.sleep(0.1 * 2**attempt)
            try:
                async with asyncio.timeout(_LONGEST):
                    await self._sender.send(event)
            except TimeoutError:
                return True
            except LowtideError as error:
                log.info("a lifecycle event was not taken", extra={"event": event.id, "reason": str(error)})
                if not error.retryable:
                    return False
            else:
                self._attempts = _ATTEMPTS
                return True
        self._attempts = 1
        return False
