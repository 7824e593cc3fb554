"""What the replicas meet instead of the world: recorded journals, effects, analytics, the broker's door."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from lowtide.clients.ingest import IngestClient
from lowtide.errors import TaskFailed, Unavailable
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import Perform
from lowtide.model.error import standard_error
from lowtide.model.event import EffectFailed, EffectSucceeded, Event
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.testing.payloads import MemoryPayloads
from lowtide.testing.simulate.broker import Broker
from lowtide.testing.simulate.faults import Faults
from lowtide.testing.simulate.history import History, digest
from lowtide.testing.simulate.network import Network
from lowtide.testing.simulate.postgres import Store
from lowtide.testing.simulate.process import Process
from lowtide.wire import json
from lowtide.wire.claims import Payload
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.records import Claimed, Closing, Entry, Opened
from lowtide.wire.types import DISPATCH, SNAPSHOT_FORMAT, SnapshotFormat, Wake
from tests.simulation.engines import Engines

__all__ = ["Analytics", "Door", "Effects", "Journal", "Ports", "Shelf", "ShortWay"]

_EVENT: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)


class ShortWay(Protocol):
    async def invoke(self, event: CloudEvent) -> CloudEvent | None: ...

    async def wake(self) -> None: ...


@dataclass
class Ports:
    """What all replicas of one world share."""

    faults: Faults
    history: History
    network: Network
    control: Store
    journal: Store
    knative: Broker
    short_way: ShortWay
    outstanding: Callable[[], None]
    engines: Engines
    fail_effects: float = 0.0
    claim_above: int = 256 * 1024
    snapshot_format: Callable[[], SnapshotFormat] = lambda: SNAPSHOT_FORMAT
    kept: MemoryPayloads = field(default_factory=MemoryPayloads)
    performed: Counter[str] = field(default_factory=Counter)

    async def threaten_work(self, process: Process) -> None:
        await self.faults.threaten(process, self.faults.odds.crash_at_work, self.faults.odds.freeze_at_work)

    def broker(self, process: Process) -> Door:
        return Door(self, process)

    def payloads(self, process: Process) -> Shelf:
        return Shelf(self, process)

    def content(self, execution: str, payload: Payload) -> bytes:
        """What a payload holds, whoever may reach the store. Raises ``KeyError`` where it was lost."""
        return self.kept.kept["tests", execution, payload.sha256]

    def whole(self, execution: str, entry: Entry) -> Entry:
        if not isinstance(entry.event, Claimed):
            return entry
        return msgspec.structs.replace(entry, event=_EVENT.decode(self.content(execution, entry.event.payload)))


class Door:
    """The Broker as one process reaches it: it may die before it asked, or before it heard the answer."""

    def __init__(self, ports: Ports, process: Process) -> None:
        self._ports = ports
        self._process = process

    async def publish(self, event: dict[str, JSON]) -> None:
        about = {"source": event["source"], "id": event["id"]}
        self._ports.history.note("emitted", **about)
        await self._through(lambda: self._ports.knative.publish(event))
        self._ports.history.note("taken", **about)

    async def send(self, event: CloudEvent) -> None:
        if event.type == DISPATCH:
            self._ports.outstanding()
        await self._through(lambda: self._ports.knative.send(event))

    async def send_all(self, events: Sequence[CloudEvent]) -> None:
        for event in events:
            await self.send(event)

    async def _through(self, send: Callable[[], Awaitable[None]]) -> None:
        faults = self._ports.faults
        await faults.threaten(self._process, faults.odds.crash_before_commit, faults.odds.freeze_at_commit)
        await send()
        await faults.threaten(self._process, faults.odds.crash_after_commit, faults.odds.freeze_at_commit)


class Shelf:
    """The payload store as one process reaches it."""

    def __init__(self, ports: Ports, process: Process) -> None:
        self._ports = ports
        self._process = process

    async def put(self, namespace: str, execution: ExecutionId, content: bytes) -> Payload:
        async with self._way():
            return await self._ports.kept.put(namespace, execution, content)

    async def get(self, namespace: str, execution: ExecutionId, payload: Payload) -> bytes:
        async with self._way():
            return await self._ports.kept.get(namespace, execution, payload)

    async def drop(self, namespace: str, execution: ExecutionId, digests: Collection[str] | None = None) -> None:
        async with self._way():
            await self._ports.kept.drop(namespace, execution, digests)

    @contextlib.asynccontextmanager
    async def _way(self) -> AsyncIterator[None]:
        """The process may die on both ways, and requests and answers may be lost."""
        faults, network = self._ports.faults, self._ports.network
        await self._ports.threaten_work(self._process)
        await network.travel()
        if faults.happens(faults.odds.lose_request):
            raise Unavailable("the payload store was not reached")
        yield
        await network.travel()
        if faults.happens(faults.odds.lose_reply):
            raise Unavailable("the payload store was not heard")
        await self._ports.threaten_work(self._process)


class Journal:
    """The journal port of one process: the real client, and what its owner heard of it."""

    def __init__(self, client: IngestClient, ports: Ports, process: Process) -> None:
        self._client = client
        self._history = ports.history
        self._ports = ports
        self._process = process

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        opened = await self._client.open(execution, epoch, digest, upto)
        if opened.answer == "ok":
            tail = opened.tail[-1][0] if opened.tail else upto
            self._history.note("opened", execution=execution, epoch=epoch, upto=tail)
        return opened

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        await self._ports.threaten_work(self._process)
        await self._client.append(execution, epoch, entries, closing)
        if entries or closing is not None:
            self._history.note(
                "acknowledged",
                execution=execution,
                epoch=epoch,
                entries=[(number, digest(json.encode(entry))) for number, entry in entries],
                commands=[
                    event.command
                    for event in (self._ports.whole(execution, entry).event for _, entry in entries)
                    if isinstance(event, EffectSucceeded | EffectFailed)
                ],
            )
        await self._ports.threaten_work(self._process)

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        return self._client.holds(execution, epoch)

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        return self._client.listen(execution, epoch, receive)

    async def release(self, execution: ExecutionId, epoch: int) -> None:
        await self._client.release(execution, epoch)


class Effects:
    """The world as effects reach it: it counts, and gives every call another result."""

    def __init__(self, ports: Ports, process: Process) -> None:
        self._ports = ports
        self._process = process

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        history, faults = self._ports.history, self._ports.faults
        execution = idempotency_key.removesuffix(command.id)
        history.note("decided", execution=execution, command=command.id, arguments=digest(command.arguments))
        await self._ports.network.travel()
        await self._ports.threaten_work(self._process)
        await asyncio.sleep(faults.delay(faults.chance.choice((0.05, 0.05, 1.0, 6.0))))
        if faults.happens(self._ports.fail_effects):
            raise TaskFailed(standard_error("communication", "the world is out of order", status=500))
        self._ports.performed[idempotency_key] += 1
        result = {"key": idempotency_key, "call": self._ports.performed[idempotency_key]}
        history.note("performed", execution=execution, command=command.id, result=digest(result))
        await self._ports.threaten_work(self._process)
        if faults.happens(faults.odds.lose_reply):
            raise TaskFailed(standard_error("communication", "the answer was lost", status=502))
        await self._ports.network.travel()
        return result

    async def close(self) -> None:
        """Nothing is held."""


class Analytics:
    """The part of ingest that writes the analytics store, without one."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def offer(self, batch: pb.Batch) -> asyncio.Future[list[pb.Refusal]] | None:
        if not batch.changes:
            return None
        answer: asyncio.Future[list[pb.Refusal]] = asyncio.get_running_loop().create_future()
        behind = self._ports.faults.happens(self._ports.faults.odds.lose_reply)
        refused = []
        for change in batch.changes:
            execution = change.subject.execution
            if behind:
                refused.append(pb.Refusal(execution=execution, epoch=change.epoch, reason=pb.Refusal.BEHIND))
            else:
                about = {"number": change.version_number, "phase": change.phase}
                self._ports.history.note("told", execution=execution, **about)
        answer.set_result(refused)
        return answer
