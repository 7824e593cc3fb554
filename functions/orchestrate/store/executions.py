"""Executions and their dispatches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, text, update

from lowtide.model.base import ExecutionId

from ..nouns import Dispatched, Execution
from .database import Tx
from .filtering import Filter, conditions
from .outbox import change_rows
from .tables import dispatches, executions, outbox

__all__ = [
    "FIRST",
    "add_dispatch",
    "begin",
    "by_dedupe",
    "change",
    "children_alive",
    "clear",
    "clock",
    "count_matching",
    "dispatch_of",
    "drop_dispatches",
    "find",
    "forget_attempts",
    "is_alive",
    "is_id",
    "lock",
    "matches",
    "matching",
    "page",
    "queue_dispatch",
    "whose",
]

FIRST: Final = str(UUID(int=0))
"""Smaller than every id."""

_ID: Final = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.ASCII)
_ALL = [executions.c[name] for name in Execution.__dataclass_fields__]
_SUMMARY = [column for column in executions.c if column.name not in {"seed", "state", "waiting", "output"}]
_DISPATCHED = [dispatches.c[name] for name in Dispatched.__dataclass_fields__]


async def clock(tx: Tx) -> datetime:
    """The database's time: the one by which everything is due."""
    now: datetime = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
    return now


async def lock(tx: Tx, execution: str) -> tuple[Execution, datetime] | None:
    """The execution, locked until the transaction ends, and the database's time; ``None`` where there is none."""
    statement = select(*_ALL, func.clock_timestamp()).where(executions.c.id == execution).with_for_update()
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else (_execution(row[:-1]), row[-1])


def is_id(text: str) -> bool:
    """Whether this can be an execution's id at all: a UUID in its canonical form."""
    return _ID.match(text) is not None


async def is_alive(tx: Tx, execution: str) -> bool:
    statement = select(executions.c.id).where(executions.c.id == execution, executions.c.ended_at.is_(None))
    return (await tx.execute(statement)).one_or_none() is not None


async def find(tx: Tx, namespace: str, execution: str) -> Execution | None:
    statement = select(*_ALL).where(executions.c.id == execution, executions.c.namespace == namespace)
    return _one((await tx.execute(statement)).one_or_none())


async def whose(tx: Tx, execution: str) -> tuple[str, ExecutionId | None] | None:
    """The namespace of an execution, and the parent that waits for it."""
    statement = select(executions.c.namespace, executions.c.parent).where(executions.c.id == execution)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else (row.namespace, row.parent)


async def by_dedupe(tx: Tx, namespace: str, workflow: str, dedupe: str) -> Execution | None:
    """The execution that this key started, once it is committed."""
    statement = select(*_ALL).where(
        executions.c.namespace == namespace, executions.c.workflow == workflow, executions.c.dedupe == dedupe
    )
    return _one((await tx.execute(statement)).one_or_none())


async def change(tx: Tx, execution: str, values: dict[str, Any], epoch: int, note: bytes, told: bytes | None) -> None:
    """Store new values and, in the same statement, the note for ingest and what the world is told."""
    changed = update(executions).where(executions.c.id == execution).values(**values).cte("changed")
    await tx.execute(insert(outbox).values(change_rows(execution, epoch, note, told)).add_cte(changed))


async def begin(tx: Tx, ids: Sequence[str]) -> list[Execution]:
    """Pending executions whose dispatch is being sent are running, oldest first; those that somebody holds now are left
    alone."""
    free = (
        select(executions.c.id)
        .where(executions.c.id.in_(ids), executions.c.phase == "pending")
        .with_for_update(skip_locked=True)
    )
    values = {"phase": "running", "started_at": func.clock_timestamp(), "change": executions.c.change + 1}
    statement = update(executions).where(executions.c.id.in_(free)).values(**values).returning(*_ALL)
    return [_execution(row) for row in sorted(await tx.execute(statement), key=lambda row: row.id)]


async def page(tx: Tx, namespace: str, wanted: Filter, before: str | None, limit: int) -> Sequence[Row[Any]]:
    """Summaries, newest first, of those older than ``before``."""
    statement = select(*_SUMMARY).where(*conditions(namespace, wanted))
    if before is not None:
        statement = statement.where(executions.c.id < before)
    return (await tx.execute(statement.order_by(executions.c.id.desc()).limit(limit))).all()


async def matching(
    tx: Tx, namespace: str, wanted: Filter, bound: str, *, after: str = FIRST, limit: int | None = None
) -> list[ExecutionId]:
    """Ids up to ``bound``, oldest first, of those younger than ``after``."""
    meant = (*conditions(namespace, wanted), executions.c.id > after, executions.c.id <= bound)
    rows = await tx.execute(select(executions.c.id).where(*meant).order_by(executions.c.id).limit(limit))
    return [ExecutionId(row) for row in rows.scalars()]


async def count_matching(tx: Tx, namespace: str, wanted: Filter, bound: str) -> int:
    meant = (*conditions(namespace, wanted), executions.c.id <= bound)
    found: int = (await tx.execute(select(func.count()).select_from(executions).where(*meant))).scalar_one()
    return found


async def matches(tx: Tx, namespace: str, wanted: Filter, execution: str) -> bool:
    """Whether an execution is still meant; it is locked until the transaction ends."""
    meant = (*conditions(namespace, wanted), executions.c.id == execution)
    return (await tx.execute(select(executions.c.id).where(*meant).with_for_update())).one_or_none() is not None


async def children_alive(tx: Tx, parent: str) -> list[tuple[ExecutionId, str]]:
    """Attached children that have not ended, each with the command that started it."""
    statement = select(executions.c.id, executions.c.parent_command).where(
        executions.c.parent == parent, executions.c.ended_at.is_(None)
    )
    return [(row.id, row.parent_command) for row in await tx.execute(statement)]


async def add_dispatch(tx: Tx, values: dict[str, Any], namespace: str) -> None:
    """Store a dispatch and, in the same statement, put it into the outbox."""
    stored = insert(dispatches).values(**values).cte("stored")
    to_send = {"kind": "dispatch", "execution": values["execution"], "epoch": values["epoch"], "namespace": namespace}
    await tx.execute(insert(outbox).values(**to_send).add_cte(stored))


async def queue_dispatch(tx: Tx, values: dict[str, Any]) -> None:
    """Store a dispatch that waits for a slot, before all that start."""
    at = values["issued_at"]
    await tx.execute(insert(dispatches).values(**values, rank=0, queued_at=at, look_at=at))


async def dispatch_of(tx: Tx, execution: str, epoch: int) -> Dispatched | None:
    statement = select(*_DISPATCHED).where(dispatches.c.execution == execution, dispatches.c.epoch == epoch)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else Dispatched(*row)


# The outbox before the dispatches, as those do who send them. What ends in groups is cleared likewise by the function
# ``end_plainly``: what is added here goes there as well, in a function with a new name (the newest migration has it).
_CLEAR = text("""
    WITH sent AS (DELETE FROM outbox WHERE execution = :execution AND kind = 'dispatch'),
    orders AS (DELETE FROM dispatches WHERE execution = :execution),
    wakes AS (DELETE FROM inbox WHERE execution = :execution),
    due AS (DELETE FROM timers WHERE execution = :execution),
    listening AS (DELETE FROM subscriptions WHERE execution = :execution),
    asked AS (UPDATE asks SET status = 'closed', ended_at = clock_timestamp()
               WHERE execution = :execution AND status = 'open'),
    loose AS (UPDATE kept_events SET execution = NULL WHERE execution = :execution)
    UPDATE schedules SET running = NULL, due = clock_timestamp() + pause WHERE running = :execution RETURNING due
""")


async def clear(tx: Tx, execution: str) -> datetime | None:
    """Remove everything that could wake an execution that has ended; what was kept for its sake expires like the rest.

    Where a schedule waited for its end: when the next one begins.
    """
    due: datetime | None = (await tx.execute(_CLEAR, {"execution": UUID(execution)})).scalar_one_or_none()
    return due


async def drop_dispatches(tx: Tx, execution: str) -> None:
    await tx.execute(delete(dispatches).where(dispatches.c.execution == execution))


async def forget_attempts(tx: Tx, execution: str, epoch: int) -> None:
    """The dispatch may be lost as often as a new one before anybody gives it up."""
    mine = (dispatches.c.execution == execution) & (dispatches.c.epoch == epoch)
    await tx.execute(update(dispatches).where(mine).values(attempts=0, gone=None))


def _one(row: Row[Any] | None) -> Execution | None:
    return None if row is None else _execution(row)


def _execution(row: Any) -> Execution:
    return Execution(*row)
