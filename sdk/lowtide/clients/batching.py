"""What waits for the next batch: appends in their order, signs of life, and history within bounds. No I/O.

Journal records are never dropped. History is: when its buffer is full, what is new is dropped and counted, and the
counts travel in the next batch.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from lowtide.clients.trust import Key
from lowtide.errors import LowtideError
from lowtide.rpc.v1 import ingest_pb2 as pb

__all__ = ["ROOM", "ROOM_BYTES", "Asking", "Buffer", "Load", "Waiting"]

_MOST_BYTES: Final = 1024 * 1024
ROOM: Final = 10_000
ROOM_BYTES: Final = 16 * 1024 * 1024
_MOST_REPORTS: Final = 1000
_REPORTS: Final = ("facts", "logs", "usages")


class Waiting(msgspec.Struct, eq=False):
    """One append or change, and who waits for it. Resolves with ``None`` once it is committed."""

    key: Key
    message: pb.Append | pb.ExecutionChange
    done: asyncio.Future[None] = msgspec.field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Asking(msgspec.Struct, eq=False):
    """A lease that is asked for on the stream, and who waits. Resolves with the lease that was made and the monotonic
    time at which that was sent; with ``None`` where it is for ``Open`` to decide."""

    request: pb.OpenRequest
    done: asyncio.Future[tuple[pb.Opened, float] | None] = msgspec.field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, answer: tuple[pb.Opened, float] | None) -> None:
        if not self.done.done():
            self.done.set_result(answer)


class Load(msgspec.Struct, eq=False):
    """What one batch carries; sent again as it is until it is acknowledged."""

    batch: pb.Batch
    waiting: list[Waiting] = msgspec.field(default_factory=list)
    asking: list[Asking] = msgspec.field(default_factory=list)
    verified: set[Key] = msgspec.field(default_factory=set)
    released: set[Key] = msgspec.field(default_factory=set)
    settled: asyncio.Event = msgspec.field(default_factory=asyncio.Event)


class Buffer:
    """``room``: how many reports of history it keeps, ``room_bytes``: and how large they may be together; ``dropped``:
    how many it did not keep, ever, by kind."""

    def __init__(self, owner: str, room: int = ROOM, room_bytes: int = ROOM_BYTES) -> None:
        self.releases: set[Key] = set()
        self.dropped: Counter[str] = Counter()
        self._owner = owner
        self._room, self._room_bytes = room, room_bytes
        self._hurry = False
        self._urgent: deque[Waiting] = deque()
        self._asking: list[Asking] = []
        self._reports: deque[tuple[str, Any, int]] = deque()
        self._size = 0
        self._dropped: Counter[str] = Counter()

    @property
    def urgent(self) -> bool:
        """Whether somebody waits."""
        return bool(self._urgent or self._asking) or self._hurry

    @property
    def patient(self) -> bool:
        """Whether there is history. Counts of what was dropped alone are no reason to speak: they ride along."""
        return bool(self._reports)

    def add(self, waiting: Waiting) -> None:
        self._urgent.append(waiting)

    def ask(self, asking: Asking) -> None:
        self._asking.append(asking)

    def stop_asking(self, load: Load | None, error: LowtideError | None = None) -> None:
        """The stream broke: what was asked for, also in ``load``, is for ``Open`` to decide, or fails by ``error``."""
        asking, self._asking = self._asking, []
        if load is not None:
            asking += load.asking
            load.asking.clear()
            del load.batch.opens[:]
        for one in asking:
            if error is None:
                one.resolve(None)
            elif not one.done.done():
                one.done.set_exception(error)

    def give_back(self, key: Key) -> None:
        """Say soon that this lease is not wanted. After a failure it rides along with whatever comes next: while
        nothing is heard of us, leases end by themselves."""
        self.releases.add(key)
        self._hurry = True

    def report(self, kind: str, message: Any) -> None:
        """``kind`` is the name of the field in ``Batch``."""
        size = message.ByteSize()
        if len(self._reports) >= self._room or self._size + size > self._room_bytes:
            self._drop((kind,))
        else:
            self._reports.append((kind, message, size))
            self._size += size

    def _drop(self, kinds: Iterable[str]) -> None:
        dropped = Counter(kinds)
        self.dropped.update(dropped)
        self._dropped.update(dropped)

    def __len__(self) -> int:
        return len(self._reports)

    def take(self, doubtful: set[Key]) -> Load:
        """The next batch: everything that fits; empty appends for what is ``doubtful``; else only a sign of life."""
        load = Load(pb.Batch(owner=self._owner, dropped=self._dropped))
        self._dropped.clear()
        size = 0
        while self._urgent:
            message = self._urgent[0].message
            size += message.ByteSize()
            if load.waiting and size > _MOST_BYTES:
                break
            load.waiting.append(self._urgent.popleft())
            (load.batch.appends if isinstance(message, pb.Append) else load.batch.changes).append(message)  # type: ignore[arg-type]
        for _ in range(min(len(self._reports), _MOST_REPORTS)):
            if size > _MOST_BYTES:
                break
            kind, report, length = self._reports.popleft()
            size += length
            self._size -= length
            getattr(load.batch, kind).append(report)
        load.asking, self._asking = self._asking, []
        load.batch.opens.extend(one.request for one in load.asking)
        load.verified = doubtful - {waiting.key for waiting in load.waiting}
        for execution, epoch in sorted(load.verified):
            load.batch.appends.add(execution=execution, epoch=epoch)
        load.released = set(self.releases)
        for execution, epoch in sorted(load.released):
            load.batch.releases.add(execution=execution, epoch=epoch)
        self.releases.clear()
        self._hurry = False
        return load

    def give_up(self, load: Load | None) -> list[Waiting]:
        """Whoever waits, now or in ``load``; history is dropped and counted, releases are kept."""
        waiting = [*(load.waiting if load else ()), *self._urgent]
        self._urgent.clear()
        self._hurry = False
        if load is not None:
            load.settled.set()
            self.releases |= load.released
            self._dropped.update(load.batch.dropped)
            self._drop(kind for kind in _REPORTS for _ in getattr(load.batch, kind))
        self._drop(kind for kind, _, _ in self._reports)
        self._reports.clear()
        self._size = 0
        return waiting
