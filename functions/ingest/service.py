"""The remote procedures: protobuf in and out, our errors as status codes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, TypeVar

import grpc
import psycopg

from lowtide.errors import InvalidInput, LowtideError, Unavailable
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.rpc.v1 import ingest_pb2_grpc
from lowtide.runtime.chance import new_owner
from lowtide.runtime.grouping import Grouped
from lowtide.storage.database import UNFIT, Connection, Database
from lowtide.telemetry.measures import Count

from .dropping import drop_journals
from .forking import fork_journal
from .opening import open_epoch
from .owners import Voices, lost
from .payloads import Payloads
from .plain import may_be_fresh, open_fresh
from .reading import read_journal
from .stream import Journalist, ReportStream
from .work import execution_of

__all__ = ["IngestService"]

log = logging.getLogger("lowtide.ingest.service")

T = TypeVar("T")

_MOST_LEASES: Final = 1000

_LEASES = """
SELECT execution, epoch, closed_type, closed_body,
       closed_type IS NULL AND coalesce(expires_at > clock_timestamp(), false), leases.owner
  FROM leases LEFT JOIN owners USING (owner) WHERE execution = ANY(%s::uuid[])
"""

if TYPE_CHECKING:
    Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class IngestService(ingest_pb2_grpc.IngestServicer):
    """``ttl`` and ``lost_ttl``: how long an owner lives after it was heard, and after its stream broke (seconds).
    ``largest_payload`` in bytes."""

    def __init__(
        self,
        database: Database,
        to: Journalist,
        voices: Voices,
        *,
        ttl: float,
        lost_ttl: float,
        stream_lifetime: float,
        largest_payload: int = 64 * 1024 * 1024,
    ) -> None:
        self.opens = Count("lowtide_opens_total", "Leases asked for, by answer", ("answer",))
        self._database = database
        self._to = to
        self._voices = voices
        self._fresh: Grouped[pb.OpenRequest, pb.OpenReply | None] = Grouped(self._open_fresh)
        self._ttl = ttl
        self._lost_ttl = lost_ttl
        self._stream_lifetime = stream_lifetime
        self._payloads = Payloads(database, largest_payload)
        self._streams: set[ReportStream] = set()
        self._farewells: set[asyncio.Task[None]] = set()
        self._draining = ""

    async def Open(self, request: pb.OpenRequest, context: Context) -> pb.OpenReply:
        async def work(connection: Connection) -> pb.OpenReply:
            return await open_epoch(connection, request, self._ttl)

        if may_be_fresh(request):
            made = await _answer(context, self._fresh.ask(request))
            if made is not None:
                return made
        reply = await _answer(context, self._database.transaction(work))
        self.opens.add(pb.OpenReply.Answer.Name(reply.answer).lower())
        return reply

    @property
    def streams(self) -> int:
        """Streams that are open."""
        return len(self._streams)

    @property
    def held(self) -> int:
        """Those of them that are not read, until more of what they brought is answered."""
        return sum(stream.held for stream in self._streams)

    async def _open_fresh(self, requests: Sequence[pb.OpenRequest]) -> list[pb.OpenReply | None]:
        """Those that come at the same time in one statement; ``None`` where there is a lease already."""
        first = {execution_of(request.execution): request for request in reversed(requests)}
        unknown = self._voices.unknown({request.owner: "" for request in requests})
        tails = await self._database.run(lambda connection: open_fresh(connection, first, unknown, self._ttl))
        self.opens.add("ok", by=len(tails))
        replies = {
            id(first[execution]): pb.OpenReply(answer=pb.OpenReply.OK, tail=tail) for execution, tail in tails.items()
        }
        return [replies.get(id(request)) for request in requests]

    async def Report(self, request_iterator: AsyncIterator[pb.Batch], context: Context) -> AsyncIterator[pb.Push]:
        stream = ReportStream(new_owner(), self._to, self._stream_lifetime, self._fresh.ask)
        self._streams.add(stream)
        if self._draining:
            stream.go_away(self._draining)
        try:
            async for push in stream.serve(request_iterator):
                yield push
        except LowtideError as error:
            await _abort(context, error)
        finally:
            self._streams.discard(stream)
            self._voices.forget(stream.owner, stream.name)
            if stream.owner:
                farewell = asyncio.create_task(self._say_farewell(stream))
                self._farewells.add(farewell)
                farewell.add_done_callback(self._farewells.discard)
            stream.ended.set()

    async def Signal(self, request: pb.SignalRequest, context: Context) -> pb.SignalReply:
        delivered = await _answer(context, self._to.signals.deliver(request.item))
        return pb.SignalReply(delivered=delivered)

    async def Leases(self, request: pb.LeasesRequest, context: Context) -> pb.LeasesReply:
        async def read(connection: Connection) -> pb.LeasesReply:
            if len(request.executions) > _MOST_LEASES:
                raise InvalidInput(f"ask for at most {_MOST_LEASES} leases at a time")
            cursor = connection.cursor(binary=True)
            await cursor.execute(_LEASES, [[execution_of(text) for text in request.executions]])
            return pb.LeasesReply(leases=[_lease(row) async for row in cursor])

        return await _answer(context, self._database.transaction(read))

    async def ReadJournal(self, request: pb.ReadJournalRequest, context: Context) -> pb.ReadJournalReply:
        async def read(connection: Connection) -> pb.ReadJournalReply:
            return await read_journal(connection, request)

        return await _answer(context, self._database.transaction(read))

    async def ForkJournal(self, request: pb.ForkJournalRequest, context: Context) -> pb.ForkJournalReply:
        async def write(connection: Connection) -> pb.ForkJournalReply:
            await fork_journal(connection, request)
            return pb.ForkJournalReply()

        return await _answer(context, self._database.transaction(write))

    async def PutOutline(self, request: pb.WorkflowOutline, context: Context) -> pb.PutOutlineReply:
        await _answer(context, self._to.projector.outline(request))
        return pb.PutOutlineReply()

    async def DropJournals(self, request: pb.DropJournalsRequest, context: Context) -> pb.DropJournalsReply:
        await _answer(context, drop_journals(self._database, request))
        return pb.DropJournalsReply()

    async def PutPayload(self, request_iterator: AsyncIterator[pb.PayloadChunk], context: Context) -> pb.PayloadRef:
        return await _answer(context, self._payloads.put(request_iterator))

    async def GetPayload(self, request: pb.PayloadRef, context: Context) -> AsyncIterator[pb.PayloadChunk]:
        try:
            async for chunk in self._payloads.get(request):
                yield chunk
        except LowtideError as error:
            await _abort(context, error)

    async def DropPayloads(self, request: pb.DropPayloadsRequest, context: Context) -> pb.DropPayloadsReply:
        return pb.DropPayloadsReply(dropped=await _answer(context, self._payloads.drop(request)))

    async def drain(self, reason: str) -> None:
        """Ask all streams to go on elsewhere, and return once they have."""
        self._draining = reason
        for stream in self._streams:
            stream.go_away(reason)
        await asyncio.gather(*(stream.ended.wait() for stream in self._streams))
        await asyncio.gather(*self._farewells)

    async def _say_farewell(self, stream: ReportStream) -> None:
        """The stream ended: its owner has little time to be heard on another one."""
        try:
            await self._database.transaction(
                lambda connection: lost(connection, stream.owner, stream.name, self._lost_ttl)
            )
        except (LowtideError, psycopg.Error) as error:
            log.warning("a lost owner keeps its leases longer", extra={"owner": stream.owner, "reason": str(error)})


def _lease(row: tuple[Any, ...]) -> pb.Lease:
    execution, epoch, closed_type, closed_body, alive, owner = row
    closed = None if closed_type is None else pb.Closed(type=closed_type, body=closed_body)
    return pb.Lease(execution=str(execution), epoch=epoch, alive=alive, closed=closed, owner=owner)


async def _answer(context: Context, work: Awaitable[T]) -> T:
    try:
        return await work
    except LowtideError as error:
        await _abort(context, error)
    except UNFIT as error:
        await _abort(context, InvalidInput(str(error).strip()))


async def _abort(context: Context, error: LowtideError) -> NoReturn:
    if isinstance(error, Unavailable):
        log.warning("unavailable", extra={"reason": str(error)})
    await context.abort(grpc.StatusCode[error.grpc_status], str(error))
    raise AssertionError("abort raises")
