"""Timers that fire together, the wakes that they are, and the executions that go on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from lowtide.model.base import ExecutionId
from lowtide.model.event import Event
from lowtide.wire.types import Wake

from ..nouns import Execution, Note
from .database import Tx
from .rows import TELL, columns_of, columns_of_notes, perform, rows_of

__all__ = ["Timer", "Woken", "insert_wakes", "take_timers", "wake", "wakes_of"]

_TAKE_TIMERS = """
DELETE FROM timers USING unnest(%b::uuid[], %b::text[]) AS held (execution, key)
 WHERE timers.execution = held.execution AND timers.key = held.key AND timers.due <= clock_timestamp()
RETURNING timers.execution, timers.key, timers.command, timers.due
"""
_TIMES_LEFT = """
SELECT timers.execution, timers.key, extract(epoch FROM timers.due - clock_timestamp())::float8
  FROM timers JOIN unnest(%b::uuid[], %b::text[]) AS held (execution, key) USING (execution, key)
"""

Timer = tuple[ExecutionId, str]
"""An execution, and the key of one of its timers."""


async def take_timers(tx: Tx, held: Sequence[Timer]) -> tuple[list[tuple[ExecutionId, str]], dict[Timer, float]]:
    """Remove those that are due: executions and their commands, what was due first comes first; and the seconds until
    the others are."""
    columns = columns_of([(UUID(execution), key) for execution, key in held], 2)
    rows = sorted(await rows_of(tx, _TAKE_TIMERS, columns), key=lambda row: (row[3], row[0], row[1]))
    early: dict[Timer, float] = {}
    if len(rows) < len(held):
        early = {(ExecutionId(str(row[0])), row[1]): row[2] for row in await rows_of(tx, _TIMES_LEFT, columns)}
    return [(ExecutionId(str(execution)), command) for execution, _, command, _ in rows], early


_INSERT_WAKES = """
INSERT INTO inbox (execution, key, event, at)
SELECT execution, key, event, %b FROM unnest(%b::uuid[], %b::text[], %b::bytea[])
       WITH ORDINALITY AS given (execution, key, event, place) ORDER BY place
ON CONFLICT DO NOTHING RETURNING execution, key
"""


async def insert_wakes(
    tx: Tx, given: Sequence[tuple[ExecutionId, Wake]], at: datetime
) -> list[tuple[ExecutionId, Wake]]:
    """Put wakes into the inboxes of locked executions; those that were not there."""
    rows = [(UUID(execution), wake.key, msgspec.json.encode(wake.event)) for execution, wake in given]
    there = {(str(row[0]), row[1]) for row in await rows_of(tx, _INSERT_WAKES, [at, *columns_of(rows, 3)])}
    return [(execution, wake) for execution, wake in given if (execution, wake.key) in there]


_WAKES = "SELECT execution, key, event FROM inbox WHERE execution = ANY(%b::uuid[]) ORDER BY id"
_EVENT: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


async def wakes_of(tx: Tx, ids: Collection[str]) -> dict[str, list[Wake]]:
    """All wakes that no snapshot contains, by execution, in the order they came."""
    found: dict[str, list[Wake]] = {}
    for execution, key, event in await rows_of(tx, _WAKES, [[UUID(id_) for id_ in ids]]):
        found.setdefault(str(execution), []).append(Wake(key=key, event=_EVENT.decode(event)))
    return found


@dataclass(frozen=True, slots=True)
class Woken:
    """An execution that goes on, and the dispatch of its new epoch."""

    execution: Execution
    body: bytes
    digest: str
    issued_at: datetime


_WAKE = f"""
WITH given AS (
    SELECT * FROM unnest(%b::uuid[], %b::text[], %b::bigint[], %b::bigint[], %b::bytea[], %b::text[], %b::timestamptz[],
                         %b::text[])
                  AS given (id, phase, epoch, change, body, digest, issued_at, lane)
), stored AS (
    INSERT INTO dispatches (execution, epoch, body, digest, issued_at, lane, rank, queued_at, look_at)
    SELECT id, epoch, body, digest, issued_at, lane, CASE WHEN lane IS NOT NULL THEN 0 END,
           CASE WHEN lane IS NOT NULL THEN issued_at END, CASE WHEN lane IS NOT NULL THEN issued_at END
      FROM given
), moved AS (
    UPDATE executions SET phase = given.phase, epoch = given.epoch, change = given.change
      FROM given WHERE executions.id = given.id
)
{TELL}
"""


async def wake(tx: Tx, woken: Sequence[Woken], notes: Iterable[Note]) -> None:
    """Store the new epochs of locked executions, their dispatches and notes; those in a lane wait for a slot."""
    rows = [
        (
            UUID(one.execution.id),
            one.execution.phase,
            one.execution.epoch,
            one.execution.change,
            one.body,
            one.digest,
            one.issued_at,
            one.execution.lane,
        )
        for one in woken
    ]
    await perform(tx, _WAKE, [*columns_of(rows, 8), *columns_of_notes(notes)])
