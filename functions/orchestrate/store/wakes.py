"""Inbox and timers: what wakes an execution, and what will."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from lowtide.model.base import ExecutionId
from lowtide.model.event import Event
from lowtide.wire.types import Wake

from .database import Tx
from .keys import short
from .tables import inbox, timers

__all__ = [
    "CANCEL",
    "OF_OPERATORS",
    "SUSPEND",
    "Held",
    "add_timers",
    "claim_timers",
    "drop_timer",
    "drop_timers_except",
    "drop_wakes",
    "give_back_timers",
    "insert_wake",
    "take_timer",
    "time_left",
    "wakes_of",
]

CANCEL = "cancel"
"""The key of a cancel, in the inbox and among the timers; no command's key is like it."""

SUSPEND = "suspend"
"""Likewise of what reminds the owner of a running execution that it is to park."""

OF_OPERATORS = (CANCEL, SUSPEND)
"""The keys of timers that are no command's."""

Held = tuple[ExecutionId, str, float]
"""A claimed timer: execution, key, and the seconds until it is due."""

_EVENT: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


async def insert_wake(tx: Tx, execution: str, wake: Wake, at: datetime) -> bool:
    """Put a wake into the inbox; ``False`` where it was there. The execution's row is locked by the caller."""
    statement = (
        upsert(inbox)
        .values(execution=execution, key=wake.key, event=msgspec.json.encode(wake.event), at=at)
        .on_conflict_do_nothing()
        .returning(inbox.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def wakes_of(tx: Tx, execution: str) -> list[Wake]:
    """All wakes that no snapshot contains, in the order they came."""
    rows = await tx.execute(
        select(inbox.c.key, inbox.c.event).where(inbox.c.execution == execution).order_by(inbox.c.id)
    )
    return [Wake(key=row.key, event=_EVENT.decode(row.event)) for row in rows]


async def drop_wakes(tx: Tx, execution: str, keys: Collection[str]) -> None:
    if keys:
        await tx.execute(delete(inbox).where(inbox.c.execution == execution, inbox.c.key.in_(keys)))


async def add_timers(tx: Tx, execution: str, due: Iterable[tuple[str, datetime]]) -> None:
    """Timers by command and moment; one that is there stays as it is."""
    rows = [
        {"execution": execution, "key": short(command), "command": command, "due": moment} for command, moment in due
    ]
    if rows:
        await tx.execute(upsert(timers).values(rows).on_conflict_do_nothing())


async def drop_timers_except(tx: Tx, execution: str, commands: Iterable[str]) -> None:
    keys = [CANCEL, *(short(command) for command in commands)]
    await tx.execute(delete(timers).where(timers.c.execution == execution, timers.c.key.not_in(keys)))


async def drop_timer(tx: Tx, execution: str, key: str) -> None:
    await tx.execute(delete(timers).where(timers.c.execution == execution, timers.c.key == key))


async def take_timer(tx: Tx, execution: str, key: str) -> str | None:
    """Remove a timer that is due; its command, ``None`` where it is not due or not there."""
    due = (timers.c.execution == execution) & (timers.c.key == key) & (timers.c.due <= func.clock_timestamp())
    command: str | None = (await tx.execute(delete(timers).where(due).returning(timers.c.command))).scalar_one_or_none()
    return command


async def time_left(tx: Tx, execution: str, key: str) -> float:
    """Seconds until a timer is due; 0 where it is not there."""
    left = func.extract("epoch", timers.c.due - func.clock_timestamp())
    statement = select(left).where(timers.c.execution == execution, timers.c.key == key)
    return float((await tx.execute(statement)).scalar_one_or_none() or 0.0)


async def claim_timers(tx: Tx, horizon: float, grace: float, limit: int) -> list[Held]:
    """Timers due within ``horizon`` seconds that nobody holds, now held until ``grace`` seconds after they are due."""
    now = func.clock_timestamp()
    free = or_(timers.c.claimed_until.is_(None), timers.c.claimed_until < now)
    found = (
        select(timers.c.execution, timers.c.key)
        .where(timers.c.due <= now + _seconds(horizon), free)
        .order_by(timers.c.due)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("found")
    )
    statement = (
        update(timers)
        .where(timers.c.execution == found.c.execution, timers.c.key == found.c.key)
        .values(claimed_until=func.greatest(timers.c.due, now) + _seconds(grace))
        .returning(timers.c.execution, timers.c.key, func.extract("epoch", timers.c.due - now))
    )
    return [(row[0], row[1], float(row[2])) for row in await tx.execute(statement)]


async def give_back_timers(tx: Tx, held: Iterable[tuple[str, str]]) -> None:
    for execution, key in held:
        mine = (timers.c.execution == execution) & (timers.c.key == key)
        await tx.execute(update(timers).where(mine).values(claimed_until=None))


def _seconds(count: float) -> object:
    return func.make_interval(0, 0, 0, 0, 0, 0, count)
