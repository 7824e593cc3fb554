"""Lifecycle events of tasks: sent in order beside the invocation, within bounds, and what is dropped is told of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from functions.execute.announcing import Announcer
from lowtide.errors import InvalidEvent, LowtideError, Unavailable
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.fact import Fact
from lowtide.testing.clock import VirtualClock
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.lifecycle import About
from lowtide.wire.records import Subject

pytestmark = pytest.mark.anyio

ABOUT = About(Subject("tests", "sample", "1.0.0", ExecutionId("0198c0de-0000-7000-8000-000000000001")), "task")
MOST = 2000
MOMENT = Millis(1_767_225_600_000)


def facts(first: int, last: int) -> tuple[Fact, ...]:
    """Each is one event."""
    return tuple(
        Fact(number=number, task="/do/0/a@1", name="a", reference="/do/0/a", kind="set", status="completed", at=MOMENT)
        for number in range(first, last + 1)
    )


class Sender:
    """A Broker that takes an event, or what ``refuse`` says of it; ``open`` lets them through."""

    def __init__(self, refuse: Callable[[CloudEvent], LowtideError | None] = lambda event: None) -> None:
        self.attempted: list[int] = []
        self.taken: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.refuse = refuse

    async def send(self, event: CloudEvent) -> None:
        number = int(event.id.split(":")[1])
        self.attempted.append(number)
        await self.open.wait()
        error = self.refuse(event)
        if error is not None:
            raise error
        self.taken.append(number)


def announcer(sender: Sender) -> tuple[Announcer, Callable[[], Awaitable[None]]]:
    """One, and what waits until it has nothing to send any more."""
    sending: set[asyncio.Task[None]] = set()

    async def sent() -> None:
        while sending:
            await asyncio.wait(sending)
            await asyncio.sleep(0)

    return Announcer(sender, ABOUT, VirtualClock(), sending), sent


def away(event: CloudEvent) -> LowtideError | None:
    return Unavailable("the broker is away")


def dropped(caplog: pytest.LogCaptureFixture) -> list[int]:
    found = [record for record in caplog.records if record.message == "lifecycle events were dropped"]
    return [record.__dict__["dropped"] for record in found]


async def test_events_are_sent_one_after_the_other_in_the_order_of_the_facts() -> None:
    sender = Sender()
    made, sent = announcer(sender)
    made.tell(facts(1, 3))
    made.tell(facts(4, 5))
    await sent()
    made.tell(facts(6, 6))
    await sent()
    assert sender.taken == [1, 2, 3, 4, 5, 6]


async def test_a_broker_that_is_away_for_a_moment_costs_nothing() -> None:
    tries = count(1)
    sender = Sender(lambda event: away(event) if next(tries) <= 2 else None)
    made, sent = announcer(sender)
    made.tell(facts(1, 2))
    await sent()
    assert (sender.attempted, sender.taken, made.dropped) == ([1, 1, 1, 2], [1, 2], 0)


async def test_a_broker_that_stays_away_is_asked_once_for_each_event_that_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sender = Sender(away)
    made, sent = announcer(sender)
    made.tell(facts(1, 3))
    await sent()
    assert sender.attempted == [1, 1, 1, 2, 3]
    assert dropped(caplog) == [3]
    sender.refuse = lambda event: None
    made.tell(facts(4, 4))
    await sent()
    assert sender.taken == [4]
    assert dropped(caplog) == [3], "nothing was dropped since"


async def test_what_the_broker_will_never_take_is_dropped_at_once_and_the_rest_goes_on() -> None:
    sender = Sender(lambda event: InvalidEvent("no") if ":2:" in event.id else None)
    made, sent = announcer(sender)
    made.tell(facts(1, 3))
    await sent()
    assert (sender.attempted, sender.taken, made.dropped) == ([1, 2, 3], [1, 3], 1)


async def test_what_comes_faster_than_the_broker_takes_it_is_dropped_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    sender = Sender()
    sender.open.clear()
    made, sent = announcer(sender)
    made.tell(facts(1, MOST + 3))
    made.tell(facts(MOST + 4, MOST + 5))
    assert made.dropped == 5
    sender.open.set()
    await sent()
    assert sender.taken == list(range(1, MOST + 1))
    assert dropped(caplog) == [5]
