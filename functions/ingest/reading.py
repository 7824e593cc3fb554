"""The journal of one execution, read back: for people who look at it, and for executions that begin from its middle."""

from __future__ import annotations

from typing import Final

from lowtide.errors import InvalidInput
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection

from .work import execution_of

__all__ = ["read_journal"]

_MOST: Final = 1000
_BYTES: Final = 4 * 1024 * 1024
"""A page ends with the record that goes beyond; one record alone may be larger."""

_READ = """
SELECT number, epoch, body FROM (
    SELECT number, epoch, body, sum(length(body)) OVER (ORDER BY number) - length(body) AS before
      FROM (SELECT number, epoch, body FROM journal
             WHERE execution = %(execution)s AND number > %(after)s ORDER BY number LIMIT %(limit)s) AS page
) AS measured WHERE before < %(bytes)s ORDER BY number
"""

_LAST = "SELECT max(number) FROM journal WHERE execution = %s"


async def read_journal(connection: Connection, request: pb.ReadJournalRequest) -> pb.ReadJournalReply:
    """Inside a transaction. An execution without records has an empty journal. Raises ``InvalidInput``."""
    execution = execution_of(request.execution)
    if request.after < 0 or not 1 <= request.limit <= _MOST:
        raise InvalidInput(f"`after` is at least 0, and `limit` between 1 and {_MOST}")
    cursor = connection.cursor(binary=True)
    wanted = {"execution": execution, "after": request.after, "limit": request.limit, "bytes": _BYTES}
    await cursor.execute(_READ, wanted)
    records = [pb.Record(number=number, epoch=epoch, body=body) async for number, epoch, body in cursor]
    last = await (await connection.execute(_LAST, [execution])).fetchone()
    more = bool(records) and last is not None and last[0] > records[-1].number
    return pb.ReadJournalReply(records=records, more=more)
