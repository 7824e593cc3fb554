"""Lines of dispatches that wait to be admitted, and the slots that admitted ones take.

A lane is ``{namespace}/{workflow}/{concurrency key}/{rate key}`` (keys hashed, empty where there is none); all that
stand in it wait for the same slots and the same rate. A dispatch in a lane either waits (``queued_at``) and is in no
outbox, or was admitted and takes one of the slots of its lane's first three parts, until it is removed: by an end, a
park, a cancel. There is no other book of slots, so that none can be lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from lowtide.model.base import ExecutionId

from .database import Tx
from .rows import columns_of, perform, rows_of

__all__ = [
    "Held",
    "Waiting",
    "above",
    "admit",
    "beside",
    "count_admitted",
    "count_lanes",
    "count_taken",
    "count_waiting",
    "due",
    "hold",
    "lock",
    "look_again",
    "next_look",
    "requeue",
    "set_aside",
    "slot_of",
    "waiting_in",
    "withdraw",
]

_ADMISSION: Final = 0x10_71_DE_14
_MOST_SCANNED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """A dispatch that waits; ``rank`` 0 goes on after a park, the others start."""

    execution: ExecutionId
    epoch: int
    namespace: str
    workflow: str
    lane: str
    rank: int
    queued_at: datetime


def slot_of(lane: str) -> str:
    """What the slots of a lane are called: the beginning that it shares with the lanes beside it."""
    return lane.rpartition("/")[0] + "/"


def above(prefix: str) -> str:
    """The first text that sorts behind everything that begins with ``prefix``, which ends with a slash."""
    return prefix[:-1] + "0"


# The lock is taken for the row that the time is then asked for.
_LOCK = text("SELECT clock_timestamp() FROM pg_advisory_xact_lock(:order) AS locked")


async def lock(tx: Tx) -> datetime:
    """One at a time admits, or changes what admission goes by; the time from then on."""
    now: datetime = (await tx.execute(_LOCK, {"order": _ADMISSION})).scalar_one()
    return now


# Namespaces take turns: the first lane of each, then the second of each.
_DUE = """
SELECT lane FROM (
    SELECT lane, row_number() OVER (PARTITION BY split_part(lane, '/', 1) ORDER BY first, lane) AS turn, first
      FROM (SELECT lane, min(look_at) AS first FROM (
                SELECT lane, look_at FROM dispatches WHERE look_at <= %b ORDER BY look_at LIMIT %b) AS scanned
             GROUP BY lane) AS lanes) AS turns
 ORDER BY turn, first, lane LIMIT %b
"""


async def due(tx: Tx, now: datetime, most: int) -> list[str]:
    """Lanes in which somebody should look now whether one can be admitted."""
    return [row[0] for row in await rows_of(tx, _DUE, [now, _MOST_SCANNED, most])]


# Lane by lane, so that a long line is not read to its end.
_BESIDE = """
WITH RECURSIVE found AS (
    SELECT given.slot, given.upper, (
           SELECT min(lane) FROM dispatches
            WHERE queued_at IS NOT NULL AND lane >= given.slot AND lane < given.upper) AS lane
      FROM unnest(%b::text[], %b::text[]) AS given (slot, upper)
    UNION ALL
    SELECT found.slot, found.upper, (
           SELECT min(dispatches.lane) FROM dispatches
            WHERE queued_at IS NOT NULL AND dispatches.lane > found.lane AND dispatches.lane < found.upper)
      FROM found WHERE found.lane IS NOT NULL
)
SELECT lane FROM found WHERE lane IS NOT NULL LIMIT %b
"""


async def beside(tx: Tx, slots: Collection[str], most: int) -> list[str]:
    """Lanes in which somebody waits for one of these slots."""
    if not slots:
        return []
    return [row[0] for row in await rows_of(tx, _BESIDE, [list(slots), [above(slot) for slot in slots], most])]


_WAITING = """
SELECT found.* FROM unnest(%b::text[]) AS given (lane) CROSS JOIN LATERAL (
    SELECT d.execution, d.epoch, e.namespace, e.workflow, d.lane, d.rank, d.queued_at
      FROM dispatches d
      JOIN executions e ON e.id = d.execution AND e.epoch = d.epoch AND e.phase IN ('pending', 'running')
     WHERE d.lane = given.lane AND d.queued_at IS NOT NULL AND (d.look_at IS NULL OR d.look_at <= %b)
     ORDER BY d.rank, d.queued_at LIMIT %b) AS found
"""


async def waiting_in(tx: Tx, lanes: Sequence[str], now: datetime, most: int) -> list[Waiting]:
    """The first of each lane that are not to be looked at later, at most ``most`` of each."""
    rows = await rows_of(tx, _WAITING, [list(lanes), now, most])
    return [Waiting(ExecutionId(str(row[0])), *row[1:]) for row in rows]


_COUNT_ADMITTED = """
SELECT slot, (SELECT count(*) FROM dispatches
               WHERE lane >= given.slot AND lane < given.upper AND queued_at IS NULL)
  FROM unnest(%b::text[], %b::text[]) AS given (slot, upper)
"""


async def count_admitted(tx: Tx, slots: Collection[str]) -> dict[str, int]:
    """How many of these slots are taken."""
    if not slots:
        return {}
    columns = [list(slots), [above(slot) for slot in slots]]
    return {row[0]: row[1] for row in await rows_of(tx, _COUNT_ADMITTED, columns)}


_COUNT_TAKEN = """
SELECT slot, (SELECT count(*) FROM dispatches
               WHERE lane >= given.slot AND lane < given.upper AND queued_at IS NULL)
           + (SELECT count(*) FROM dispatches
               WHERE lane >= given.slot AND lane < given.upper AND queued_at IS NOT NULL)
  FROM unnest(%b::text[], %b::text[]) AS given (slot, upper)
"""


async def count_taken(tx: Tx, slots: Collection[str]) -> dict[str, int]:
    """How many have these slots, or wait for them."""
    if not slots:
        return {}
    columns = [list(slots), [above(slot) for slot in slots]]
    return {row[0]: row[1] for row in await rows_of(tx, _COUNT_TAKEN, columns)}


_COUNT_LANES = """
SELECT lane, count(*) FROM dispatches WHERE lane = ANY(%b::text[]) AND queued_at IS NOT NULL GROUP BY lane
"""


async def count_lanes(tx: Tx, lanes: Collection[str]) -> dict[str, int]:
    """How many wait in each of these lanes."""
    return {row[0]: row[1] for row in await rows_of(tx, _COUNT_LANES, [list(lanes)])}


_COUNT_WAITING = """
SELECT prefix, (SELECT count(*) FROM (
           SELECT FROM dispatches
            WHERE lane >= given.prefix AND lane < given.upper AND queued_at IS NOT NULL AND rank > 0
            LIMIT given.most) AS found)
  FROM unnest(%b::text[], %b::text[], %b::bigint[]) AS given (prefix, upper, most)
"""


async def count_waiting(tx: Tx, prefixes: Mapping[str, int]) -> dict[str, int]:
    """How many starts wait whose lanes begin so, counted up to the number given with each."""
    if not prefixes:
        return {}
    columns = [list(prefixes), [above(prefix) for prefix in prefixes], list(prefixes.values())]
    return {row[0]: row[1] for row in await rows_of(tx, _COUNT_WAITING, columns)}


_HOLD = """
WITH given AS (
    SELECT * FROM unnest(%b::uuid[], %b::text[], %b::boolean[], %b::text[], %b::integer[], %b::timestamptz[],
                         %b::timestamptz[])
                  AS given (execution, lane, lasting, debounce, rank, queued_at, look_at)
), marked AS (
    UPDATE executions SET lane = given.lane FROM given WHERE executions.id = given.execution AND given.lasting
)
UPDATE dispatches SET lane = given.lane, debounce = given.debounce, rank = given.rank, queued_at = given.queued_at,
                      look_at = given.look_at
  FROM given WHERE dispatches.execution = given.execution
"""

Held = tuple[ExecutionId, str, bool, str | None, int, datetime, datetime]
"""An execution that begins: its lane, whether it takes a slot whenever it runs, its mark of debounce, its rank, since
when it waits, from when on it may be looked at."""


async def hold(tx: Tx, held: Sequence[Held]) -> None:
    """Let the first dispatches of executions that begin wait in their lanes."""
    if held:
        await perform(tx, _HOLD, columns_of([(UUID(one[0]), *one[1:]) for one in held], 7))


_ADMIT = """
WITH admitted AS (
    UPDATE dispatches SET queued_at = NULL, look_at = NULL
      FROM unnest(%b::uuid[], %b::bigint[]) WITH ORDINALITY AS given (execution, epoch, place)
     WHERE dispatches.execution = given.execution AND dispatches.epoch = given.epoch
       AND dispatches.queued_at IS NOT NULL
    RETURNING dispatches.execution, dispatches.epoch, dispatches.lane, given.place
)
INSERT INTO outbox (kind, execution, epoch, namespace)
SELECT 'dispatch', execution, epoch, split_part(lane, '/', 1) FROM admitted ORDER BY place
"""


async def admit(tx: Tx, admitted: Iterable[Waiting]) -> None:
    """They have their slots, and go into the outbox in this order, unless they were removed meanwhile."""
    rows = [(UUID(one.execution), one.epoch) for one in admitted]
    if rows:
        await perform(tx, _ADMIT, columns_of(rows, 2))


_SET_ASIDE = """
UPDATE dispatches SET look_at = NULL
 WHERE lane = ANY(%b::text[]) AND queued_at IS NOT NULL AND look_at <= %b
"""
_LOOK_THEN = """
UPDATE dispatches SET look_at = given.look_at
  FROM unnest(%b::uuid[], %b::bigint[], %b::timestamptz[]) AS given (execution, epoch, look_at)
 WHERE dispatches.execution = given.execution AND dispatches.epoch = given.epoch AND dispatches.queued_at IS NOT NULL
"""


async def set_aside(tx: Tx, lanes: Collection[str], now: datetime, then: Sequence[tuple[Waiting, datetime]]) -> None:
    """Nobody looks at those that still wait in these lanes until something happens, or until the moment of one."""
    if lanes:
        await perform(tx, _SET_ASIDE, [list(lanes), now])
    rows = [(UUID(one.execution), one.epoch, moment) for one, moment in then]
    if rows:
        await perform(tx, _LOOK_THEN, columns_of(rows, 3))


_NEXT_LOOK = text("SELECT extract(epoch FROM min(look_at) - clock_timestamp()) FROM dispatches WHERE look_at > :now")


async def next_look(tx: Tx, now: datetime) -> float | None:
    """Seconds until somebody should look again at one that was not to be looked at by ``now``; ``None``: at none."""
    seconds = (await tx.execute(_NEXT_LOOK, {"now": now})).scalar_one()
    return None if seconds is None else float(seconds)


_LOOK_AGAIN = """
WITH RECURSIVE lanes AS (
    SELECT min(lane) AS lane FROM dispatches WHERE queued_at IS NOT NULL AND lane >= %(from)s AND lane < %(to)s
    UNION ALL
    SELECT (SELECT min(dispatches.lane) FROM dispatches
             WHERE queued_at IS NOT NULL AND dispatches.lane > lanes.lane AND dispatches.lane < %(to)s)
      FROM lanes WHERE lanes.lane IS NOT NULL
), heads AS (
    SELECT head.execution, head.epoch FROM lanes CROSS JOIN LATERAL (
        SELECT execution, epoch FROM dispatches
         WHERE dispatches.lane = lanes.lane AND queued_at IS NOT NULL AND (look_at IS NULL OR debounce IS NULL)
         ORDER BY rank, queued_at LIMIT 1) AS head
)
UPDATE dispatches SET look_at = clock_timestamp() FROM heads
 WHERE dispatches.execution = heads.execution AND dispatches.epoch = heads.epoch AND dispatches.queued_at IS NOT NULL
"""


async def look_again(tx: Tx, prefix: str = "") -> None:
    """Have the first of every lane that begins so looked at, unless others may still take its place."""
    await perform(tx, _LOOK_AGAIN, {"from": prefix, "to": above(prefix) if prefix else "~"})


_WITHDRAW = """
UPDATE dispatches SET queued_at = coalesce(queued_at, clock_timestamp()), look_at = NULL,
                      rank = CASE WHEN queued_at IS NULL THEN 0 ELSE rank END
 WHERE execution = %b AND epoch = %b AND lane IS NOT NULL RETURNING lane
"""


async def withdraw(tx: Tx, execution: str, epoch: int) -> str | None:
    """Take its slot from a dispatch whose execution is suspended; its lane, ``None`` where it stands in none."""
    rows = await rows_of(tx, _WITHDRAW, [UUID(execution), epoch])
    return rows[0][0] if rows else None


_REQUEUE = """
UPDATE dispatches SET look_at = clock_timestamp() WHERE execution = %b AND epoch = %b AND queued_at IS NOT NULL
"""


async def requeue(tx: Tx, execution: str, epoch: int) -> bool:
    """Let a dispatch that waits be looked at; whether it does."""
    return await perform(tx, _REQUEUE, [UUID(execution), epoch]) > 0
