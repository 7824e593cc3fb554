"""The one Report stream of a process: batches out, acknowledgements and signals in.

One batch is under way at a time; what comes meanwhile gathers for the next, so no timer holds an append back. When the
stream breaks (Knative cuts it, a replica ends, a process is killed), the batch under way is sent again first, so that
records keep their order; the journal knows what it has already written. Between two needs there is no stream, so that
ingest can go to zero.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from lowtide.clients.batching import Buffer, Load
from lowtide.clients.trust import Key, Trust
from lowtide.errors import Fenced, InvalidInput, LowtideError, Unavailable
from lowtide.model.base import Value
from lowtide.rpc.v1 import ingest_pb2 as pb

if TYPE_CHECKING:
    from lowtide.rpc.v1.ingest_pb2_grpc import IngestStub
    from lowtide.runtime.clock import Clock

__all__ = ["Patience", "Reporter"]

log = logging.getLogger("lowtide.clients.ingest")

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 1.0
_HOPELESS: Final = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
)


class Patience(Value, frozen=True):
    """Seconds: until a batch must be acknowledged, until failing is given up, that history may wait, that a stream
    without work stays, that a connection at work may say nothing until it is asked whether it lives; to say so, it has
    half as long."""

    answer: float = 10.0
    failing: float = 20.0
    history: float = 0.2
    idle: float = 3.0
    silent: float = 4.0


class _StreamLost(Exception):
    """The stream ended or went silent; ``str(error)`` says which."""


class Reporter:
    """Call :meth:`wake` after every change of ``buffer`` or ``trust``. ``lost`` is called for every lease that is no
    longer ours, with the reason; ``receive`` for every signal; ``acknowledged``, where it is set, with the seconds that
    each batch took. ``streams`` were begun, ``broken`` of them did not end well."""

    def __init__(
        self,
        stub: Callable[[], IngestStub],
        buffer: Buffer,
        trust: Trust,
        clock: Clock,
        chance: Callable[[], float],
        patience: Patience,
        *,
        receive: Callable[[pb.Item], None],
        lost: Callable[[Key, LowtideError], None],
    ) -> None:
        self.load: Load | None = None
        self.streams = self.broken = 0
        self.acknowledged: Callable[[float], None] | None = None
        self._stub = stub
        self._buffer = buffer
        self._trust = trust
        self._clock = clock
        self._chance = chance
        self._patience = patience
        self._receive = receive
        self._lost = lost
        self._event = asyncio.Event()
        self._ack: asyncio.Future[pb.Ack | None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._go_away = False
        self._closing = False
        self._failing_since: float | None = None
        self._delay = _FIRST_DELAY
        self._sent = self._busy = clock.monotonic()

    @property
    def failing(self) -> bool:
        """Whether the last thing that was heard is that the stream broke."""
        return self._failing_since is not None

    def wake(self) -> None:
        self._event.set()
        if self._needed and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self, grace: float) -> None:
        """Send what waits, for at most ``grace`` seconds, then end the stream."""
        self._closing = True
        self._event.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=grace)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._give_up(Unavailable("the client was closed"))

    @property
    def _needed(self) -> bool:
        waits = self.load is not None or self._buffer.urgent or self._buffer.patient
        return waits or (bool(self._trust.open) and not self._closing)

    async def _run(self) -> None:
        """Streams, one after the other, while there is a need."""
        while self._needed:
            started = self._clock.monotonic()
            try:
                await self._session()
                if self._clock.monotonic() - started < self._delay:
                    await self._pause()  # it was ended at once: whoever ends them may be about to go
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError, _StreamLost) as error:
                await self._failed(error)
            except Exception as error:
                # A mistake of ours or of a library: whoever waits for an acknowledgement must hear of it.
                log.exception("the stream to ingest failed in an unknown way")
                self._give_up(Unavailable(f"the journal could not be reached: {_reason(error)}"))
                await self._pause()

    async def _failed(self, error: Exception) -> None:
        self.broken += 1
        now = self._clock.monotonic()
        self._buffer.stop_asking(self.load)
        if self._failing_since is None:
            self._failing_since = now
        hopeless = isinstance(error, grpc.aio.AioRpcError) and error.code() in _HOPELESS
        if hopeless or now - self._failing_since > self._patience.failing:
            self._give_up(Unavailable(f"the journal could not be reached: {_reason(error)}"))
            self._failing_since = None
        await self._pause()

    async def _pause(self) -> None:
        await self._clock.sleep(self._delay * (0.5 + self._chance()))
        self._delay = min(self._delay * 2, _LONGEST_DELAY)

    def _give_up(self, error: Unavailable) -> None:
        """Whoever waits hears of it. Leases that we might still have are given back when there is a stream again."""
        self._buffer.stop_asking(self.load, error)
        waiting = self._buffer.give_up(self.load)
        self.load = None
        for item in waiting:
            if isinstance(item.message, pb.Append) and item.key in self._trust.open:
                self._trust.ended(item.key)
                self._buffer.releases.add(item.key)
                self._lost(item.key, error)
            if not item.done.done():
                item.done.set_exception(error)
        if waiting:
            log.warning("gave up", extra={"waiting": len(waiting), "reason": str(error)})

    # ------------------------------------------------------------ one stream

    async def _session(self) -> None:
        """One stream, until it is idle or asked to go away. Raises what ended it otherwise."""
        self.streams += 1
        self._go_away = False
        self._busy = self._clock.monotonic()
        call = self._stub().Report(wait_for_ready=True)
        self._reader = reader = asyncio.create_task(self._read(call))
        reader.add_done_callback(self._unread)
        sequence = 0
        try:
            while self.load is not None or await self._next(reader):
                self.load = self.load or self._buffer.take(set(self._trust.doubtful))
                sequence += 1
                self.load.batch.sequence = sequence
                self._sent = self._clock.monotonic()
                self._ack = asyncio.get_running_loop().create_future()
                try:
                    async with asyncio.timeout(self._patience.answer):
                        await call.write(self.load.batch)
                        ack = None if reader.done() else await self._ack
                except TimeoutError:
                    raise _StreamLost("no acknowledgement came in time") from None
                if ack is None:
                    raise _ended(reader)
                self._settle(ack)
            await call.done_writing()
            await asyncio.wait([reader], timeout=1.0)
        finally:
            reader.cancel()
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError, _StreamLost):
                await reader

    async def _read(self, call: grpc.aio.StreamStreamCall[pb.Batch, pb.Push]) -> None:
        async for push in call:
            match push.WhichOneof("push"):
                case "ack":
                    if self.load is not None and push.ack.sequence == self.load.batch.sequence:
                        self._answer(push.ack)
                case "signal":
                    self._receive(push.signal)
                case "go_away":
                    self._go_away = True
                    self._event.set()

    def _unread(self, reader: asyncio.Task[None]) -> None:
        """Nothing more will be heard on its stream."""
        self._event.set()
        if reader is self._reader:
            self._answer(None)

    def _answer(self, ack: pb.Ack | None) -> None:
        if self._ack is not None and not self._ack.done():
            self._ack.set_result(ack)

    async def _next(self, reader: asyncio.Task[None]) -> bool:
        """Whether to send a batch now (else the stream is to end); waits until either is so."""
        while True:
            self._event.clear()
            if reader.done():
                raise _ended(reader)
            if self._go_away:
                return False
            if self._buffer.urgent or self._trust.doubtful:
                return True
            due, send = self._due()
            wait = due - self._clock.monotonic()
            if wait <= 0:
                return send
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._event.wait()

    def _due(self) -> tuple[float, bool]:
        """When there is something to do if nobody asks before, and whether that is sending (else ending)."""
        if self._buffer.patient:
            return self._sent + (0.0 if self._closing else self._patience.history), True
        if self._closing:
            return self._sent, False
        if self._trust.open:
            return self._sent + self._trust.window / 3, True
        return self._busy + self._patience.idle, False

    def _settle(self, ack: pb.Ack) -> None:
        load, self.load = self.load, None
        assert load is not None
        self._failing_since, self._delay = None, _FIRST_DELAY
        self._busy = self._clock.monotonic()
        if self.acknowledged is not None:
            self.acknowledged(self._busy - self._sent)
        refused = {(refusal.execution, refusal.epoch): refusal for refusal in ack.refused}
        appended = {item.key for item in load.waiting if isinstance(item.message, pb.Append)}
        self._trust.heard(self._sent, (appended | load.verified) - set(refused))
        for key, refusal in refused.items():
            if key in appended | load.verified:
                self._trust.ended(key)
                self._lost(key, _error_of(refusal))
        for item in load.waiting:
            closed = isinstance(item.message, pb.Append) and item.message.HasField("close")
            if item.key in refused:
                if not item.done.done():
                    item.done.set_exception(_error_of(refused[item.key]))
                continue
            if closed:
                self._trust.ended(item.key)
            if not item.done.done():
                item.done.set_result(None)
        made = {(opened.execution, opened.epoch): opened for opened in ack.opened}
        for asking in load.asking:
            opened = made.get((asking.request.execution, asking.request.epoch))
            asking.resolve(None if opened is None else (opened, self._sent))
        load.settled.set()


def _ended(reader: asyncio.Task[None]) -> Exception:
    error = None if reader.cancelled() else reader.exception()
    return error if isinstance(error, Exception) else _StreamLost("the stream ended")


def _error_of(refusal: pb.Refusal) -> LowtideError:
    text = f"execution {refusal.execution}, epoch {refusal.epoch}: {refusal.detail}"
    match refusal.reason:
        case pb.Refusal.FENCED:
            return Fenced(text)
        case pb.Refusal.BEHIND:
            return Unavailable(text)
        case _:
            return InvalidInput(text)


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error) or type(error).__name__
