"""What orchestrate needs of its neighbours. Adapters are the clients of ``lowtide.clients``; tests bring fakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lowtide.model.base import ExecutionId
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.records import Change, Entry, JournalRecord, LeaseState, Outline
from lowtide.wire.types import Wake

__all__ = ["Broker", "Execute", "Ingest"]


class Broker(Protocol):
    async def send(self, event: CloudEvent) -> None:
        """Returns once it was taken. Raises Unavailable where it may not have been, InvalidEvent, TooLarge."""
        ...

    async def send_all(self, events: Sequence[CloudEvent]) -> None:
        """As :meth:`send`, for several: where it raises, some may have been taken."""
        ...


class Execute(Protocol):
    async def invoke(self, event: CloudEvent) -> CloudEvent | None:
        """Post a dispatch; the outcome's event, ``None`` where execute had nothing to say. Raises Unavailable."""
        ...

    async def wake(self) -> None:
        """Have a process started where there is none, so that what comes soon finds it ready. Never raises."""
        ...


class Ingest(Protocol):
    """All raise :class:`lowtide.errors.Unavailable`."""

    async def leases(self, executions: list[ExecutionId]) -> dict[ExecutionId, LeaseState]:
        """The newest epoch of each; executions that were never opened are absent."""
        ...

    async def signal(self, execution: ExecutionId, epoch: int, wake: Wake) -> bool:
        """Hand a wake to the running owner; whether there is one."""
        ...

    async def journal(self, execution: ExecutionId, after: int, limit: int) -> tuple[tuple[JournalRecord, ...], bool]:
        """Its records after number ``after``, at most ``limit``, and whether there are more."""
        ...

    async def fork_journal(self, origin: ExecutionId, upto: int, execution: ExecutionId, entry: Entry) -> None:
        """Begin the journal of a new execution with that of ``origin`` up to ``upto``, and one entry more."""
        ...

    async def drop_journals(self, executions: list[ExecutionId], *, forget: bool) -> None:
        """Delete journals, and answer late dispatches with GONE; with ``forget`` not even that is left."""
        ...

    async def change(self, change: Change) -> None:
        """Tell analytics; returns once it is stored."""
        ...

    async def outline(self, outline: Outline) -> None:
        """Tell analytics what a version is made of; returns once it is stored."""
        ...
