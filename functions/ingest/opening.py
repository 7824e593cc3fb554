"""Open: who gets a lease, and which tail comes with it.

The lease's row is locked first; everything after it is a later statement with a snapshot of its own. An append holds a
lock on the same row while it writes, so a record is either seen in the tail or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lowtide.errors import InvalidInput
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import Connection

from .owners import heard, lives
from .work import check_text, execution_of

__all__ = ["DELETED", "Lease", "decide", "open_epoch", "read_lease"]

DELETED: Final = 2**63 - 1
"""The epoch in the lease of a deleted execution: higher than all, so that no dispatch of it opens anything."""

_READ = "SELECT epoch, digest, owner, closed_type, closed_body FROM leases WHERE execution = %s"

_TAKE = """
UPDATE leases SET epoch = %(epoch)s, digest = %(digest)s, owner = %(owner)s, opened_at = now(),
       closed_type = NULL, closed_body = NULL, closed_at = NULL
 WHERE execution = %(execution)s
"""

_MAKE = """
INSERT INTO leases (execution, epoch, digest, owner)
VALUES (%(execution)s, %(epoch)s, %(digest)s, %(owner)s) ON CONFLICT (execution) DO NOTHING RETURNING true
"""

_TAIL = "SELECT number, epoch, body FROM journal WHERE execution = %s AND number > %s ORDER BY number"


@dataclass(frozen=True, slots=True)
class Lease:
    epoch: int
    digest: str
    owner: str | None
    closed: tuple[str, bytes] | None


async def open_epoch(connection: Connection, request: pb.OpenRequest, ttl: float) -> pb.OpenReply:
    """Inside a transaction: take the lease, or say why not."""
    execution = execution_of(request.execution)
    check_text("owner", request.owner)
    check_text("digest", request.digest)
    if request.epoch < 1 or request.upto < 0:
        raise InvalidInput("an epoch is at least 1, and upto at least 0")
    if request.upto and not await _has(connection, str(execution), request.upto):
        return await _diverged(connection, request)
    wanted = {
        "execution": execution,
        "epoch": request.epoch,
        "digest": request.digest,
        "owner": request.owner,
    }
    made = await (await connection.execute(_MAKE, wanted)).fetchone()
    if made is None:
        lease = await read_lease(connection, str(execution), lock=True)
        if lease is None:  # it was in our way a moment ago, and goes last of all that is deleted
            return _deleted()
        refused = decide(lease, request, alive=await lives(connection, lease.owner))
        if refused is not None:
            return refused
        await connection.execute(_TAKE, wanted)
    await heard(connection, {request.owner: ""}, ttl)
    cursor = connection.cursor(binary=True)
    await cursor.execute(_TAIL, [execution, request.upto])
    tail = [pb.Record(number=number, epoch=epoch, body=body) async for number, epoch, body in cursor]
    return pb.OpenReply(answer=pb.OpenReply.OK, tail=tail)


def decide(lease: Lease, request: pb.OpenRequest, *, alive: bool) -> pb.OpenReply | None:
    """Why the lease is not given, or ``None`` where it is. Only a dead owner or a higher epoch lets it go."""
    if lease.epoch == DELETED:
        return _deleted()
    if request.epoch < lease.epoch:
        return pb.OpenReply(answer=pb.OpenReply.GONE, reason=f"epoch {lease.epoch} has begun")
    if request.epoch > lease.epoch:
        return None
    if request.digest != lease.digest:
        reason = f"epoch {lease.epoch} was opened with another dispatch"
        return pb.OpenReply(answer=pb.OpenReply.DIVERGED, reason=reason)
    if lease.closed is not None:
        event_type, body = lease.closed
        outcome = pb.Closed(type=event_type, body=body)
        return pb.OpenReply(answer=pb.OpenReply.CLOSED, outcome=outcome, reason=f"epoch {lease.epoch} has ended")
    if lease.owner != request.owner and alive:
        return pb.OpenReply(answer=pb.OpenReply.HELD, reason=f"owner {lease.owner} is running it")
    return None


def _deleted() -> pb.OpenReply:
    return pb.OpenReply(answer=pb.OpenReply.GONE, reason="the execution was deleted")


async def read_lease(connection: Connection, execution: str, *, lock: bool = False) -> Lease | None:
    cursor = connection.cursor(binary=True)
    await cursor.execute(_READ + (" FOR NO KEY UPDATE" if lock else ""), [execution])
    row = await cursor.fetchone()
    if row is None:
        return None
    epoch, digest, owner, closed_type, closed_body = row
    return Lease(epoch, digest, owner, None if closed_type is None else (closed_type, closed_body))


async def _has(connection: Connection, execution: str, number: int) -> bool:
    statement = "SELECT true FROM journal WHERE execution = %s AND number = %s"
    return await (await connection.execute(statement, [execution, number])).fetchone() is not None


async def _diverged(connection: Connection, request: pb.OpenRequest) -> pb.OpenReply:
    """The journal ends before the caller's snapshot: one of the two stores was restored to another moment."""
    lease = await read_lease(connection, request.execution)
    if lease is not None:
        refused = decide(lease, request, alive=await lives(connection, lease.owner))
        if refused is not None:
            return refused
    reason = f"the journal ends before record {request.upto}"
    return pb.OpenReply(answer=pb.OpenReply.DIVERGED, reason=reason)
