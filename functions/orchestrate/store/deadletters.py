"""Dead letters on record: what could not be delivered, what was done about it, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update

from lowtide.model.base import ExecutionId, Noun

from .database import Tx
from .tables import executions
from .upkeep import dead_letters

__all__ = [
    "OPEN",
    "Letter",
    "LetterFilter",
    "count",
    "expire",
    "find",
    "matching",
    "newest",
    "page",
    "record",
    "settle",
]

OPEN: Final = ("suspended", "diverged", "refused")
"""Verdicts after which nothing more happens by itself."""

_NOW = func.clock_timestamp()


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of ``dead_letters``. ``event`` is its JSON form, where it is kept."""

    id: int
    namespace: str | None
    execution: ExecutionId | None
    epoch: int | None
    type: str
    source: str
    event_id: str
    code: str | None
    detail: str | None
    verdict: str
    redrives: int
    at: datetime
    settled_at: datetime | None
    event: bytes | None

    @property
    def is_open(self) -> bool:
        return self.settled_at is None


class LetterFilter(Noun, frozen=True, kw_only=True):
    """Letters of this event type, with this verdict, about this execution, of this time; all that are set."""

    type: str | None = None
    verdict: str | None = None
    execution: str | None = None
    open: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


_ALL = [dead_letters.c[name] for name in Letter.__dataclass_fields__]


def _conditions(namespace: str, wanted: LetterFilter) -> list[ColumnElement[bool]]:
    """Those that name no namespace came from outside of all, and are shown in each."""
    column = dead_letters.c
    found: list[Any] = [or_(column.namespace == namespace, column.namespace.is_(None))]
    named = {name: getattr(wanted, name) for name in ("type", "verdict", "execution")}
    found += [column[name] == value for name, value in named.items() if value is not None]
    if wanted.open is not None:
        found.append(column.settled_at.is_(None) if wanted.open else column.settled_at.is_not(None))
    if wanted.created_after is not None:
        found.append(column.at >= wanted.created_after)
    if wanted.created_before is not None:
        found.append(column.at < wanted.created_before)
    return found


async def record(tx: Tx, values: dict[str, Any]) -> None:
    """Note a letter; one that is about an execution belongs to that one's namespace."""
    if values["namespace"] is None and values["execution"] is not None:
        owner = select(executions.c.namespace).where(executions.c.id == values["execution"])
        values = {**values, "namespace": (await tx.execute(owner)).scalar_one_or_none()}
    settled = None if values["verdict"] in OPEN else _NOW
    await tx.execute(insert(dead_letters).values(**values, settled_at=settled))


async def find(tx: Tx, namespace: str, number: int, *, lock: bool = False) -> Letter | None:
    statement = select(*_ALL).where(dead_letters.c.id == number, *_conditions(namespace, LetterFilter()))
    row = (await tx.execute(statement.with_for_update() if lock else statement)).one_or_none()
    return None if row is None else Letter(*row)


async def page(tx: Tx, namespace: str, wanted: LetterFilter, before: int | None, limit: int) -> list[Letter]:
    """Newest first, of those older than ``before``."""
    statement = select(*_ALL).where(*_conditions(namespace, wanted))
    if before is not None:
        statement = statement.where(dead_letters.c.id < before)
    return [Letter(*row) for row in await tx.execute(statement.order_by(dead_letters.c.id.desc()).limit(limit))]


async def newest(tx: Tx) -> int:
    """The largest number that was given, 0 where there is none."""
    found: int = (await tx.execute(select(func.coalesce(func.max(dead_letters.c.id), 0)))).scalar_one()
    return found


async def matching(tx: Tx, namespace: str, wanted: LetterFilter, bound: int, after: int, limit: int) -> Sequence[int]:
    """Numbers up to ``bound``, oldest first, of those younger than ``after``."""
    meant = (*_conditions(namespace, wanted), dead_letters.c.id > after, dead_letters.c.id <= bound)
    return (
        (await tx.execute(select(dead_letters.c.id).where(*meant).order_by(dead_letters.c.id).limit(limit)))
        .scalars()
        .all()
    )


async def count(tx: Tx, namespace: str, wanted: LetterFilter, bound: int) -> int:
    meant = (*_conditions(namespace, wanted), dead_letters.c.id <= bound)
    found: int = (await tx.execute(select(func.count()).select_from(dead_letters).where(*meant))).scalar_one()
    return found


async def settle(tx: Tx, number: int, verdict: str, *, redriven: bool) -> None:
    """What became of a letter; it stays open where nothing more happens by itself."""
    values = {
        "verdict": verdict,
        "settled_at": None if verdict in OPEN else _NOW,
        "redrives": dead_letters.c.redrives + int(redriven),
    }
    await tx.execute(update(dead_letters).where(dead_letters.c.id == number).values(**values))


async def expire(tx: Tx, seconds: float, limit: int) -> int:
    """Remove settled letters that are so old; how many."""
    before = _NOW - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    old = (
        select(dead_letters.c.id)
        .where(dead_letters.c.settled_at < before)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return (await tx.execute(delete(dead_letters).where(dead_letters.c.id.in_(old)))).rowcount
