"""The client of ingest: the journal and the history of execute, and what orchestrate asks.

    client = IngestClient("ingest:80", owner=new_owner(), clock=SystemClock(), chance=uniform)
    client.start()          # connects in the background
    ...
    await client.aclose()   # sends what waits

It implements :class:`lowtide.runtime.ports.Journal` and :class:`lowtide.runtime.ports.History`; its ``payloads`` are
:class:`lowtide.runtime.ports.Payloads`. One per process: leases belong to the ``owner``, which must name this process
alone.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from lowtide.clients.batching import ROOM, ROOM_BYTES, Asking, Buffer, Waiting
from lowtide.clients.calling import Breaker, Caller
from lowtide.clients.reporting import Patience, Reporter
from lowtide.clients.trust import Key, Trust
from lowtide.errors import Fenced, InvalidInput, LowtideError
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.fact import Fact
from lowtide.model.usage import Usage
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.rpc.v1.ingest_pb2_grpc import IngestStub
from lowtide.wire import json, protobuf
from lowtide.wire.records import Change, Closing, Entry, JournalRecord, LeaseState, Opened, Outline, Subject
from lowtide.wire.types import Wake

if TYPE_CHECKING:
    from lowtide.clients.payloads import IngestPayloads
    from lowtide.runtime.clock import Clock

__all__ = ["IngestClient", "Patience"]

_ON_THE_STREAM: Final = 1.0
"""Seconds that a lease is waited for on the stream."""


class IngestClient:
    """``window``: seconds that a sign of life is believed in; below the time that the server gives a lost stream.
    ``deadline``: seconds for each single call, all repetitions included. ``room`` and ``room_bytes``: how many reports
    of history wait, and how large they may be, before new ones are dropped. ``stub`` is called instead of ``target``.
    :meth:`traced` says in which trace appends and calls are made."""

    def __init__(
        self,
        target: str,
        *,
        owner: str,
        clock: Clock,
        chance: Callable[[], float],
        window: float = 4.5,
        deadline: float = 15.0,
        patience: Patience | None = None,
        room: int = ROOM,
        room_bytes: int = ROOM_BYTES,
        stub: IngestStub | None = None,
    ) -> None:
        patience = patience or Patience()
        self.owner = owner
        self._target = target
        self._idle, self._silent = patience.idle, patience.silent
        self._clock = clock
        self._call = Caller(clock, chance, deadline)
        self.breaker = Breaker(clock.monotonic, chance)
        self._channel: grpc.aio.Channel | None = None
        self._client = stub
        self._buffer = Buffer(owner, room, room_bytes)
        self._trust = Trust(window, clock.monotonic)
        self.reporter = Reporter(
            self._stub, self._buffer, self._trust, clock, chance, patience, receive=self._receive, lost=self._set_lost
        )
        self._opening: set[Key] = set()
        self._reasons: dict[Key, LowtideError] = {}
        self._receivers: defaultdict[Key, list[Callable[[Wake], None]]] = defaultdict(list)
        self._early: defaultdict[Key, list[Wake]] = defaultdict(list)
        self._lines = count()

    def start(self) -> None:
        """Begin to connect, without waiting for it. Call it inside the event loop."""
        self._stub()
        assert self._channel is not None
        self._channel.get_state(try_to_connect=True)

    def traced(self, trace: Callable[[], str | None]) -> None:
        """From now on ``trace`` is asked in which trace the work at hand is done."""
        self._call.trace = trace

    @property
    def payloads(self) -> IngestPayloads:
        from lowtide.clients.payloads import IngestPayloads

        return IngestPayloads(self._call, self._stub)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Reports that were dropped, by kind: the buffer was full, or ingest away for too long."""
        return self._buffer.dropped

    @property
    def buffered(self) -> int:
        """Reports that wait to be sent."""
        return len(self._buffer)

    @property
    def held(self) -> int:
        """Leases that are open here."""
        return len(self._trust.open)

    async def aclose(self, grace: float = 2.0) -> None:
        """Send what waits, for at most ``grace`` seconds, and disconnect."""
        await self.reporter.close(grace)
        if self._channel is not None:
            await self._channel.close(None)

    # ------------------------------------------------------------ the journal

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        key = (execution, epoch)
        if key in self._trust.open or key in self._opening:
            return Opened("held", reason="this process is running it already")
        with self.breaker.passing():
            return await self._open(key, digest, upto)

    async def _open(self, key: Key, digest: str, upto: int) -> Opened:
        execution, epoch = key
        self._opening.add(key)
        try:
            await self._give_back_first(key)
            request = pb.OpenRequest(execution=execution, epoch=epoch, digest=digest, upto=upto, owner=self.owner)
            opened, sent = await self._opened(request)
            if opened.answer == "ok":
                self._reasons.pop(key, None)
                self._trust.opened(key, sent)
                self.reporter.wake()
            return opened
        except BaseException:
            # Cancelled or unanswered: the lease may be ours without anybody who would use it.
            self._buffer.give_back(key)
            self.reporter.wake()
            raise
        finally:
            self._opening.discard(key)

    async def _opened(self, request: pb.OpenRequest) -> tuple[Opened, float]:
        """What became of it, and when it was sent. First openings go with the stream, and nearly all end there."""
        if not request.upto and not self.reporter.failing:
            asking = Asking(request)
            self._buffer.ask(asking)
            self.reporter.wake()
            made = None
            with suppress(TimeoutError):  # what else the batch brings may wait for the journal: Open says what is wrong
                async with asyncio.timeout(_ON_THE_STREAM):
                    made = await asking.done
            if made is not None:
                return protobuf.opened_fresh(made[0]), made[1]
        reply, sent = await self._call(self._stub().Open, request)
        return protobuf.opened_from(reply), sent

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        """As the port says. Without entries and closing it asks whether the lease is still ours, and waits for the
        answer; after it :meth:`holds` is true again where a pause in the connection had made it false."""
        key = (execution, epoch)
        if key not in self._trust.open:
            known = self._reasons.get(key)
            raise known if known is not None else Fenced(f"execution {execution}, epoch {epoch} is not open here")
        message = protobuf.append_of(execution, epoch, entries, closing)
        if self._call.trace is not None:
            message.trace = self._call.trace() or ""
        await self._send(key, message)
        if closing is not None:
            self._forget(key)

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        return self._trust.holds((execution, epoch))

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        key = (execution, epoch)
        self._receivers[key].append(receive)
        for wake in self._early.pop(key, []):
            receive(wake)

        def silence() -> None:
            if receive in self._receivers[key]:
                self._receivers[key].remove(receive)
            if not self._receivers[key]:
                del self._receivers[key]

        return silence

    async def release(self, execution: ExecutionId, epoch: int) -> None:
        """Told with the next batch, without waiting for it."""
        key = (execution, epoch)
        if key not in self._trust.open:
            return
        self._trust.ended(key)
        self._forget(key)
        self._buffer.give_back(key)
        self.reporter.wake()

    # ------------------------------------------------------------ history

    def facts(self, subject: Subject, facts: tuple[Fact, ...]) -> None:
        whom = protobuf.subject_of(subject)
        for fact in facts:
            self._buffer.report("facts", protobuf.fact_of(whom, fact))
        self.reporter.wake()

    def log(
        self, subject: Subject, level: str, message: str, task: str = "", fields: dict[str, JSON] | None = None
    ) -> None:
        whom, line = protobuf.subject_of(subject), f"{self.owner}-{next(self._lines)}"
        self._buffer.report("logs", protobuf.log_line_of(whom, line, self._clock.now(), level, message, task, fields))
        self.reporter.wake()

    def usage(self, subject: Subject, epoch: int, usage: Usage) -> None:
        whom = protobuf.subject_of(subject)
        self._buffer.report("usages", protobuf.usage_of(whom, epoch, self._clock.now(), usage))
        self.reporter.wake()

    # ------------------------------------------------------------ what orchestrate asks

    async def signal(self, execution: ExecutionId, epoch: int, wake: Wake) -> bool:
        """Hand ``wake`` to the running owner; whether there is one. Raises :class:`lowtide.errors.Unavailable`."""
        request = pb.SignalRequest(item=protobuf.item_of(execution, epoch, wake))
        reply, _ = await self._call(self._stub().Signal, request)
        return bool(reply.delivered)

    async def leases(self, executions: list[ExecutionId]) -> dict[ExecutionId, LeaseState]:
        """The newest epoch of each; executions that were never opened are absent. Raises Unavailable."""
        reply, _ = await self._call(self._stub().Leases, pb.LeasesRequest(executions=executions))
        return {ExecutionId(lease.execution): protobuf.lease_from(lease) for lease in reply.leases}

    async def journal(self, execution: ExecutionId, after: int, limit: int) -> tuple[tuple[JournalRecord, ...], bool]:
        """Records after number ``after``, and whether there are more than these. Raises Unavailable."""
        request = pb.ReadJournalRequest(execution=execution, after=after, limit=limit)
        reply, _ = await self._call(self._stub().ReadJournal, request)
        return protobuf.records_from(reply), bool(reply.more)

    async def fork_journal(self, origin: ExecutionId, upto: int, execution: ExecutionId, entry: Entry) -> None:
        """Begin the journal of ``execution`` with that of ``origin`` up to ``upto``, and one entry more.

        Raises :class:`lowtide.errors.Unavailable`.
        """
        body = json.encode(entry)
        request = pb.ForkJournalRequest(origin=origin, upto=upto, execution=execution, body=body)
        await self._call(self._stub().ForkJournal, request)

    async def drop_journals(self, executions: list[ExecutionId], *, forget: bool) -> None:
        """Delete the journals of executions that are no more; with ``forget`` also what answers their late dispatches.

        Raises :class:`lowtide.errors.Unavailable`: some may be gone then.
        """
        await self._call(self._stub().DropJournals, pb.DropJournalsRequest(executions=executions, forget=forget))

    async def change(self, change: Change) -> None:
        """Tell analytics; returns once it is stored. Raises :class:`lowtide.errors.Unavailable`: say it again later."""
        await self._send((change.subject.execution, change.epoch), protobuf.change_of(change))

    async def outline(self, outline: Outline) -> None:
        """Tell analytics what a version is made of; returns once it is stored. Raises Unavailable, InvalidInput."""
        await self._call(self._stub().PutOutline, protobuf.outline_of(outline))

    # ------------------------------------------------------------ inside

    def _stub(self) -> IngestStub:
        if self._client is None:
            options = [
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.enable_http_proxy", 0),
                # An unused connection would keep the laptop's ingest from ending.
                ("grpc.client_idle_timeout_ms", max(1000, int(self._idle * 1000))),
                # A machine that is gone says nothing, and TCP waits for it for a quarter of an hour.
                ("grpc.keepalive_time_ms", int(self._silent * 1000)),
                ("grpc.keepalive_timeout_ms", int(self._silent * 500)),
                ("grpc.http2.ping_timeout_ms", int(self._silent * 500)),
                ("grpc.http2.max_pings_without_data", 0),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 2000),
            ]
            self._channel = grpc.aio.insecure_channel(self._target, options=options)
            self._client = IngestStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        return self._client

    async def _send(self, key: Key, message: pb.Append | pb.ExecutionChange) -> None:
        waiting = Waiting(key, message)
        self._buffer.add(waiting)
        self.reporter.wake()
        await waiting.done

    async def _give_back_first(self, key: Key) -> None:
        """What is opened again must not be given back by a message that is still under way."""
        self._buffer.releases.discard(key)
        load = self.reporter.load
        if load is not None and key in load.released:
            await load.settled.wait()
            self._buffer.releases.discard(key)

    def _receive(self, item: pb.Item) -> None:
        key = (ExecutionId(item.execution), item.epoch)
        try:
            wake = protobuf.wake_from(item)
        except InvalidInput:
            return  # from a newer orchestrate: its inbox row is still there for an execute that understands it
        if key in self._receivers:
            for receive in list(self._receivers[key]):
                receive(wake)
        elif key in self._trust.open:
            self._early[key].append(wake)

    def _set_lost(self, key: Key, reason: LowtideError) -> None:
        self._forget(key)
        self._reasons[key] = reason
        while len(self._reasons) > 1000:
            del self._reasons[next(iter(self._reasons))]

    def _forget(self, key: Key) -> None:
        self._early.pop(key, None)
