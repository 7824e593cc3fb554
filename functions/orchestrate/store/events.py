"""Kept events, subscriptions, deliveries, and what is gathered for a start."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from lowtide.model.base import ExecutionId
from lowtide.model.command import AwaitFilter
from lowtide.wire.types import is_lifecycle

from .database import Tx
from .keys import TYPE_LENGTH
from .tables import deliveries, executions, gathered, interests, kept_events, subscriptions

__all__ = [
    "Kept",
    "Subscription",
    "behind",
    "candidates",
    "caught_up",
    "deliver",
    "expire",
    "find_kept",
    "gather",
    "gathered_of",
    "interested",
    "keep",
    "kept_since",
    "mark_matched",
    "named_types",
    "numbers_of",
    "subscribe",
    "subscriptions_of",
    "take_gathered",
    "unmatched",
    "unsubscribe",
]

_FILTER: msgspec.json.Decoder[AwaitFilter] = msgspec.json.Decoder(AwaitFilter)
_MOST_FOR_ONE_EXECUTION = 1000


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept event. ``body`` is its JSON form."""

    id: int
    fingerprint: str
    namespace: str | None
    type: str
    body: bytes
    received_at: datetime

    @property
    def event(self) -> dict[str, Any]:
        form: dict[str, Any] = msgspec.json.decode(self.body)
        return form


_KEPT = [kept_events.c[name] for name in Kept.__dataclass_fields__]


@dataclass(frozen=True, slots=True)
class Subscription:
    """One filter of a listener (execution and command) or of a starter (workflow version)."""

    namespace: str
    execution: ExecutionId | None
    command: str | None
    workflow_version: int | None
    filter: AwaitFilter
    need: str
    since: datetime


_SUBSCRIPTION = [subscriptions.c[name] for name in Subscription.__dataclass_fields__]


def _subscription(row: Any) -> Subscription:
    return Subscription(row[0], row[1], row[2], row[3], _FILTER.decode(row[4]), row[5], row[6])


# ---------------------------------------------------------------- kept events


async def interested(tx: Tx, namespace: str | None, event_type: str) -> bool:
    """Whether any deployed document may listen for events of this type; a lifecycle event must be named."""
    named = interests.c.type == event_type[:TYPE_LENGTH]
    wanted = named if is_lifecycle(event_type) else or_(named, interests.c.type.is_(None))
    condition = wanted if namespace is None else and_(wanted, interests.c.namespace == namespace)
    return bool((await tx.execute(select(exists().where(condition)))).scalar_one())


async def named_types(tx: Tx, prefix: str) -> frozenset[str]:
    """The types beginning with ``prefix`` that deployed documents name."""
    named = select(interests.c.type).distinct().where(interests.c.type.startswith(prefix, autoescape=True))
    return frozenset(str(row) for row in (await tx.execute(named)).scalars())


async def keep(
    tx: Tx,
    fingerprint: str,
    namespace: str | None,
    event_type: str,
    body: bytes,
    execution: str | None,
    now: datetime,
    seconds: float,
) -> int | None:
    """Keep an event; its number, ``None`` where it was there.

    One that is about an execution stays until that has ended, as long as there are not too many of them.
    """
    if execution is not None:
        held = select(func.count()).where(kept_events.c.execution == execution)
        if (await tx.execute(held)).scalar_one() >= _MOST_FOR_ONE_EXECUTION:
            execution = None
    values = {
        "fingerprint": fingerprint,
        "namespace": namespace,
        "type": event_type[:TYPE_LENGTH],
        "body": body,
        "execution": execution,
        "received_at": now,
        "expires_at": now + timedelta(seconds=seconds),
    }
    statement = upsert(kept_events).values(**values).on_conflict_do_nothing().returning(kept_events.c.id)
    found: int | None = (await tx.execute(statement)).scalar_one_or_none()
    return found


async def find_kept(tx: Tx, number: int) -> Kept | None:
    row = (await tx.execute(select(*_KEPT).where(kept_events.c.id == number))).one_or_none()
    return None if row is None else Kept(*row)


async def numbers_of(tx: Tx, fingerprints: Collection[str]) -> list[int]:
    """Of kept events, by what makes them the same."""
    statement = select(kept_events.c.id).where(kept_events.c.fingerprint.in_(fingerprints))
    return list((await tx.execute(statement)).scalars())


async def kept_since(
    tx: Tx, namespace: str, types: Collection[str] | None, since: datetime, after: int, limit: int
) -> list[Kept]:
    """Kept events that a listener of ``namespace`` may see, in the order they came; ``types`` ``None``: any."""
    seen = or_(kept_events.c.namespace.is_(None), kept_events.c.namespace == namespace)
    statement = select(*_KEPT).where(seen, kept_events.c.received_at >= since, kept_events.c.id > after)
    if types is not None:
        statement = statement.where(kept_events.c.type.in_(types))
    rows = await tx.execute(statement.order_by(kept_events.c.id).limit(limit))
    return [Kept(*row) for row in rows]


async def unmatched(tx: Tx, older_than: float, limit: int) -> list[int]:
    """Numbers of events whose matching was never finished."""
    since = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, older_than)
    statement = select(kept_events.c.id).where(kept_events.c.matched_at.is_(None), kept_events.c.received_at < since)
    return list((await tx.execute(statement.order_by(kept_events.c.id).limit(limit))).scalars())


async def mark_matched(tx: Tx, number: int) -> None:
    await tx.execute(update(kept_events).where(kept_events.c.id == number).values(matched_at=func.clock_timestamp()))


async def expire(tx: Tx, limit: int) -> int:
    """Remove events that nobody can see any more; how many."""
    alive = exists().where(executions.c.id == kept_events.c.execution, executions.c.ended_at.is_(None))
    old = (
        select(kept_events.c.id)
        .where(kept_events.c.expires_at < func.clock_timestamp(), ~alive)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await tx.execute(delete(kept_events).where(kept_events.c.id.in_(old)))).rowcount


# ---------------------------------------------------------------- subscriptions


async def subscribe(tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
    """Insert subscriptions; ``filter`` is an :class:`AwaitFilter`, ``type`` is cut to what is indexed."""
    for row in rows:
        awaited: AwaitFilter = row["filter"]
        literal = awaited.with_.get("type")
        known = isinstance(literal, str) and not literal.startswith("regex:")
        values = {
            **row,
            "filter": msgspec.json.encode(awaited),
            "filter_index": awaited.index,
            "type": str(literal)[:TYPE_LENGTH] if known else None,
        }
        await tx.execute(insert(subscriptions).values(**values))


async def subscriptions_of(tx: Tx, execution: str, command: str) -> list[Subscription]:
    """The filters of one listener, in the order of its task."""
    mine = and_(subscriptions.c.execution == execution, subscriptions.c.command == command)
    statement = select(*_SUBSCRIPTION).where(mine).order_by(subscriptions.c.id)
    return [_subscription(row) for row in await tx.execute(statement)]


async def unsubscribe(tx: Tx, execution: str, *, keep: Collection[str] = (), command: str | None = None) -> None:
    """Drop one listener of an execution, or all but those to ``keep``."""
    statement = delete(subscriptions).where(subscriptions.c.execution == execution)
    if command is not None:
        statement = statement.where(subscriptions.c.command == command)
    if keep:
        statement = statement.where(subscriptions.c.command.not_in(keep))
    await tx.execute(statement)


async def candidates(tx: Tx, kept: Kept) -> list[Subscription]:
    """Subscriptions that may match: those of its type or of any type, that reach back to when it came."""
    statement = select(*_SUBSCRIPTION).where(
        or_(subscriptions.c.type == kept.type, subscriptions.c.type.is_(None)),
        subscriptions.c.since <= kept.received_at,
    )
    if kept.namespace is not None:
        statement = statement.where(subscriptions.c.namespace == kept.namespace)
    return [_subscription(row) for row in await tx.execute(statement.order_by(subscriptions.c.id))]


async def behind(tx: Tx, older_than: float, limit: int) -> list[tuple[ExecutionId, str]]:
    """Listeners that never caught up with kept events."""
    since = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, older_than)
    statement = (
        select(subscriptions.c.execution, subscriptions.c.command)
        .distinct()
        .where(~subscriptions.c.caught_up, subscriptions.c.execution.is_not(None), subscriptions.c.since < since)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await tx.execute(statement)]


async def caught_up(tx: Tx, execution: str, command: str) -> None:
    mine = and_(subscriptions.c.execution == execution, subscriptions.c.command == command)
    await tx.execute(update(subscriptions).where(mine).values(caught_up=True))


async def deliver(tx: Tx, subscriber: str, fingerprint: str) -> bool:
    """Note that this subscriber gets this event; ``False`` where it had it before."""
    statement = (
        upsert(deliveries)
        .values(subscriber=subscriber, fingerprint=fingerprint)
        .on_conflict_do_nothing()
        .returning(deliveries.c.fingerprint)
    )
    return (await tx.execute(statement)).one_or_none() is not None


# ---------------------------------------------------------------- gathered for a start


async def gather(tx: Tx, version: int, filter_index: int, correlation: str, kept: Kept, body: bytes) -> None:
    values = {
        "workflow_version": version,
        "filter_index": filter_index,
        "correlation": correlation,
        "fingerprint": kept.fingerprint,
        "body": body,
    }
    await tx.execute(insert(gathered).values(**values))


async def gathered_of(tx: Tx, version: int, correlation: str) -> dict[int, tuple[int, str, bytes]]:
    """The oldest gathered event per filter: row, fingerprint, body."""
    mine = and_(gathered.c.workflow_version == version, gathered.c.correlation == correlation)
    statement = select(gathered.c.filter_index, gathered.c.id, gathered.c.fingerprint, gathered.c.body).where(mine)
    oldest: dict[int, tuple[int, str, bytes]] = {}
    for row in await tx.execute(statement.order_by(gathered.c.id)):
        oldest.setdefault(row[0], (row[1], row[2], row[3]))
    return oldest


async def take_gathered(tx: Tx, rows: Collection[int]) -> None:
    await tx.execute(delete(gathered).where(gathered.c.id.in_(rows)))
