"""An execute that runs the real driver on a journal: what it performed, and what was journaled, can be looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import Passive, Perform
from lowtide.model.error import standard_error
from lowtide.runtime.claimed import ClaimedJournal
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.driver import Driver
from lowtide.runtime.ports import Closing, Opened, Subject
from lowtide.runtime.work import Policy, Ports, Work
from lowtide.wire.records import Entry, JournalRecord
from lowtide.wire.types import Dispatch, Ended, Parked, Wake, decode_outcome
from tests.integration.orchestrate.fake_ingest import FakeIngest
from tests.integration.orchestrate.world import HOST, FakeExecute, World

__all__ = ["Performer", "driven", "fails"]


def fails(detail: str = "the bank is closed") -> Any:
    raise TaskFailed(standard_error("communication", detail, status=503))


class Performer:
    """Performs calls of functions: by default each gives its name back. ``performed`` are (execution, reference)."""

    def __init__(self, ingest: FakeIngest) -> None:
        self.performed: list[tuple[str, str]] = []
        self.keys: list[str] = []
        self.given: list[JSON] = []
        self.effects: dict[str, Callable[[JSON], JSON]] = {}
        self._ingest = ingest

    def names(self, execution: str) -> list[str]:
        return [reference.rpartition("/")[2] for whose, reference in self.performed if whose == execution]

    async def answer(self, execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
        subject = Subject(dispatch.namespace, dispatch.workflow, dispatch.version, dispatch.execution)
        work = Work(
            subject,
            dispatch.epoch,
            "digest",
            dispatch.plan,
            dispatch.seed,
            dispatch.snapshot,
            dispatch.wakes,
            Policy(short_wait=0),
        )
        journal = ClaimedJournal(_Journal(self._ingest), execute.claims, dispatch.namespace)
        effects = _Effects(self, dispatch.execution)
        driver = Driver(work, Ports(journal, effects, execute.broker, _History(), SystemClock(), HOST, _register))
        reply = await driver.run()
        return decode_outcome(reply.type, reply.body)


def driven(there: World) -> Performer:
    """From now on, this is what execute does."""
    performer = Performer(there.ingest)
    there.execute.answer = performer.answer
    return performer


class _Effects:
    def __init__(self, performer: Performer, execution: ExecutionId) -> None:
        self._performer = performer
        self._execution = execution

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        self._performer.performed.append((self._execution, command.reference))
        self._performer.keys.append(idempotency_key)
        name = command.reference.rpartition("/")[2]
        given = command.arguments.get("with")
        self._performer.given.append(given)
        effect = self._performer.effects.get(name)
        return name if effect is None else effect(given)


class _History:
    def facts(self, *_: Any) -> None: ...

    def log(self, *_: Any) -> None: ...

    def usage(self, *_: Any) -> None: ...


async def _register(commands: tuple[Passive, ...]) -> None: ...


class _Journal:
    """One owner on the journals that :class:`FakeIngest` knows."""

    def __init__(self, ingest: FakeIngest) -> None:
        self._ingest = ingest

    async def open(self, execution: ExecutionId, epoch: int, digest: str, upto: int) -> Opened:
        records = self._ingest.journals.setdefault(execution, [])
        if upto and not any(record.number == upto for record in records):
            return Opened("diverged", reason=f"the journal ends before record {upto}")
        return Opened("ok", tuple((record.number, record.entry) for record in records if record.number > upto))

    async def append(
        self, execution: ExecutionId, epoch: int, entries: list[tuple[int, Entry]], closing: Closing | None = None
    ) -> None:
        records = [JournalRecord(number=number, epoch=epoch, entry=entry) for number, entry in entries]
        self._ingest.journals[execution] += records

    def holds(self, execution: ExecutionId, epoch: int) -> bool:
        return True

    def listen(self, execution: ExecutionId, epoch: int, receive: Callable[[Wake], None]) -> Callable[[], None]:
        return lambda: None

    async def release(self, execution: ExecutionId, epoch: int) -> None: ...
