"""Event type names, extension names and payload nouns (architecture, section 3). Triggers are rendered from here.

Ids are deterministic, so that a consumer can dedupe on source + id: ``{execution}:{epoch}`` for a dispatch,
``{execution}:{epoch}:outcome`` for its outcome, ``{execution}:{epoch}:registered:{n}`` in between.
"""

from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

from lowtide.model.base import JSON, ExecutionId, Millis, Noun
from lowtide.model.command import Passive
from lowtide.model.error import Error
from lowtide.model.event import Event
from lowtide.model.plan import Plan
from lowtide.model.state import Seed
from lowtide.model.usage import Usage
from lowtide.wire.claims import Payload

__all__ = [
    "ALERT_FIRED",
    "ALERT_RESOLVED",
    "ALERT_TICK",
    "ALERT_WATCH",
    "CANCELLED",
    "COMPLETED",
    "DEAD_LETTER_CODE",
    "DISPATCH",
    "FAULTED",
    "LEVELS",
    "LIFECYCLE",
    "OUTCOMES",
    "PARKED",
    "REGISTERED",
    "REPEATED",
    "SNAPSHOT_FORMAT",
    "SOURCES",
    "TASK_EVENTS",
    "TICK",
    "WORKFLOW_EVENTS",
    "Dispatch",
    "Ended",
    "Extension",
    "Level",
    "Listened",
    "Parked",
    "Registered",
    "Snapshot",
    "SnapshotFormat",
    "Wake",
    "Watch",
    "decode_outcome",
    "dispatch_id",
    "is_lifecycle",
    "lifecycle_type",
    "outcome_id",
    "registered_id",
    "source_of",
    "type_of",
    "wants",
]

DISPATCH: Final = "dev.lowtide.execution.dispatch.v1"
REGISTERED: Final = "dev.lowtide.execution.registered.v1"
PARKED: Final = "dev.lowtide.execution.parked.v1"
COMPLETED: Final = "dev.lowtide.execution.completed.v1"
FAULTED: Final = "dev.lowtide.execution.faulted.v1"
CANCELLED: Final = "dev.lowtide.execution.cancelled.v1"
TICK: Final = "dev.lowtide.tick.v1"
ALERT_FIRED: Final = "dev.lowtide.alert.fired.v1"
ALERT_RESOLVED: Final = "dev.lowtide.alert.resolved.v1"
ALERT_TICK: Final = "dev.lowtide.alert.tick.v1"
ALERT_WATCH: Final = "dev.lowtide.alert.watch.v1"

REPEATED: Final = (TICK, ALERT_TICK)
"""What comes again by itself: one that is lost need not be kept for anybody."""

OUTCOMES: Final = (PARKED, COMPLETED, FAULTED, CANCELLED)
"""What execute may reply with, one per invocation."""

LIFECYCLE: Final = "io.serverlessworkflow."
"""How the types of the standard's lifecycle events begin (dsl.md, "Lifecycle Events")."""

WORKFLOW_EVENTS: Final = tuple(
    f"{LIFECYCLE}workflow.{name}.v1"
    for name in (
        *("started", "suspended", "resumed", "correlation-started", "correlation-completed"),
        *("cancelled", "faulted", "completed", "status-changed"),
    )
)
TASK_EVENTS: Final = tuple(
    f"{LIFECYCLE}task.{name}.v1"
    for name in (
        *("created", "started", "suspended", "resumed", "retried"),
        *("cancelled", "faulted", "completed", "status-changed"),
    )
)

Level = Literal["none", "workflow", "task", "all"]
"""Which lifecycle events are published: none; those of executions; those of tasks too; the optional ones too."""

LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""Each with all that those before it have."""

DEAD_LETTER_CODE: Final = "knativeerrorcode"
"""Extension that Knative adds to most dead letters (absent after a delivery timeout)."""


class Extension:
    """Names of our CloudEvent extensions: lower-case letters and digits alone, as the standard asks."""

    namespace: Final = "lowtidenamespace"
    workflow: Final = "lowtideworkflow"
    execution: Final = "lowtideexecution"
    epoch: Final = "lowtideepoch"
    digest: Final = "lowtidedigest"
    token: Final = "lowtidetoken"
    echo: Final = "lowtideecho"
    """Of executions that follow from a lifecycle event, however far: theirs start nothing by themselves."""
    traceparent: Final = "traceparent"


class Wake(Noun, frozen=True, kw_only=True):
    """One inbox row: ``key`` is its dedupe key, unique within the execution; ``event`` is fed to the engine.

    Without an event it is never stored, only signalled: the owner is asked to yield, and parks as soon as its effects
    in flight have ended. One whose event is too large for a signal has ``payload``, the event's JSON, in its place.
    """

    key: str
    event: Event | None
    payload: Payload | None = None


SnapshotFormat: TypeAlias = Literal[1, 2]
SNAPSHOT_FORMAT: Final[SnapshotFormat] = 2
"""The newest format of a state; see :mod:`lowtide.wire.states`."""


class Snapshot(Noun, frozen=True, kw_only=True):
    """The state up to journal number ``upto`` (0: nothing was journaled yet).

    ``state`` is its JSON, in any format, for :mod:`lowtide.wire.states` to read: who only hands it on need not know its
    format. A large one is in ``payload`` instead, and ``state`` is empty.
    """

    state: msgspec.Raw = msgspec.Raw()
    payload: Payload | None = None
    upto: int


class Dispatch(Noun, frozen=True, kw_only=True):
    """One invocation's whole work order. Exactly one of ``seed`` and ``snapshot`` is set.

    ``wakes`` are fed in order, after the journal's tail, leaving out those whose key the tail already has.
    ``at`` is the database's time when the dispatch was written. Budgets in milliseconds. ``lifecycle`` says which
    lifecycle events are wanted, of which execute publishes those of tasks; ``echo``: see :class:`Extension`.
    The event that carries it also carries ``lowtidedigest`` = sha256 of this body and ``lowtidetoken``.
    """

    execution: ExecutionId
    namespace: str
    workflow: str
    version: str
    epoch: int
    at: Millis
    plan: Plan
    seed: Seed | None = None
    snapshot: Snapshot | None = None
    wakes: tuple[Wake, ...] = ()
    budget: int = 240_000
    short_wait: int = 5_000
    lifecycle: Level = "none"
    echo: bool = False


class Listened(Noun, frozen=True, kw_only=True):
    """A listener that got all that it wanted; ``task`` is its entry, ``keys`` are the correlation keys it resolved."""

    task: str
    at: Millis
    keys: dict[str, JSON] = {}


class Registered(Noun, frozen=True, kw_only=True):
    """Passive commands issued while active ones run: orchestrate begins to serve them at once."""

    execution: ExecutionId
    epoch: int
    commands: tuple[Passive, ...]


class Parked(Noun, frozen=True, kw_only=True):
    """The invocation ended while the execution goes on later.

    ``commands`` are all passive commands now pending (the engine's deadlines included). ``consumed`` are the keys
    of inbox rows whose events are in the snapshot. ``resume_now``: there is work left that only the time budget or
    a shutdown interrupted.
    """

    execution: ExecutionId
    epoch: int
    snapshot: Snapshot
    commands: tuple[Passive, ...] = ()
    consumed: tuple[str, ...] = ()
    resume_now: bool = False
    listened: tuple[Listened, ...] = ()
    usage: Usage = Usage()


class Ended(Noun, frozen=True, kw_only=True):
    """The execution has its outcome. ``upto`` is the last journal number. A large output is in ``payload`` instead."""

    execution: ExecutionId
    epoch: int
    status: Literal["completed", "faulted", "cancelled"]
    upto: int = 0
    output: JSON = None
    payload: Payload | None = None
    error: Error | None = None
    reason: str = ""
    """Why it was cancelled."""
    consumed: tuple[str, ...] = ()
    listened: tuple[Listened, ...] = ()
    usage: Usage = Usage()


class Watch(Noun, frozen=True, kw_only=True):
    """How often alert rules want to be looked at: every so many milliseconds, ``None`` where there are none.

    Carried by :data:`ALERT_WATCH`, as analytics has it, and by :data:`ALERT_TICK`, as orchestrate knows it. The higher
    ``revision`` is the newer one.
    """

    revision: int = 0
    every: Millis | None = None


SOURCES: Final = "/lowtide/"
"""How the sources of our own events begin."""


def source_of(namespace: str, workflow: str) -> str:
    """The CloudEvent source of everything that concerns one workflow."""
    return f"{SOURCES}{namespace}/{workflow}"


def dispatch_id(execution: str, epoch: int) -> str:
    return f"{execution}:{epoch}"


def outcome_id(execution: str, epoch: int) -> str:
    return f"{execution}:{epoch}:outcome"


def is_lifecycle(event_type: str) -> bool:
    return event_type.startswith(LIFECYCLE)


def wants(level: Level, least: Level) -> bool:
    """Whether the events that begin with ``least`` are published at ``level``."""
    return LEVELS.index(level) >= LEVELS.index(least)


def lifecycle_type(of: Literal["workflow", "task"], name: str) -> str:
    """The type of the lifecycle event ``name``."""
    return f"{LIFECYCLE}{of}.{name}.v1"


def registered_id(execution: str, epoch: int, number: int) -> str:
    return f"{execution}:{epoch}:registered:{number}"


_ENDED_TYPES: Final[dict[str, str]] = {"completed": COMPLETED, "faulted": FAULTED, "cancelled": CANCELLED}


def type_of(payload: Registered | Parked | Ended) -> str:
    """The event type that carries this payload."""
    if isinstance(payload, Registered):
        return REGISTERED
    return PARKED if isinstance(payload, Parked) else _ENDED_TYPES[payload.status]


def decode_outcome(event_type: str, body: bytes) -> Parked | Ended:
    """The payload of an outcome event.

    Raises ``msgspec.ValidationError`` or ``msgspec.DecodeError`` where the body is not one.
    """
    target: Any = Parked if event_type == PARKED else Ended
    decoded: Parked | Ended = msgspec.json.decode(body, type=target)
    return decoded
