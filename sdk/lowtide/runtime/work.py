"""One invocation's work order and the ports that it is done with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lowtide.engine import Host
from lowtide.model.base import Value
from lowtide.model.command import Passive
from lowtide.model.fact import Fact
from lowtide.model.plan import Plan
from lowtide.model.state import Seed
from lowtide.runtime.clock import Clock
from lowtide.runtime.ports import Closing, Effects, History, Journal, Publisher, Subject
from lowtide.wire import json
from lowtide.wire.types import SNAPSHOT_FORMAT, Ended, Parked, Snapshot, SnapshotFormat, Wake, type_of

__all__ = ["Policy", "Ports", "Work"]


async def _as_it_is(report: Parked | Ended) -> Closing:
    return Closing(type_of(report), json.encode(report))


class Policy(Value, frozen=True):
    """How long an invocation may go on. Milliseconds.

    ``stay``: never park; wait in process for whatever comes (``lowtide run``). ``largest``: bytes that the result of an
    effect may have as JSON; 0 is no limit. ``snapshot_format`` is what a park is written in.
    """

    budget: int = 240_000
    short_wait: int = 5_000
    effect_timeout: int = 30_000
    stay: bool = False
    largest: int = 0
    snapshot_format: SnapshotFormat = SNAPSHOT_FORMAT


class Work(Value, frozen=True):
    """One invocation's work order, decoded from a dispatch. A ``snapshot`` has its state."""

    subject: Subject
    epoch: int
    digest: str
    plan: Plan
    seed: Seed | None = None
    snapshot: Snapshot | None = None
    wakes: tuple[Wake, ...] = ()
    policy: Policy = Policy()


class Ports(Value, frozen=True):
    """``register`` reports passive commands that are issued while the invocation goes on.

    ``announce`` is told facts in order, and only once the journal has what they follow from; it never waits. What an
    owner told that then died is told again by the next.

    ``seal`` makes of a report what is stored with the end of the epoch, and sent. It may raise
    :class:`lowtide.errors.TooLarge`.
    """

    journal: Journal
    effects: Effects
    publisher: Publisher
    history: History
    clock: Clock
    host: Host
    register: Callable[[tuple[Passive, ...]], Awaitable[None]]
    on_idle: Callable[[], None] = lambda: None
    announce: Callable[[tuple[Fact, ...]], None] = lambda facts: None
    seal: Callable[[Parked | Ended], Awaitable[Closing]] = _as_it_is
