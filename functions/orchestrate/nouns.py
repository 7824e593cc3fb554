"""What orchestrate's parts hand to each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import msgspec

from lowtide.model.base import ExecutionId, Millis
from lowtide.model.command import Passive
from lowtide.model.phase import ENDED, Phase
from lowtide.model.state import Seed
from lowtide.wire.types import Wake

__all__ = [
    "COMMANDS",
    "Commands",
    "Deployed",
    "Dispatched",
    "Execution",
    "Note",
    "Order",
    "Passive",
    "Repeating",
    "Signal",
    "Unused",
    "WorkflowVersion",
    "millis",
    "moment",
]

Repeating: TypeAlias = Literal["restart", "retry", "fork"]
"""How an execution repeats another one: from the beginning, from the task that failed, from any task."""

Commands: TypeAlias = tuple[Passive, ...]

COMMANDS: Final = msgspec.json.Decoder(Commands)


def millis(moment: datetime) -> Millis:
    """A database time as the engine counts: whole milliseconds since 1970."""
    return Millis(int(moment.timestamp() * 1000))


def moment(at: Millis) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Deployed:
    """Which version of which workflow; its plan is read by ``id`` (``work.Plans``).

    ``held``: starts wait, since it or its namespace is paused, or lets what had waited through by and by. ``limits``:
    JSON of an operator's, which replace the document's.
    """

    id: int
    namespace: str
    name: str
    version: str
    held: bool = False
    limits: bytes | None = None


@dataclass(frozen=True, slots=True)
class WorkflowVersion:
    """One deployed version. ``plan`` and ``definition`` are JSON."""

    id: int
    namespace: str
    name: str
    version: str
    source: str
    definition: bytes
    plan: bytes
    warnings: bytes
    created_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """A row of ``executions``. ``seed``, ``state``, ``waiting``, ``output`` and ``error`` are JSON; large states and
    outputs are references to the payload store."""

    id: ExecutionId
    namespace: str
    workflow: str
    version: str
    workflow_version: int
    phase: Phase
    epoch: int
    change: int
    seed: bytes
    created_at: datetime
    state: bytes | None = None
    upto: int = 0
    waiting: bytes | None = None
    output: bytes | None = None
    error: bytes | None = None
    reason: str | None = None
    parent: ExecutionId | None = None
    parent_command: str | None = None
    dedupe: str | None = None
    body_digest: str | None = None
    traceparent: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    suspend_asked: str | None = None
    echo: bool = False
    origin: ExecutionId | None = None
    origin_kind: Repeating | None = None
    origin_task: str | None = None
    lane: str | None = None
    error_type: str | None = None

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    @property
    def commands(self) -> Commands:
        """The passive commands of the newest snapshot."""
        return COMMANDS.decode(self.waiting) if self.waiting else ()

    @property
    def begun(self) -> Seed:
        return msgspec.json.decode(self.seed, type=Seed)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A row of ``dispatches``."""

    execution: ExecutionId
    epoch: int
    body: bytes
    digest: str
    issued_at: datetime
    sent_at: datetime | None
    attempts: int
    next_try: datetime | None
    gone: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A dispatch with what its event needs."""

    execution: ExecutionId
    epoch: int
    body: bytes
    digest: str
    namespace: str
    workflow: str
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A row for the outbox: what is to be told, and from when on; by default at once. ``namespace``: a dispatch's."""

    kind: Literal["dispatch", "change", "lifecycle"]
    execution: ExecutionId
    epoch: int
    body: bytes | None = None
    not_before: datetime | None = None
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Unused:
    """A payload of an execution that nothing refers to any more."""

    namespace: str
    execution: ExecutionId
    sha256: str


@dataclass(frozen=True, slots=True)
class Signal:
    """A wake for the owner of a running execution, should there be one."""

    namespace: str
    execution: ExecutionId
    epoch: int
    wake: Wake
