"""Bulk operations: what is asked of many executions or dead letters, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from .database import Tx
from .upkeep import operations

__all__ = [
    "Action",
    "Operation",
    "Result",
    "add",
    "advance",
    "by_dedupe",
    "claim",
    "end",
    "find",
    "lock",
    "outlook",
    "page",
    "release",
]

Action: TypeAlias = Literal["cancel", "suspend", "resume", "retry", "restart", "delete", "redrive", "discard"]
Result: TypeAlias = Literal["done", "skipped", "failed"]

_NOW = func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of ``operations``. ``filter``, ``options`` and ``problems`` are JSON; ``rate`` is per second."""

    id: str
    namespace: str
    action: Action
    filter: bytes
    options: bytes
    rate: float
    phase: Literal["running", "stopped", "completed"]
    matched: int
    done: int
    skipped: int
    failed: int
    cursor: str
    bound: str
    problems: bytes
    created_at: datetime
    ended_at: datetime | None
    body_digest: str | None


_ALL = [operations.c[name] for name in Operation.__dataclass_fields__]


async def add(tx: Tx, values: dict[str, Any]) -> bool:
    """Store one; ``False`` where its dedupe key was there."""
    statement = upsert(operations).values(**values).on_conflict_do_nothing().returning(operations.c.id)
    return (await tx.execute(statement)).one_or_none() is not None


async def find(tx: Tx, namespace: str, operation: str) -> Operation | None:
    mine = (operations.c.id == operation) & (operations.c.namespace == namespace)
    row = (await tx.execute(select(*_ALL).where(mine))).one_or_none()
    return None if row is None else Operation(*row)


async def by_dedupe(tx: Tx, namespace: str, dedupe: str) -> Operation | None:
    mine = (operations.c.dedupe == dedupe) & (operations.c.namespace == namespace)
    row = (await tx.execute(select(*_ALL).where(mine))).one_or_none()
    return None if row is None else Operation(*row)


async def page(tx: Tx, namespace: str, before: str | None, limit: int) -> list[Operation]:
    """Newest first, of those older than ``before``."""
    statement = select(*_ALL).where(operations.c.namespace == namespace)
    if before is not None:
        statement = statement.where(operations.c.id < before)
    rows = await tx.execute(statement.order_by(operations.c.id.desc()).limit(limit))
    return [Operation(*row) for row in rows]


async def lock(tx: Tx, operation: str) -> Operation | None:
    row = (await tx.execute(select(*_ALL).where(operations.c.id == operation).with_for_update())).one_or_none()
    return None if row is None else Operation(*row)


async def advance(tx: Tx, operation: str, cursor: str, result: Result, problems: bytes, lease: float) -> None:
    """One more is dealt with; the row is locked by the caller, whose claim goes on for ``lease`` seconds."""
    values = {"cursor": cursor, result: operations.c[result] + 1, "problems": problems, "claimed_until": _in(lease)}
    await tx.execute(update(operations).where(operations.c.id == operation).values(**values))


async def end(tx: Tx, operation: str, phase: str) -> bool:
    """It is over, or was stopped; ``False`` where it was before."""
    mine = (operations.c.id == operation) & (operations.c.phase == "running")
    statement = update(operations).where(mine).values(phase=phase, ended_at=_NOW).returning(operations.c.id)
    return (await tx.execute(statement)).one_or_none() is not None


async def claim(tx: Tx, lease: float, most: int) -> list[Operation]:
    """Those that are due and nobody works at, out of others' reach for ``lease`` seconds."""
    free = or_(operations.c.claimed_until.is_(None), operations.c.claimed_until < _NOW)
    due = (
        select(operations.c.id)
        .where(operations.c.ended_at.is_(None), operations.c.due <= _NOW, free)
        .order_by(operations.c.due)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    statement = update(operations).where(operations.c.id.in_(due)).values(claimed_until=_in(lease)).returning(*_ALL)
    return [Operation(*row) for row in await tx.execute(statement)]


async def release(tx: Tx, operation: str, seconds: float) -> None:
    """Anybody may go on with it in so many seconds."""
    mine = operations.c.id == operation
    await tx.execute(update(operations).where(mine).values(claimed_until=None, due=_in(seconds)))


async def outlook(tx: Tx, horizon: float) -> tuple[bool, float | None]:
    """Whether one is to be worked at within ``horizon`` seconds, and in how many seconds the next one is due."""
    due = func.greatest(operations.c.due, operations.c.claimed_until)
    left = func.extract("epoch", func.min(due) - _NOW)
    seconds: Any = (await tx.execute(select(left).where(operations.c.ended_at.is_(None)))).scalar_one()
    return (False, None) if seconds is None else (float(seconds) <= horizon, float(seconds))


def _in(seconds: float) -> object:
    return _NOW + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
