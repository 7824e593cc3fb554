"""A journal in memory: the leases, fencing and idempotence of ingest without a network, on a given clock.

    store = JournalStore(clock)
    first, second = MemoryJournal(store, "first"), MemoryJournal(store, "second")

Both are processes of one installation. ``first.freeze()`` makes the world deaf to the first, so that its leases expire.
The contract test of the journal port runs on this and on the real ingest alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from lowtide.errors import Fenced, InvalidInput, Unavailable
from lowtide.model.base import ExecutionId
from lowtide.runtime.clock import Clock
from lowtide.wire import json
from lowtide.wire.records import Closing, Entry, Opened
from lowtide.wire.types import Wake

__all__ = ["JournalStore", "MemoryJournal"]

Moment = Literal["before", "after"]

_DELETED: Final = 2**63 - 1
"""The epoch in the lease of an execution that was deleted."""


@dataclass
class _Lease:
    epoch: int
    digest: str
    owner: str | None
    closing: Closing | None = None


@dataclass
class JournalStore:
    """What outlives the processes: leases, records, and when each owner was heard last.

    ``down`` makes every request fail. ``on_append`` is called directly before and directly after every commit; what
    it raises reaches the owner, as if its process had met with it there.
    """

    clock: Clock
    ttl: float = 15.0
    down: bool = False
    on_append: Callable[[Moment, ExecutionId, int], None] | None = None
    leases: dict[ExecutionId, _Lease] = field(default_factory=dict)
    records: dict[ExecutionId, list[tuple[int, bytes]]] = field(default_factory=dict)
    expires: dict[str, float] = field(default_factory=dict)
    journals: dict[str, MemoryJournal] = field(default_factory=dict)

    def entries(self, execution: ExecutionId, after: int = 0) -> tuple[tuple[int, Entry], ...]:
        """The records of an execution with their numbers, decoded anew on every call."""
        kept = self.records.get(execution, [])
        return tuple((after + 1 + index, json.decode(body, Entry)) for index, (_, body) in enumerate(kept[after:]))

    def drop(self, execution: ExecutionId, *, forget: bool) -> None:
        """Delete a journal; until ``forget``, late comers are told that it is gone."""
        self.records.pop(execution, None)
        if forget:
            self.leases.pop(execution, None)
        else:
            self.leases[execution] = _Lease(_DELETED, "", None)

    def alive(self, owner: str | None) -> bool:
        if owner is None:
            return False
        journal = self.journals.get(owner)
        return (journal is not None and not journal.frozen) or self.clock.monotonic() < self.expires.get(owner, 0.0)

    def signal(self, execution: ExecutionId, epoch: int, wake: Wake) -> bool:
        """Hand ``wake`` to the running owner; whether there is one."""
        lease = self.leases.get(execution)
        if lease is None or lease.epoch != epoch or lease.closing is not None or not self.alive(lease.owner):
            return False
        journal = self.journals[str(lease.owner)]
        for receive in list(journal.receivers.get((execution, epoch), [])):
            receive(wake)
        return True


class MemoryJournal:
    """The journal port of one process."""

    def __init__(self, store: JournalStore, owner: str = "owner") -> None:
        self.store = store
        self.owner = owner
        self.frozen = False
        self.running: set[tuple[ExecutionId, int]] = set()
        self.receivers: dict[tuple[ExecutionId, int], list[Callable[[Wake], None]]] = {}
        store.journals[owner] = self

    def freeze(self) -> None:
        """From now on nobody hears this process: its leases end after the store's ``ttl``."""
        self.frozen = True
        self.store.expires[self.owner] = self.store.clock.monotonic() + self.store.ttl

    def thaw(self) -> None:
        """The process is heard again; what it lost meanwhile stays lost."""
        self.frozen = False

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        self._reach()
        if (execution, epoch) in self.running:
            return Opened("held", reason="this process is running it already")
        lease = self.store.leases.get(execution)
        if lease is not None:
            refused = self._refuse(lease, epoch, digest)
            if refused is not None:
                return refused
        if upto > len(self.store.records.get(execution, [])):
            return Opened("diverged", reason=f"the journal ends before record {upto}")
        self.store.leases[execution] = _Lease(epoch, digest, self.owner)
        self.running.add((execution, epoch))
        return Opened("ok", tail=self.store.entries(execution, upto))

    def _refuse(self, lease: _Lease, epoch: int, digest: str) -> Opened | None:
        if lease.epoch == _DELETED:
            return Opened("gone", reason="the execution was deleted")
        if epoch < lease.epoch:
            return Opened("gone", reason=f"epoch {lease.epoch} has begun")
        if epoch > lease.epoch:
            return None
        if digest != lease.digest:
            return Opened("diverged", reason=f"epoch {epoch} was opened with another dispatch")
        if lease.closing is not None:
            return Opened("closed", closing=lease.closing, reason=f"epoch {epoch} has ended")
        if lease.owner != self.owner and self.store.alive(lease.owner):
            return Opened("held", reason="another owner is running it")
        return None

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        running = (execution, epoch) in self.running
        self.running.discard((execution, epoch))  # whatever is raised from here on ends it in this process
        self._reach()
        self._notify("before", execution, epoch)
        self._write(execution, epoch, [(number, json.encode(entry)) for number, entry in entries], closing)
        self._notify("after", execution, epoch)
        if running and closing is None:
            self.running.add((execution, epoch))

    def _write(
        self, execution: ExecutionId, epoch: int, bodies: list[tuple[int, bytes]], closing: Closing | None
    ) -> None:
        lease = self.store.leases.get(execution)
        if lease is None or lease.owner != self.owner or lease.epoch != epoch:
            raise Fenced(f"execution {execution}, epoch {epoch}: the lease belongs to another owner or epoch")
        kept = self.store.records.setdefault(execution, [])
        new: list[tuple[int, bytes]] = []
        for number, body in bodies:
            if number <= len(kept):
                if kept[number - 1] != (epoch, body):
                    raise InvalidInput(f"record {number} of {execution} was written with other content")
            elif number != len(kept) + len(new) + 1:
                raise InvalidInput(f"record {number} of {execution} does not follow {len(kept) + len(new)}")
            else:
                new.append((epoch, body))
        if lease.closing is not None and (new or (closing is not None and closing != lease.closing)):
            raise Fenced(f"execution {execution}, epoch {epoch} is closed")
        kept += new
        lease.closing = lease.closing or closing

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        lease = self.store.leases.get(execution)
        return (
            lease is not None
            and lease.owner == self.owner
            and lease.epoch == epoch
            and lease.closing is None
            and self.store.alive(self.owner)
        )

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        receivers = self.receivers.setdefault((execution, epoch), [])
        receivers.append(receive)
        return lambda: receivers.remove(receive)

    async def release(self, execution: ExecutionId, epoch: int) -> None:
        self.running.discard((execution, epoch))
        self._reach()
        lease = self.store.leases.get(execution)
        if lease is not None and lease.owner == self.owner and lease.epoch == epoch and lease.closing is None:
            lease.owner = None

    def _reach(self) -> None:
        if self.store.down:
            raise Unavailable("the journal cannot be reached")

    def _notify(self, moment: Moment, execution: ExecutionId, epoch: int) -> None:
        if self.store.on_append is not None:
            self.store.on_append(moment, execution, epoch)
