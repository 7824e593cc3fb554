"""One Report stream: reads batches, answers each, pushes wakes, says when it will end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import psycopg

from lowtide.errors import InvalidInput, LowtideError, Unavailable
from lowtide.rpc.v1 import ingest_pb2 as pb

from .committing import Committer
from .plain import may_be_fresh
from .projecting import Projector
from .signalling import Signals
from .work import Work, check_text, work_of

__all__ = ["Journalist", "ReportStream"]

_MOST_UNANSWERED: Final = 8
"""Batches of one stream that may wait for their commit; then reading stops, and HTTP/2 pushes back."""


_FAREWELL: Final = 20.0
"""Seconds after which a stream that was asked to end is ended."""


@dataclass(frozen=True)
class Journalist:
    """Where the parts of a batch go."""

    committer: Committer
    projector: Projector
    signals: Signals


class ReportStream:
    """``name`` is unique among all streams. ``lifetime`` in seconds; the client is told before it ends. ``open_fresh``
    makes a lease where there is none."""

    def __init__(
        self,
        name: str,
        to: Journalist,
        lifetime: float,
        open_fresh: Callable[[pb.OpenRequest], Awaitable[pb.OpenReply | None]],
    ) -> None:
        self.name = name
        self.owner = ""
        self.ended = asyncio.Event()
        self._to = to
        self._lifetime = lifetime
        self._open_fresh = open_fresh
        self._pushes: asyncio.Queue[pb.Push | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_MOST_UNANSWERED)
        self._answers: set[asyncio.Task[None]] = set()
        self._waiting: list[Work] = []
        self._leave: Callable[[], None] | None = None

    @property
    def held(self) -> bool:
        """Whether as much is unanswered as may be."""
        return self._room.locked()

    def push(self, item: pb.Item) -> None:
        self._pushes.put_nowait(pb.Push(signal=item))

    def go_away(self, reason: str) -> None:
        """Ask the client to go on over another stream."""
        self._pushes.put_nowait(pb.Push(go_away=pb.GoAway(reason=reason)))

    async def serve(self, batches: AsyncIterator[pb.Batch]) -> AsyncIterator[pb.Push]:
        """The pushes, until the client has said its last and every batch is answered.

        Raises :class:`lowtide.errors.InvalidInput` when the client breaks the protocol.
        """
        reader = asyncio.create_task(self._read(batches))
        reader.add_done_callback(lambda _: self._pushes.put_nowait(None))
        loop = asyncio.get_running_loop()
        timers = (
            loop.call_later(self._lifetime, self.go_away, "the stream has lived long enough"),
            loop.call_later(self._lifetime + _FAREWELL, self._pushes.put_nowait, None),
        )
        try:
            while (push := await self._pushes.get()) is not None:
                yield push
            if not reader.done():
                raise Unavailable("the stream was asked to end and did not")
            await reader
        finally:
            for timer in timers:
                timer.cancel()
            if self._leave is not None:
                self._leave()
            for work in self._waiting:
                work.heard = False
            for task in (reader, *self._answers):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(reader, *self._answers, return_exceptions=True)

    async def _read(self, batches: AsyncIterator[pb.Batch]) -> None:
        async for batch in batches:
            await self._room.acquire()
            if not self.owner:
                self.owner = check_text("owner", batch.owner)
                self._leave = await self._to.signals.join(self.owner, self)
            elif batch.owner != self.owner:
                raise InvalidInput(f"the stream of owner {self.owner} carried a batch of {batch.owner}")
            work = work_of(batch, self.name)
            self._waiting.append(work)
            committed = self._to.committer.submit(work)
            projected = self._to.projector.offer(batch)
            opened = asyncio.gather(*(self._opened(request) for request in batch.opens)) if batch.opens else None
            answer = asyncio.create_task(self._answer(batch.sequence, work, committed, opened, projected))
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)
        if self._answers:
            await asyncio.wait(self._answers)

    async def _answer(
        self,
        sequence: int,
        work: Work,
        committed: asyncio.Future[list[pb.Refusal]],
        opened: asyncio.Future[list[pb.Opened | None]] | None,
        projected: asyncio.Future[list[pb.Refusal]] | None,
    ) -> None:
        """Acknowledge one batch. Only changes of executions wait for the analytics store; the journal never does."""
        try:
            refused = await committed
            made = [one for one in await opened if one is not None] if opened is not None else []
            if projected is not None:
                refused = refused + await projected
            self._pushes.put_nowait(pb.Push(ack=pb.Ack(sequence=sequence, refused=refused, opened=made)))
        finally:
            self._waiting.remove(work)
            self._room.release()

    async def _opened(self, request: pb.OpenRequest) -> pb.Opened | None:
        """``None`` where it is for ``Open`` to decide, which also says better what is wrong."""
        if request.owner != self.owner or not may_be_fresh(request):
            return None
        try:
            reply = await self._open_fresh(request)
        except (LowtideError, psycopg.Error):
            return None
        if reply is None:
            return None
        return pb.Opened(execution=request.execution, epoch=request.epoch, tail=reply.tail)
