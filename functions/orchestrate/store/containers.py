"""Containers that executions asked for: from the wish to run one until nothing is left of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from sqlalchemy import case, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from lowtide.model.base import ExecutionId
from lowtide.model.container import Order

from .database import Tx
from .tables import containers

__all__ = ["Claimed", "add", "claim", "conclude", "forget", "outlook", "postpone", "started", "unwant"]

Phase = Literal["wanted", "running", "over", "done"]

_REMEMBERED: Final = 86_400.0
"""Seconds for which a row outlives its container: a report that is delivered again starts nothing again."""

_ORDER = msgspec.json.Decoder(Order)
_NOW = func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A container that needs attention. ``age`` and ``running`` (since it was started) in seconds."""

    id: str
    execution: ExecutionId
    command: str
    phase: Phase
    awaited: bool
    order: Order
    attempts: int
    age: float
    running: float


async def add(tx: Tx, order: Order, command: str, *, awaited: bool) -> bool:
    """Note that one is wanted; ``False`` where it is known already."""
    statement = (
        upsert(containers)
        .values(
            id=order.id,
            execution=order.execution,
            command=command,
            phase="wanted",
            awaited=awaited,
            ordered=msgspec.json.encode(order),
            created_at=_NOW,
            due=_NOW,
        )
        .on_conflict_do_nothing()
        .returning(containers.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def unwant(tx: Tx, execution: str, wanted: Collection[str]) -> bool:
    """Nobody waits any more for those whose command is not among ``wanted``; whether there was one.

    One that is just being started keeps its claim, so that its removal cannot come before its start.
    """
    statement = (
        update(containers)
        .where(
            containers.c.execution == execution,
            containers.c.awaited,
            containers.c.phase.in_(("wanted", "running")),
            containers.c.command.not_in(wanted),
        )
        .values(phase="over", due=case((containers.c.phase == "running", _NOW), else_=containers.c.due))
        .returning(containers.c.id)
    )
    return bool((await tx.execute(statement)).all())


async def claim(tx: Tx, lease: float, most: int) -> list[Claimed]:
    """Those that are due, out of others' reach for ``lease`` seconds."""
    due = (
        select(containers.c.id)
        .where(containers.c.due <= _NOW)
        .order_by(containers.c.due)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(containers)
        .where(containers.c.id.in_(due))
        .values(due=_in(lease), attempts=containers.c.attempts + 1)
        .returning(
            containers.c.id,
            containers.c.execution,
            containers.c.command,
            containers.c.phase,
            containers.c.awaited,
            containers.c.ordered,
            containers.c.attempts,
            func.extract("epoch", _NOW - containers.c.created_at).label("age"),
            func.coalesce(func.extract("epoch", _NOW - containers.c.started_at), 0).label("running"),
        )
    )
    return [
        Claimed(
            id=row.id,
            execution=ExecutionId(row.execution),
            command=row.command,
            phase=row.phase,
            awaited=row.awaited,
            order=_ORDER.decode(row.ordered),
            attempts=row.attempts,
            age=float(row.age),
            running=float(row.running),
        )
        for row in await tx.execute(statement)
    ]


async def postpone(tx: Tx, ids: Collection[str], seconds: float) -> None:
    await tx.execute(update(containers).where(containers.c.id.in_(ids)).values(due=_in(seconds)))


async def started(tx: Tx, container: str) -> None:
    """It was started; where nobody wants it any more, it is to be removed now."""
    mine = containers.c.id == container
    running = case((containers.c.phase == "wanted", text("'running'")), else_=containers.c.phase)
    await tx.execute(update(containers).where(mine).values(phase=running, started_at=_NOW, due=_NOW, attempts=0))


async def conclude(tx: Tx, container: str, removed_in: float | None) -> bool:
    """It is over; ``removed_in`` seconds, or never. ``False`` where it was over before, or nobody wants it."""
    later = {"phase": "over", "due": _in(removed_in)} if removed_in is not None else _done()
    statement = (
        update(containers)
        .where(containers.c.id == container, containers.c.phase.in_(("wanted", "running")))
        .values(**later)
        .returning(containers.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def forget(tx: Tx, container: str) -> None:
    """Nothing is left of it: its row stays for a while; when it comes again, the row goes too."""
    mine = containers.c.id == container
    await tx.execute(delete(containers).where(mine, containers.c.phase == "done"))
    await tx.execute(update(containers).where(mine, containers.c.phase == "over").values(**_done()))


async def outlook(tx: Tx) -> tuple[bool, float | None]:
    """Whether one lives or is about to be removed, and in how many seconds the next one is due."""
    soon = (containers.c.phase.in_(("wanted", "running"))) | (containers.c.due <= _in(5.0))
    left = func.extract("epoch", func.min(containers.c.due) - _NOW)
    row = (await tx.execute(select(func.coalesce(func.bool_or(soon), False), left))).one()
    return bool(row[0]), None if row[1] is None else float(row[1])


def _in(seconds: float) -> object:
    return _NOW + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _done() -> dict[str, object]:
    return {"phase": "done", "due": _in(_REMEMBERED)}
