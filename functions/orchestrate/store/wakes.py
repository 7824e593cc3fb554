"""Inbox and timers: what wakes an execution, and what will."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from lowtide.model.base import ExecutionId
from lowtide.model.event import Event
from lowtide.wire.types import Wake

from .database import Tx
from .keys import short
from .rows import columns_of, perform
from .tables import inbox, timers

__all__ = [
    "ASK",
    "CANCEL",
    "EVENT",
    "OF_OPERATORS",
    "OVERDUE",
    "SUSPEND",
    "Due",
    "Held",
    "add_timers",
    "claim_overdue",
    "claim_timers",
    "drop_timer",
    "drop_timers_except",
    "drop_wakes",
    "give_back_timers",
    "insert_wake",
    "take_timer",
    "time_left",
    "wakes_of",
    "what_is_due",
]

CANCEL = "cancel"
"""The key of a cancel, in the inbox and among the timers; no command's key is like it."""

SUSPEND = "suspend"
"""Likewise of what reminds the owner of a running execution that it is to park."""

ASK = "ask:"
"""So begin the keys of timers of what others were asked."""

OF_OPERATORS = (CANCEL, SUSPEND)
"""The keys of timers that are no command's."""

OVERDUE: Final = 10.0
"""Seconds after which a timer that nobody holds is overdue: the platform was away."""

Held = tuple[ExecutionId, str, float]
"""A claimed timer: execution, key, and the seconds until it is due."""

EVENT: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


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
    return [Wake(key=row.key, event=EVENT.decode(row.event)) for row in rows]


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
    of_a_sleep = timers.c.key.not_in(keys) & ~timers.c.key.startswith(ASK)
    await tx.execute(delete(timers).where(timers.c.execution == execution, of_a_sleep))


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


# The moment is asked for once (a subquery), or no index could be used for it. What is claimed is not looked at again.
_CLAIM = text("""
    WITH found AS (
        SELECT execution, key FROM timers
         WHERE claimed_until IS NULL AND due <= (SELECT clock_timestamp() + make_interval(secs => :horizon))
           AND due > (SELECT clock_timestamp() - make_interval(secs => :overdue))
         ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    UPDATE timers SET claimed_until = greatest(due, clock_timestamp()) + make_interval(secs => :grace)
      FROM found WHERE timers.execution = found.execution AND timers.key = found.key
    RETURNING timers.execution::text, timers.key, extract(epoch FROM due - clock_timestamp())::float8
""")
_CLAIM_OVERDUE = text("""
    WITH expired AS (
        SELECT execution, key FROM timers WHERE claimed_until < (SELECT clock_timestamp())
         ORDER BY claimed_until LIMIT :limit FOR UPDATE SKIP LOCKED
    ), forgotten AS (
        SELECT execution, key FROM timers
         WHERE claimed_until IS NULL AND due <= (SELECT clock_timestamp() - make_interval(secs => :overdue))
         ORDER BY due LIMIT :limit - (SELECT count(*) FROM expired) FOR UPDATE SKIP LOCKED
    ), found AS (SELECT * FROM expired UNION ALL SELECT * FROM forgotten)
    UPDATE timers SET claimed_until = greatest(due, clock_timestamp()) + make_interval(secs => :grace)
      FROM found WHERE timers.execution = found.execution AND timers.key = found.key
    RETURNING timers.execution::text, timers.key, extract(epoch FROM due - clock_timestamp())::float8
""")
_WHAT_IS_DUE = text("""
    WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS now)
    SELECT EXISTS (SELECT FROM timers WHERE claimed_until IS NULL
                      AND due <= (SELECT now + make_interval(secs => :horizon) FROM moment)
                      AND due > (SELECT now - make_interval(secs => :overdue) FROM moment)),
           EXISTS (SELECT FROM timers WHERE claimed_until < (SELECT now FROM moment))
        OR EXISTS (SELECT FROM timers WHERE claimed_until IS NULL
                      AND due <= (SELECT now - make_interval(secs => :overdue) FROM moment)),
           EXISTS (SELECT FROM schedules WHERE due <= (SELECT now + make_interval(secs => :horizon) FROM moment)
                      AND (claimed_until IS NULL OR claimed_until < (SELECT now FROM moment)))
""")


class Due(NamedTuple):
    """Whether there are timers due soon that nobody holds; some that should have fired some time ago, or whose holder
    has died; schedules due soon."""

    timers: bool
    overdue: bool
    schedules: bool


async def what_is_due(tx: Tx, horizon: float) -> Due:
    return Due(*(await tx.execute(_WHAT_IS_DUE, {"horizon": horizon, "overdue": OVERDUE})).one())


async def claim_timers(tx: Tx, horizon: float, grace: float, limit: int) -> list[Held]:
    """Timers due within ``horizon`` seconds that nobody holds, now held until ``grace`` seconds after they are due;
    what is due first comes first.

    Those that are overdue are not among them; see :func:`claim_overdue`.
    """
    values = {"horizon": horizon, "overdue": OVERDUE, "grace": grace, "limit": limit}
    return _held(await tx.execute(_CLAIM, values))


async def claim_overdue(tx: Tx, grace: float, limit: int) -> list[Held]:
    """As :func:`claim_timers`, those that are overdue, and those whose holder has died."""
    return _held(await tx.execute(_CLAIM_OVERDUE, {"overdue": OVERDUE, "grace": grace, "limit": limit}))


def _held(rows: Iterable[Any]) -> list[Held]:
    found = [(ExecutionId(row[0]), row[1], row[2]) for row in rows]
    return sorted(found, key=lambda one: (one[2], one[0], one[1]))


_GIVE_BACK = """
UPDATE timers SET claimed_until = NULL FROM unnest(%b::uuid[], %b::text[]) AS held (execution, key)
 WHERE timers.execution = held.execution AND timers.key = held.key
"""


async def give_back_timers(tx: Tx, held: Collection[tuple[str, str]]) -> None:
    if held:
        await perform(tx, _GIVE_BACK, columns_of([(UUID(execution), key) for execution, key in held], 2))
