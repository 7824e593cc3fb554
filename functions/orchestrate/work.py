"""One transaction of orchestrate's, and what must follow its commit.

Flows take a :class:`Work`, change the store through it and note what follows; :class:`Desk` runs them, commits, and
then hands the note on. Whatever is noted is also in the database (outbox, timers, flags), so that nothing is lost when
the process dies in between: the next tick finds it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar, cast

from lowtide.engine import Host
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.limits import Limits, declared_limits
from lowtide.model.plan import Plan
from lowtide.runtime.claims import Claims
from lowtide.wire import json
from lowtide.wire.masking import NOTHING_SECRET, Mask, mask_of
from lowtide.wire.types import SNAPSHOT_FORMAT, Level, SnapshotFormat

from .nouns import Execution, Signal, Unused
from .store import workflows
from .store.database import Database, Tx
from .store.lanes import slot_of

__all__ = ["Aftermath", "Desk", "Plans", "Terms", "Work"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long things take and how many there may be. Seconds.

    ``retain``: how long executions are kept after their end; ``None``: for ever. ``snapshot_format``: how a fork's past
    is written.
    """

    key: bytes
    budget: float = 240.0
    short_wait: float = 5.0
    token_lifetime: float = 3600.0
    tick_horizon: float = 90.0
    tick_period: float = 60.0
    overdue_per_second: float = 1000.0
    lost_after: float = 120.0
    lost_attempts: int = 8
    max_outstanding: int = 1000
    keep_events: float = 86_400.0
    cancel_grace: float = 10.0
    container_seconds: float = 3600.0
    retain: timedelta | None = None
    lifecycle: Level = "workflow"
    snapshot_format: SnapshotFormat = SNAPSHOT_FORMAT


@dataclass(slots=True)
class Aftermath:
    """What follows a commit.

    ``publish`` and ``report``: there is something new in the outbox for the Broker, for ingest; ``publish_in``: for the
    Broker in so many seconds; ``lifecycle``: there are events that nothing waits for; ``outlines``: there are versions
    that analytics is to know. ``due``: the earliest timer that was registered.
    ``listeners``: subscriptions (execution, command) that have not seen kept events yet.
    ``started``: how many executions began. ``room``: fewer dispatches are with the Broker. ``queued``: a dispatch may
    be admitted; ``slots``: those that have become free; ``queued_until``: when somebody has to look at one that waits.
    ``containers``: some are to be started or removed. ``operations``: there is a new one. ``removals``: executions were
    deleted. ``ended``: executions whose outcome somebody may be waiting for. ``unused``: large data that nothing refers
    to any more.
    """

    started: int = 0
    publish: bool = False
    publish_in: float | None = None
    report: bool = False
    cancels: bool = False
    containers: bool = False
    operations: bool = False
    removals: bool = False
    lifecycle: bool = False
    outlines: bool = False
    queued: bool = False
    room: bool = False
    slots: set[str] = field(default_factory=set)
    queued_until: datetime | None = None
    due: datetime | None = None
    signals: list[Signal] = field(default_factory=list)
    listeners: list[tuple[ExecutionId, str]] = field(default_factory=list)
    ended: list[Execution] = field(default_factory=list)
    unused: list[Unused] = field(default_factory=list)

    def send(self, after: float | None) -> None:
        """A dispatch is to go to the Broker: now, or in so many seconds."""
        if after is None:
            self.publish = True
        elif self.publish_in is None or after < self.publish_in:
            self.publish_in = after

    def free(self, execution: Execution) -> None:
        """Its invocation is over, and with it the slot that it took, where it took one."""
        self.room = True
        if execution.lane is not None:
            self.slots.add(slot_of(execution.lane))

    def look(self, at: datetime) -> None:
        if self.queued_until is None or at < self.queued_until:
            self.queued_until = at

    def timer(self, due: datetime) -> None:
        if self.due is None or due < self.due:
            self.due = due


class Plans:
    """Plans of workflow versions, as stored and decoded; read once, for a version never changes."""

    def __init__(self, secrets: Mapping[str, JSON] | None, most: int = 256) -> None:
        self._secrets = secrets
        self._most: Final = most
        self._plans: OrderedDict[int, tuple[bytes, Plan, Limits | None]] = OrderedDict()

    async def stored(self, tx: Tx, workflow_version: int) -> bytes:
        """The plan's JSON."""
        return (await self._all(tx, workflow_version))[0]

    async def get(self, tx: Tx, workflow_version: int) -> Plan:
        return (await self._all(tx, workflow_version))[1]

    async def limits(self, tx: Tx, workflow_version: int, of_operator: bytes | None) -> Limits | None:
        """An operator's limits, or else those of the document."""
        if of_operator is not None:
            return json.decode(of_operator, Limits)
        return (await self._all(tx, workflow_version))[2]

    async def mask(self, tx: Tx, workflow_version: int) -> Mask:
        """What hides the secrets that the version names, as far as this process knows their values."""
        if self._secrets is None:
            return NOTHING_SECRET
        return mask_of((await self.get(tx, workflow_version)).secrets, self._secrets)

    def mask_at_hand(self, workflow_version: int) -> Mask | None:
        """The mask, where nothing has to be read from the store for it."""
        if self._secrets is None:
            return NOTHING_SECRET
        known = self._plans.get(workflow_version)
        return None if known is None else mask_of(known[1].secrets, self._secrets)

    def at_hand(self, workflow_version: int) -> bool:
        """Whether nothing has to be read from the store for it."""
        return workflow_version in self._plans

    async def _all(self, tx: Tx, workflow_version: int) -> tuple[bytes, Plan, Limits | None]:
        plan = self._plans.get(workflow_version)
        if plan is None:
            stored = await workflows.plan_of(tx, workflow_version)
            decoded = json.decode(stored, Plan)
            plan = stored, decoded, declared_limits(decoded.definition)
            self._plans[workflow_version] = plan
            if len(self._plans) > self._most:
                self._plans.popitem(last=False)
        self._plans.move_to_end(workflow_version)
        return plan


@dataclass(slots=True)
class Work:
    """A transaction under way."""

    tx: Tx
    terms: Terms
    plans: Plans
    host: Host
    claims: Claims
    after: Aftermath = field(default_factory=Aftermath)


class Desk:
    """Where work is done: the store, the terms, and who is told afterwards. ``secrets`` are those to be masked."""

    def __init__(
        self, database: Database, terms: Terms, host: Host, claims: Claims, secrets: Mapping[str, JSON] | None = None
    ) -> None:
        self.database = database
        self.terms = terms
        self.host = host
        self.claims = claims
        self.afterwards: Callable[[Aftermath], None] = lambda _: None
        self.plans: Final = Plans(secrets)

    async def mask(self, workflow_version: int) -> Mask:
        """What hides a version's secrets in answers; see :meth:`Plans.mask`."""
        at_hand = self.plans.mask_at_hand(workflow_version)
        if at_hand is not None:
            return at_hand
        return await self.database.run(lambda tx: self.plans.mask(tx, workflow_version))

    def prepare(self) -> Work:
        """For what is made ready before it is stored, and needs nothing of the store but plans that are at hand."""
        return Work(cast(Tx, None), self.terms, self.plans, self.host, self.claims)

    async def do(self, flow: Callable[[Work], Awaitable[T]]) -> T:
        """What ``flow`` returns, after the commit. It may be called again where two transactions crossed.

        Raises :class:`lowtide.errors.Unavailable` where the store cannot be reached.
        """

        async def attempt(tx: Tx) -> tuple[T, Aftermath]:
            work = Work(tx, self.terms, self.plans, self.host, self.claims)
            return await flow(work), work.after

        result, after = await self.database.run(attempt)
        self.afterwards(after)
        return result
