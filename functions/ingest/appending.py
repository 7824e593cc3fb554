"""The transaction of one group: appends, closes, releases and heartbeats of many executions in few statements.

Lease rows are locked in id order, the owner and epoch are checked again under the lock, and only then is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection

from .owners import heard
from .work import Append, Work

__all__ = ["INSERT", "Ledger", "write_group"]

_LOCK = """
SELECT execution, epoch, owner, closed_type, closed_body FROM leases
 WHERE execution = ANY(%s::uuid[]) ORDER BY execution
"""

_LAST = """
SELECT wanted.execution, last.number FROM unnest(%s::uuid[]) AS wanted (execution)
 CROSS JOIN LATERAL (SELECT number FROM journal WHERE journal.execution = wanted.execution
                      ORDER BY number DESC LIMIT 1) AS last
"""

_WRITTEN = """
SELECT execution, number, epoch, body FROM journal
  JOIN unnest(%s::uuid[], %s::bigint[]) AS wanted (execution, number) USING (execution, number)
"""

INSERT = """
INSERT INTO journal (execution, number, epoch, body)
SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::bigint[], %b::bytea[])
"""

_CLOSE = """
UPDATE leases SET closed_type = ending.type, closed_body = ending.body, closed_at = now()
  FROM unnest(%b::uuid[], %b::text[], %b::bytea[]) AS ending (execution, type, body)
 WHERE leases.execution = ending.execution
"""

_RELEASE = """
UPDATE leases SET owner = NULL
  FROM unnest(%b::uuid[], %b::bigint[], %b::text[]) AS given (execution, epoch, owner)
 WHERE leases.execution = given.execution AND leases.epoch = given.epoch AND leases.owner = given.owner
   AND leases.closed_type IS NULL
"""


@dataclass(slots=True)
class Held:
    """One locked lease as the group sees it while it is judged. ``last`` is the last record's number."""

    epoch: int
    owner: str | None
    closed: tuple[str, bytes] | None
    last: int = 0


@dataclass(slots=True)
class Ledger:
    """Judges the appends of a group in their order, and gathers what is to be written."""

    leases: Mapping[UUID, Held]
    written: dict[tuple[UUID, int], tuple[int, bytes]] = field(default_factory=dict)
    records: list[tuple[UUID, int, int, bytes]] = field(default_factory=list)
    closes: list[tuple[UUID, str, bytes]] = field(default_factory=list)

    def judge(self, append: Append, owner: str) -> pb.Refusal | None:
        """Why ``append`` is refused, or ``None`` where it will be (or was already) written."""
        lease = self.leases.get(append.execution)
        if lease is None or lease.owner != owner or lease.epoch != append.epoch:
            return _refusal(append, pb.Refusal.FENCED, "the lease belongs to another owner or epoch")
        fresh = [record for record in append.records if record[0] > lease.last]
        if lease.closed is not None and (fresh or append.close not in (None, lease.closed)):
            return _refusal(append, pb.Refusal.FENCED, "the epoch is closed")
        for number, body in append.records:
            if number <= lease.last and self.written.get((append.execution, number)) != (append.epoch, body):
                return _refusal(append, pb.Refusal.INVALID, f"record {number} was written with other content")
        if fresh and fresh[0][0] != lease.last + 1:
            return _refusal(append, pb.Refusal.INVALID, f"record {fresh[0][0]} does not follow record {lease.last}")
        for number, body in fresh:
            self.records.append((append.execution, number, append.epoch, body))
            self.written[append.execution, number] = (append.epoch, body)
            lease.last = number
        if append.close is not None and lease.closed is None:
            self.closes.append((append.execution, *append.close))
            lease.closed = append.close
        return None


async def write_group(connection: Connection, group: list[Work], ttl: float) -> list[list[pb.Refusal]]:
    """Inside a transaction: write what ``group`` asks; the refusals of each work, in the group's order."""
    appends = [append for work in group for append in work.appends]
    ledger = await _read(connection, appends, {execution for work in group for execution, _ in work.releases})
    refusals: list[list[pb.Refusal]] = []
    for work in group:
        judged = (ledger.judge(append, work.owner) for append in work.appends)
        refusals.append([refusal for refusal in judged if refusal is not None])
    releases = sorted((execution, epoch, work.owner) for work in group for execution, epoch in work.releases)
    streams = {work.owner: work.stream for work in group if work.heard}
    async with connection.pipeline():  # one round trip for all that is written
        if ledger.records:
            await connection.execute(INSERT, _columns(ledger.records))
        if ledger.closes:
            await connection.execute(_CLOSE, _columns(ledger.closes))
        if releases:
            await connection.execute(_RELEASE, _columns(releases))
        if streams:
            await heard(connection, streams, ttl)
    return refusals


async def _read(connection: Connection, appends: list[Append], released: set[UUID]) -> Ledger:
    """Lock the leases that are named, then read where their journals end."""
    executions = sorted({append.execution for append in appends} | released)
    if not executions:
        return Ledger({})
    # Whoever will change a row locks it for that at once: raising a shared lock is how deadlocks are made.
    changes = bool(released) or any(append.close for append in appends)
    strength = " FOR NO KEY UPDATE" if changes else " FOR SHARE"
    cursor = connection.cursor(binary=True)
    await cursor.execute(_LOCK + strength, [executions])
    leases = {
        execution: Held(epoch, owner, None if closed_type is None else (closed_type, closed_body))
        async for execution, epoch, owner, closed_type, closed_body in cursor
    }
    if not any(append.records for append in appends):
        return Ledger(leases)
    await cursor.execute(_LAST, [list(leases)])
    async for execution, number in cursor:
        leases[execution].last = number
    repeated = [
        (append.execution, number)
        for append in appends
        for number, _ in append.records
        if append.execution in leases and number <= leases[append.execution].last
    ]
    ledger = Ledger(leases)
    if repeated:
        await cursor.execute(_WRITTEN, _columns(repeated))
        async for execution, number, epoch, body in cursor:
            ledger.written[execution, number] = (epoch, body)
    return ledger


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _refusal(append: Append, reason: pb.Refusal.Reason, detail: str) -> pb.Refusal:
    return pb.Refusal(execution=str(append.execution), epoch=append.epoch, reason=reason, detail=detail)
