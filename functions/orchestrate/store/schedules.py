"""When workflows start by time: one row per workflow, for its newest version."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from lowtide.model.base import ExecutionId

from .database import Tx
from .tables import schedules
from .wakes import Held

__all__ = ["OWNER", "add", "claim", "give_back", "lock", "move"]

OWNER: Final = ExecutionId("schedule")
"""Stands where a timer names its execution."""


async def add(tx: Tx, version: int, due: datetime | None, pause: timedelta | None, running: str | None = None) -> None:
    """As :func:`move` says, for a version that has none."""
    statement = upsert(schedules).values(workflow_version=version, due=due, pause=pause, running=running)
    await tx.execute(statement.on_conflict_do_nothing())


async def lock(tx: Tx, version: int) -> tuple[datetime | None, datetime] | None:
    """When it is due, and the database's time; the row stays locked. ``None`` where there is none any more."""
    mine = schedules.c.workflow_version == version
    statement = select(schedules.c.due, func.clock_timestamp()).where(mine).with_for_update()
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def move(tx: Tx, version: int, due: datetime | None, running: str | None = None) -> None:
    """When it is due next; ``None``: when the execution ``running`` has ended and the pause is over."""
    mine = schedules.c.workflow_version == version
    await tx.execute(update(schedules).where(mine).values(due=due, running=running, claimed_until=None))


async def claim(tx: Tx, horizon: float, grace: float, limit: int) -> list[Held]:
    """As timers are claimed."""
    now = func.clock_timestamp()
    free = or_(schedules.c.claimed_until.is_(None), schedules.c.claimed_until < now)
    found = (
        select(schedules.c.workflow_version)
        .where(schedules.c.due <= now + timedelta(seconds=horizon), free)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(schedules)
        .where(schedules.c.workflow_version.in_(found))
        .values(claimed_until=func.greatest(schedules.c.due, now) + timedelta(seconds=grace))
        .returning(schedules.c.workflow_version, func.extract("epoch", schedules.c.due - now))
    )
    return [(OWNER, str(row[0]), float(row[1])) for row in await tx.execute(statement)]


async def give_back(tx: Tx, versions: Iterable[int]) -> None:
    mine = schedules.c.workflow_version.in_(list(versions))
    await tx.execute(update(schedules).where(mine).values(claimed_until=None))
