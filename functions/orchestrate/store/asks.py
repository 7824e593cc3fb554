"""Callbacks and human tasks: what was asked, of whom, and what became of it.

Whoever changes a row holds the lock of its execution; lists are read without.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy import insert, null, select, update

from lowtide.model.base import ExecutionId, Noun
from lowtide.model.command import Ask, AskKind

from .ask_tables import asks
from .database import Tx
from .keys import short
from .rows import perform
from .wakes import ASK

__all__ = [
    "STATUSES",
    "Asked",
    "Status",
    "TaskFilter",
    "add",
    "by_key",
    "change",
    "close_except",
    "find",
    "is_timer",
    "number_of",
    "open_of",
    "page",
    "timer_of",
]

Status: TypeAlias = Literal["open", "completed", "expired", "closed"]
STATUSES: Final[tuple[Status, ...]] = ("open", "completed", "expired", "closed")

_ASKED: Final = msgspec.json.Decoder(Ask)


@dataclass(frozen=True)
class Asked:
    """A row of ``asks``. ``answer`` is JSON of an event; it and ``asked`` are left out of lists."""

    id: int
    execution: ExecutionId
    key: str
    kind: AskKind
    namespace: str
    workflow: str
    workflow_version: int
    status: Status
    commands: list[str]
    asked: bytes | None
    title: str | None
    assignee: str | None
    claimed_by: str | None
    claimed_at: datetime | None
    due: datetime | None
    answer: bytes | None
    answered_by: str | None
    digest: str | None
    idempotency_key: str | None
    created_at: datetime
    ended_at: datetime | None

    @cached_property
    def ask(self) -> Ask:
        return _ASKED.decode(self.asked) if self.asked else Ask(key=self.key)


class TaskFilter(Noun, frozen=True, kw_only=True):
    """Human tasks with this status, assignee (``user:NAME``, ``group:NAME``), claimant, of this workflow, this
    execution; all that are set."""

    status: str | None = None
    assignee: str | None = None
    claimed_by: str | None = None
    workflow: str | None = None
    execution: str | None = None


_ALL = [asks.c[name] for name in Asked.__dataclass_fields__]
_SUMMARY = [null() if column.name in {"asked", "answer"} else column for column in _ALL]


def timer_of(number: int) -> str:
    """The key of a row's timer; no command's key is like it."""
    return f"{ASK}{number}"


def is_timer(key: str) -> bool:
    return key.startswith(ASK)


def number_of(timer: str) -> int:
    return int(timer.removeprefix(ASK))


async def add(tx: Tx, values: dict[str, Any]) -> Asked:
    stored = {**values, "key": short(values["key"])}
    return Asked(*(await tx.execute(insert(asks).values(**stored).returning(*_ALL))).one())


async def by_key(tx: Tx, execution: str, key: str) -> Asked | None:
    return await _one(tx, (asks.c.execution == execution) & (asks.c.key == short(key)))


async def find(tx: Tx, number: int) -> Asked | None:
    return await _one(tx, asks.c.id == number)


async def _one(tx: Tx, condition: Any) -> Asked | None:
    row = (await tx.execute(select(*_ALL).where(condition))).one_or_none()
    return None if row is None else Asked(*row)


async def change(tx: Tx, number: int, **values: Any) -> Asked:
    return Asked(*(await tx.execute(update(asks).where(asks.c.id == number).values(**values).returning(*_ALL))).one())


async def open_of(tx: Tx, execution: str) -> list[Asked]:
    mine = (asks.c.execution == execution) & (asks.c.status == "open")
    return [Asked(*row) for row in await tx.execute(select(*_ALL).where(mine))]


_CLOSE_EXCEPT = f"""
WITH closed AS (
    UPDATE asks SET status = 'closed', ended_at = clock_timestamp()
     WHERE execution = %b AND status = 'open' AND kind = 'task' AND NOT commands && %b::text[]
    RETURNING execution, id
)
DELETE FROM timers USING closed WHERE timers.execution = closed.execution AND timers.key = '{ASK}' || closed.id
"""


async def close_except(tx: Tx, execution: str, wanted: Collection[str]) -> None:
    """Close the human tasks that none of these commands waits for. A callback URL can be called until it expires."""
    await perform(tx, _CLOSE_EXCEPT, [UUID(execution), list(wanted)])


async def page(tx: Tx, namespace: str, wanted: TaskFilter, before: int | None, limit: int) -> list[Asked]:
    """Human tasks, newest first, of those older than ``before``."""
    statement = select(*_SUMMARY).where(asks.c.kind == "task", asks.c.namespace == namespace)
    for name in TaskFilter.__struct_fields__:
        value = getattr(wanted, name)
        if value is not None:
            statement = statement.where(asks.c[name] == value)
    if before is not None:
        statement = statement.where(asks.c.id < before)
    rows = await tx.execute(statement.order_by(asks.c.id.desc()).limit(limit))
    return [Asked(*row) for row in rows]
