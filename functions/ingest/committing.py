"""Group commit without a timer: what arrives while one group commits is the next group.

One group is under way at a time, so the records of an execution are written in the order they came.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from uuid import UUID

from lowtide.errors import Unavailable
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.storage.database import UNFIT, Database
from lowtide.telemetry.measures import Spread
from lowtide.telemetry.tracing import Tracer
from lowtide.wire.traces import read

from .appending import write_group
from .owners import Voices
from .plain import append_plainly
from .work import Work

__all__ = ["Committer"]

log = logging.getLogger("lowtide.ingest.committing")

_LARGEST_GROUP: Final = 500
_LARGEST_BYTES: Final = 16 * 1024 * 1024
_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 1.0

_Waiting = tuple[Work, asyncio.Future[list[pb.Refusal]], float]


class Committer:
    """Writes works to the journal; while the database is away, they wait. It counts what it commits."""

    def __init__(self, database: Database, voices: Voices, ttl: float, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self.groups = self.appends = self.records = self.refused = 0
        self.up = True
        self.seconds = Spread("lowtide_journal_append_seconds", "From a batch's arrival to its commit")
        self._database = database
        self._voices = voices
        self._ttl = ttl
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, work: Work) -> asyncio.Future[list[pb.Refusal]]:
        """Resolves with the refusals after the commit."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[pb.Refusal]] = loop.create_future()
        self._waiting.append((work, done, loop.time()))
        self._arrived.set()
        self._idle.clear()
        return done

    @property
    def waiting(self) -> int:
        """Works that are not committed yet."""
        return len(self._waiting)

    async def drained(self) -> None:
        """Returns once nothing waits."""
        await self._idle.wait()

    async def run(self) -> None:
        """Commit groups until cancelled."""
        delay = _FIRST_DELAY
        while True:
            if not self._waiting:
                self._arrived.clear()
                self._idle.set()
                await self._arrived.wait()
            group = self._waiting[: self._size_of_next()]
            try:
                refusals = await self._write([work for work, _, _ in group])
            except Unavailable as error:
                self.up = False
                log.warning("the journal waits", extra={"reason": str(error), "waiting": len(self._waiting)})
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY)
                continue
            delay = _FIRST_DELAY
            del self._waiting[: len(group)]
            for (work, done, _), refused in zip(group, refusals, strict=True):
                if not done.done():
                    done.set_result(work.refused + refused)
            self._count(group, refusals)

    def _count(self, group: list[_Waiting], refusals: list[list[pb.Refusal]]) -> None:
        self.up = True
        self.groups += 1
        now = asyncio.get_running_loop().time()
        for (work, _, arrived), refused in zip(group, refusals, strict=True):
            self.refused += len(work.refused) + len(refused)
            if work.appends:
                self.appends += len(work.appends)
                self.records += sum(len(append.records) for append in work.appends)
                self.seconds.see(now - arrived)
                if self._tracer is not None:
                    self._trace(self._tracer, work, now - arrived, len(group))

    def _trace(self, tracer: Tracer, work: Work, seconds: float, together: int) -> None:
        began = tracer.now() - int(seconds * 1e9)
        for append in work.appends:
            above = read(append.trace)
            if above is not None:
                span = tracer.span("journal commit", above, "server", began=began)
                span.note(execution=str(append.execution), records=len(append.records), group=together).end()

    def _size_of_next(self) -> int:
        size = count = 0
        for work, _, _ in self._waiting[:_LARGEST_GROUP]:
            size += sum(len(body) for append in work.appends for _, body in append.records)
            if count and size > _LARGEST_BYTES:
                break
            count += 1
        return count

    async def _write(self, group: list[Work]) -> list[list[pb.Refusal]]:
        """What can be written plainly is; the other works are judged one by one, and may find their records there."""
        written = await self._written_plainly(group)
        plain = [written is not None and written.issuperset(_executions(work)) for work in group]
        refusals = iter(await self._judge([work for work, done in zip(group, plain, strict=True) if not done]))
        return [[] if done else next(refusals) for done in plain]

    async def _written_plainly(self, group: list[Work]) -> set[UUID] | None:
        """The executions whose appends are written; ``None`` where the group has to be judged."""
        given = [(append, work.owner) for work in group for append in work.appends]
        if any(work.releases for work in group) or len({append.execution for append, _ in given}) < len(given):
            return None
        streams = {work.owner: work.stream for work in group if work.heard}
        unknown, at = self._voices.unknown(streams), asyncio.get_running_loop().time()
        if not given and not unknown:
            return set()
        try:
            written = await self._database.run(lambda connection: append_plainly(connection, given, unknown, self._ttl))
        except UNFIT:
            return None
        self._voices.told({work.owner: work.stream for work in group if work.heard and work.owner in unknown}, at)
        return written

    async def _judge(self, group: list[Work]) -> list[list[pb.Refusal]]:
        if not group:
            return []
        try:
            return await self._database.transaction(lambda connection: write_group(connection, group, self._ttl))
        except UNFIT as error:
            if len(group) == 1:
                log.warning("refused what the journal cannot take", extra={"reason": str(error)})
                return [[_invalid(append.execution.hex, append.epoch, str(error)) for append in group[0].appends]]
        # One of them is malformed in a way that only the database noticed: the others must not suffer.
        return [refused for work in group for refused in await self._judge([work])]


def _invalid(execution: str, epoch: int, detail: str) -> pb.Refusal:
    return pb.Refusal(execution=execution, epoch=epoch, reason=pb.Refusal.INVALID, detail=detail)


def _executions(work: Work) -> set[UUID]:
    return {append.execution for append in work.appends}
