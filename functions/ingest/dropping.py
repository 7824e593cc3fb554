"""Journals of executions that were deleted.

First the lease is taken from everybody and for ever: whoever still appends is fenced, and a dispatch that comes late is
told that its execution is gone, instead of beginning it again. Then the records go, in portions. The lease itself goes
when the caller says that no dispatch can come any more. Each step can be done again, by anybody, from any state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from lowtide.errors import InvalidInput
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection, Database

from .opening import DELETED
from .work import execution_of

__all__ = ["drop_journals"]

_MOST: Final = 1000
_PORTION: Final = 2000

_FENCE: Final = """
INSERT INTO leases (execution, epoch, digest) SELECT execution, %s, '' FROM unnest(%s::uuid[]) AS execution
 ORDER BY execution ON CONFLICT (execution) DO UPDATE
   SET epoch = excluded.epoch, digest = '', owner = NULL, closed_type = NULL, closed_body = NULL, closed_at = NULL
"""

# Found first and then deleted by their keys: a portion costs the same wherever the journal's dead rows are.
_DROP: Final = """
DELETE FROM journal USING (SELECT execution, number FROM journal WHERE execution = ANY(%s::uuid[]) LIMIT %s) AS portion
 WHERE journal.execution = portion.execution AND journal.number = portion.number
"""

_FORGET: Final = "DELETE FROM leases WHERE execution = ANY(%s::uuid[]) AND epoch = %s"


async def drop_journals(database: Database, request: pb.DropJournalsRequest) -> None:
    """Returns once they are gone. Raises ``InvalidInput``, ``Unavailable``: some may be gone then."""
    if len(request.executions) > _MOST:
        raise InvalidInput(f"drop at most {_MOST} journals at a time")
    executions = sorted({execution_of(text) for text in request.executions})
    await _execute(database, _FENCE, [DELETED, executions])
    while await _execute(database, _DROP, [executions, _PORTION]) == _PORTION:
        continue
    if request.forget:
        await _execute(database, _FORGET, [executions, DELETED])


async def _execute(database: Database, statement: str, values: Sequence[int | list[UUID]]) -> int:
    """One statement, one transaction: appends wait for none of them long."""

    async def execute(connection: Connection) -> int:
        return (await connection.execute(statement, values)).rowcount

    return await database.run(execute)
