"""The ingest of a small world: in memory, and a test may look into it."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import structs

from lowtide.errors import Unavailable
from lowtide.model.base import ExecutionId
from lowtide.testing.payloads import MemoryPayloads
from lowtide.wire import json
from lowtide.wire.records import Change, Closing, Entry, JournalRecord, LeaseState, Outline
from lowtide.wire.types import Ended, Parked, Wake, type_of

__all__ = ["FakeIngest"]


@dataclass
class FakeIngest:
    """What ingest would say: ``states`` are leases, ``signals`` and ``changes`` what it was told, ``dropped``
    whose journals were to go, and whether for good."""

    states: dict[str, LeaseState] = field(default_factory=dict)
    signals: list[tuple[str, int, Wake]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    outlines: list[Outline] = field(default_factory=list)
    journals: dict[str, list[JournalRecord]] = field(default_factory=dict)
    payloads: MemoryPayloads = field(default_factory=MemoryPayloads)
    dropped: list[tuple[str, bool]] = field(default_factory=list)
    down: bool = False

    def closed(self, payload: Parked | Ended) -> None:
        closing = Closing(type_of(payload), json.encode(payload))
        self.states[payload.execution] = LeaseState(payload.epoch, False, closing)

    async def leases(self, executions: list[ExecutionId]) -> dict[ExecutionId, LeaseState]:
        self._check()
        return {name: self.states[name] for name in executions if name in self.states}

    async def signal(self, execution: ExecutionId, epoch: int, wake: Wake) -> bool:
        self._check()
        self.signals.append((execution, epoch, wake))
        return execution in self.states

    async def journal(self, execution: ExecutionId, after: int, limit: int) -> tuple[tuple[JournalRecord, ...], bool]:
        self._check()
        records = [record for record in self.journals.get(execution, []) if record.number > after]
        return tuple(records[:limit]), len(records) > limit

    async def fork_journal(self, origin: ExecutionId, upto: int, execution: ExecutionId, entry: Entry) -> None:
        self._check()
        kept = [structs.replace(record, epoch=0) for record in self.journals.get(origin, []) if record.number <= upto]
        self.journals[execution] = [*kept, JournalRecord(number=upto + 1, epoch=0, entry=entry)]

    async def drop_journals(self, executions: list[ExecutionId], *, forget: bool) -> None:
        self._check()
        for execution in executions:
            self.states.pop(execution, None)
            self.journals.pop(execution, None)
            self.dropped.append((execution, forget))

    async def change(self, change: Change) -> None:
        self._check()
        self.changes.append(change)

    async def outline(self, outline: Outline) -> None:
        self._check()
        self.outlines.append(outline)

    def phases(self, execution: str) -> list[str]:
        told = [change for change in self.changes if change.subject.execution == execution]
        return [change.phase for change in sorted(told, key=lambda change: change.number)]

    def _check(self) -> None:
        if self.down:
            raise Unavailable("ingest is down")
