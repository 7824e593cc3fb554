"""The beginning of a fork's journal: records of its origin, copied before the fork is opened for the first time."""

from __future__ import annotations

from typing import Final

from lowtide.errors import Conflict, InvalidInput
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection

from .work import execution_of

__all__ = ["fork_journal"]

_COPY: Final = """
WITH copied AS (
    INSERT INTO journal (execution, number, epoch, body)
    SELECT %(execution)s, number, 0, body FROM journal WHERE execution = %(origin)s AND number <= %(upto)s
    ON CONFLICT DO NOTHING
), added AS (
    INSERT INTO journal (execution, number, epoch, body) VALUES (%(execution)s, %(upto)s + 1, 0, %(body)s)
    ON CONFLICT DO NOTHING
)
SELECT (SELECT count(*) FROM journal WHERE execution = %(origin)s AND number <= %(upto)s),
       EXISTS (SELECT FROM leases WHERE execution = %(execution)s)
"""


async def fork_journal(connection: Connection, request: pb.ForkJournalRequest) -> None:
    """Inside a transaction; asked twice, it is done once.

    Raises ``InvalidInput`` where the origin has fewer records, ``Conflict`` where the fork has begun already.
    """
    execution, origin = execution_of(request.execution), execution_of(request.origin)
    if request.upto < 0 or execution == origin:
        raise InvalidInput("`upto` is at least 0, and nothing is forked from itself")
    wanted = {"execution": execution, "origin": origin, "upto": request.upto, "body": request.body}
    row = await (await connection.execute(_COPY, wanted)).fetchone()
    assert row is not None
    if row[0] != request.upto:
        raise InvalidInput(
            f"the journal of {request.origin} has {row[0]} records up to {request.upto}, not all of them"
        )
    if row[1]:
        raise Conflict(f"execution {request.execution} has begun already; its journal is its own")
