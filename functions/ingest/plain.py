"""The plain cases, which are nearly all: fresh leases, and appends that go on where their journals end.

Each is one statement for many executions and a transaction of its own, which costs a fraction of one of several
statements; where few ask at once it is for one execution, and without arrays it costs a third. What it leaves out is
dealt with by ``opening`` and ``appending``, which decide each case.

The statement locks the leases, checks owner and epoch under the lock (PostgreSQL looks at a row again when it had to
wait for it), and writes only what passed. Its view of the journal may be older than the lock: what another session
appended meanwhile is then in the way of the same numbers, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.types.numeric import Int8

from lowtide.errors import InvalidInput
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection

from .work import Append, check_text, execution_of

__all__ = ["append_plainly", "may_be_fresh", "open_fresh"]

_HEARD: Final = """heard AS (
    INSERT INTO owners (owner, stream, expires_at)
    SELECT owner, nullif(stream, ''), clock_timestamp() + %(ttl)b
      FROM unnest(%(heard)b::text[], %(streams)b::text[]) AS heard (owner, stream) ORDER BY owner
    ON CONFLICT (owner) DO UPDATE
       SET expires_at = greatest(owners.expires_at, excluded.expires_at),
           stream = coalesce(excluded.stream, owners.stream)
)"""

_OPEN: Final = f"""
WITH made AS (
    INSERT INTO leases (execution, epoch, digest, owner)
    SELECT * FROM unnest(%(executions)b::uuid[], %(epochs)b::bigint[], %(digests)b::text[], %(owners)b::text[])
                  AS given (execution, epoch, digest, owner) ORDER BY execution
    ON CONFLICT (execution) DO NOTHING RETURNING execution
), {_HEARD}
SELECT made.execution, journal.number, journal.epoch, journal.body
  FROM made LEFT JOIN journal USING (execution) ORDER BY made.execution, journal.number
"""

_OPEN_ONE: Final = """
WITH made AS (
    INSERT INTO leases (execution, epoch, digest, owner)
    VALUES (%(execution)b, %(epoch)b, %(digest)b, %(owner)b) ON CONFLICT (execution) DO NOTHING RETURNING execution
)
SELECT made.execution, journal.number, journal.epoch, journal.body
  FROM made LEFT JOIN journal USING (execution) ORDER BY journal.number
"""

_APPEND: Final = f"""
WITH given AS (
    SELECT * FROM unnest(%(executions)b::uuid[], %(epochs)b::bigint[], %(owners)b::text[], %(firsts)b::bigint[],
                         %(types)b::text[], %(outcomes)b::bytea[])
                  AS given (execution, epoch, owner, first, type, outcome)
), held AS MATERIALIZED (
    SELECT leases.execution FROM leases JOIN given USING (execution)
     WHERE leases.epoch = given.epoch AND leases.owner = given.owner AND leases.closed_type IS NULL
     ORDER BY leases.execution FOR {{strength}} OF leases
), fitting AS MATERIALIZED (
    SELECT given.* FROM held JOIN given USING (execution)
     WHERE given.first IS NULL OR given.first = 1 + coalesce(
           (SELECT max(number) FROM journal WHERE journal.execution = given.execution), 0)
), written AS (
    INSERT INTO journal (execution, number, epoch, body)
    SELECT record.* FROM unnest(%(whose)b::uuid[], %(numbers)b::bigint[], %(of)b::bigint[], %(bodies)b::bytea[])
                         AS record (execution, number, epoch, body) JOIN fitting USING (execution)
), closed AS (
    UPDATE leases SET closed_type = fitting.type, closed_body = fitting.outcome, closed_at = now()
      FROM fitting WHERE leases.execution = fitting.execution AND fitting.type IS NOT NULL
), {_HEARD}
SELECT execution FROM fitting
"""
# Whoever will change a row locks it for that at once: raising a shared lock is how deadlocks are made.
_APPEND_ALONE: Final = _APPEND.format(strength="SHARE")
_APPEND_AND_CLOSE: Final = _APPEND.format(strength="NO KEY UPDATE")

_APPEND_ONE: Final = """
WITH held AS MATERIALIZED (
    SELECT execution FROM leases
     WHERE execution = %(execution)b AND epoch = %(epoch)b AND owner = %(owner)b AND closed_type IS NULL FOR {strength}
), written AS (
    INSERT INTO journal (execution, number, epoch, body)
    SELECT execution, %(number)b, %(epoch)b, %(body)b FROM held
     WHERE %(number)b = 1 + coalesce((SELECT max(number) FROM journal WHERE execution = %(execution)b), 0)
    RETURNING execution
){closed}
SELECT execution FROM written
"""
_APPEND_ONE_ALONE: Final = _APPEND_ONE.format(strength="SHARE", closed="")
_APPEND_ONE_AND_CLOSE: Final = _APPEND_ONE.format(
    strength="NO KEY UPDATE",
    closed=""", closed AS (
    UPDATE leases SET closed_type = %(type)b, closed_body = %(outcome)b, closed_at = now()
      FROM written WHERE leases.execution = written.execution
)""",
)


def may_be_fresh(request: pb.OpenRequest) -> bool:
    """Whether its lease can be made by :func:`open_fresh`: it is well formed and expects no records."""
    try:
        execution_of(request.execution)
        check_text("owner", request.owner)
        check_text("digest", request.digest)
    except InvalidInput:
        return False
    return request.epoch >= 1 and not request.upto


async def open_fresh(
    connection: Connection, requests: Mapping[UUID, pb.OpenRequest], streams: Mapping[str, str], ttl: float
) -> dict[UUID, list[pb.Record]]:
    """Make the leases that are not there yet, by execution; the tail of each that was made.

    ``streams`` are the owners that live ``ttl`` seconds from now, with the stream each was heard on.
    """
    if len(requests) == 1 and not streams:
        ((execution, request),) = requests.items()
        lease = {"execution": execution, "epoch": Int8(request.epoch), "digest": request.digest, "owner": request.owner}
        rows = await _rows(connection, _OPEN_ONE, lease)
    else:
        leases = {
            "executions": list(requests),
            "epochs": [request.epoch for request in requests.values()],
            "digests": [request.digest for request in requests.values()],
            "owners": [request.owner for request in requests.values()],
        }
        rows = await _rows(connection, _OPEN, {**leases, **_heard(streams, ttl)})
    tails: dict[UUID, list[pb.Record]] = {}
    for execution, number, epoch, body in rows:
        tail = tails.setdefault(execution, [])
        if number is not None:
            tail.append(pb.Record(number=number, epoch=epoch, body=body))
    return tails


async def append_plainly(
    connection: Connection, appends: Collection[tuple[Append, str]], streams: Mapping[str, str], ttl: float
) -> set[UUID]:
    """Write the appends (each with its owner, at most one per execution) whose leases are held and whose records go on
    where the journal ends; which those were. Nothing is written where another session appends the same numbers."""
    statement, values = _alone(appends, streams) or _together(appends, streams, ttl)
    try:
        return {row[0] for row in await _rows(connection, statement, values)}
    except psycopg.IntegrityError:
        return set()


def _alone(appends: Collection[tuple[Append, str]], streams: Mapping[str, str]) -> tuple[str, Mapping[str, Any]] | None:
    """For one record of one execution; ``None`` where there is more to write."""
    if len(appends) != 1 or streams:
        return None
    ((append, owner),) = appends
    if len(append.records) != 1:
        return None
    ((number, body),) = append.records
    values = {
        "execution": append.execution,
        "epoch": Int8(append.epoch),
        "owner": owner,
        "number": Int8(number),
        "body": body,
    }
    if append.close is None:
        return _APPEND_ONE_ALONE, values
    kind, outcome = append.close
    return _APPEND_ONE_AND_CLOSE, {**values, "type": kind, "outcome": outcome}


def _together(
    appends: Collection[tuple[Append, str]], streams: Mapping[str, str], ttl: float
) -> tuple[str, Mapping[str, Any]]:
    records = [
        (append.execution, *record[:1], append.epoch, *record[1:]) for append, _ in appends for record in append.records
    ]
    closes = [append.close or (None, None) for append, _ in appends]
    values = {
        "executions": [append.execution for append, _ in appends],
        "epochs": [append.epoch for append, _ in appends],
        "owners": [owner for _, owner in appends],
        "firsts": [append.records[0][0] if append.records else None for append, _ in appends],
        "types": [kind for kind, _ in closes],
        "outcomes": [body for _, body in closes],
        "whose": [record[0] for record in records],
        "numbers": [record[1] for record in records],
        "of": [record[2] for record in records],
        "bodies": [record[3] for record in records],
        **_heard(streams, ttl),
    }
    return _APPEND_AND_CLOSE if any(append.close for append, _ in appends) else _APPEND_ALONE, values


def _heard(streams: Mapping[str, str], ttl: float) -> dict[str, Any]:
    return {"heard": list(streams), "streams": list(streams.values()), "ttl": timedelta(seconds=ttl)}


async def _rows(connection: Connection, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    cursor = connection.cursor(binary=True)
    await cursor.execute(statement, values)
    return await cursor.fetchall()
