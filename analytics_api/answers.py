"""The shapes of answers, with the examples that the OpenAPI shows. Times are ISO 8601, UTC, milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

__all__ = [
    "Answer",
    "Child",
    "ErrorGroup",
    "ErrorGroups",
    "Execution",
    "ExecutionDetail",
    "FoundLine",
    "Invocation",
    "LogLine",
    "MeasurePage",
    "MeasurePoint",
    "Page",
    "SeriesPoint",
    "TaskAttempt",
    "TaskEntry",
    "TaskWait",
    "Timeline",
    "UsageTotal",
    "shown",
]

T = TypeVar("T")


def shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


Moment: TypeAlias = Annotated[
    datetime,
    PlainSerializer(shown, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T12:00:00.000Z"]}),
]


class Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Page(Answer, Generic[T]):
    """One page; ``next`` is the cursor of the following one, ``null`` on the last."""

    items: list[T]
    next: str | None = Field(None, description="Give it as `cursor` to get the next page.")


class Execution(Answer):
    """One execution as control last told; it may lag by a moment."""

    id: str = Field(examples=["0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e5f"])
    namespace: str = Field(examples=["default"])
    workflow: str = Field(examples=["fulfil-order"])
    version: str = Field(examples=["1.0.0"])
    phase: str = Field(description="One of the standard's phases.", examples=["completed"])
    epoch: int = Field(description="How many invocations it has had.", examples=[2])
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None
    duration_ms: float | None = Field(description="From its creation to its end.", examples=[61234.0])
    parent: str | None
    error: Any = Field(description="What it faulted with (RFC 9457 members), else null.")
    tags: dict[str, Any]
    reason: str | None = Field(description="Why it is suspended or cancelled.", examples=["ordered twice"])
    correlation: dict[str, Any] = Field(description="The correlation keys that its listeners resolved.")
    gb_seconds: float = Field(description="What its invocations cost: 2^30 bytes held for a second.", examples=[0.75])


class UsageTotal(Answer):
    """What all reported invocations of an execution cost together."""

    invocations: int = 0
    active_ms: float = 0.0
    cpu_ms: float = 0.0
    gb_seconds: float = 0.0
    queueing_ms: float = 0.0
    cold_starts: int = 0
    cold_start_ms: float = 0.0
    effects: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


class ExecutionDetail(Execution):
    usage: UsageTotal


class TaskWait(Answer):
    """A time in which a task waited."""

    since: Moment
    over: Moment | None = Field(description="When it went on; null while it waits.")
    duration_ms: float | None
    what: dict[str, Any] = Field(
        description="What it waited for: `kind` is timer, events, callback, task (somebody is asked), workflow or "
        "container; with `until`, `filters`, `title` and what else there is to say.",
        examples=[{"kind": "events", "need": "any", "filters": [{"with": {"type": "com.example.paid"}}]}],
    )


class TaskAttempt(Answer):
    """One attempt of a `try` that was retried; its tasks are entries with this `attempt`."""

    number: int = Field(examples=[1])
    started_at: Moment
    ended_at: Moment | None
    error: Any
    backoff_ms: float | None = Field(description="The delay before the next one.", examples=[2000.0])


class TaskEntry(Answer):
    """One entry of one task; a task in a loop has many. ``endedAt`` is set once its status is final."""

    task: str = Field(description="This entry; log lines and children name it.", examples=["/do/0/reserve@1.1"])
    name: str = Field(examples=["reserve"])
    reference: str = Field(examples=["/do/0/reserve"])
    kind: str = Field(examples=["call"])
    status: str = Field(examples=["completed"])
    attempt: int = Field(description="Of the `try` around it.", examples=[1])
    started_at: Moment
    ended_at: Moment | None
    duration_ms: float | None = Field(description="From its begin to its end.", examples=[12.0])
    error: Any = Field(description="The last that it had (RFC 9457 members), else null.")
    attempts: list[TaskAttempt] = Field(description="Of a `try` that was retried, else empty.")
    waits: list[TaskWait]
    keys: dict[str, Any] = Field(description="The correlation keys that it resolved.")
    effect: str = Field(description="The kind of its effect, empty where it had none.", examples=["http"])
    active_ms: float = Field(description="What its effects took.", examples=[11.5])
    bytes_in: int
    bytes_out: int


class Invocation(Answer):
    """One invocation of execute; ``at`` is when it reported its usage, at its end."""

    epoch: int
    started_at: Moment = Field(description="After it was queued and, where it began cold, its process had started.")
    at: Moment
    active_ms: float
    cpu_ms: float
    memory_bytes: int
    cold_start: bool
    cold_start_ms: float
    queueing_ms: float
    turns: int
    effects: int
    effect_kinds: dict[str, int] = Field(examples=[{"http": 2}])
    records: int
    bytes_in: int
    bytes_out: int


class Child(Answer):
    """An execution that a task of this one started and waits for."""

    id: str = Field(examples=["0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e60"])
    namespace: str
    workflow: str
    version: str
    phase: str
    task: str | None = Field(description="The entry of the task that runs it.", examples=["/do/2/ship@1.3"])
    created_at: Moment
    ended_at: Moment | None
    duration_ms: float | None
    link: str = Field(examples=["/v1/namespaces/shop/executions/0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e60"])


class Timeline(Page[TaskEntry]):
    """``items`` in the order in which they began; ``invocations`` are the newest thousand and ``children`` the first
    thousand, in order, on every page."""

    invocations: list[Invocation]
    children: list[Child]


class LogLine(Answer):
    at: Moment
    level: str = Field(examples=["info"])
    message: str
    task: str = Field(description="The entry of the task that wrote it, empty where none did.")
    fields: Any = Field(description="What else the line says, as a JSON object, or null.")


class FoundLine(LogLine):
    """A log line among those of all executions."""

    execution: str = Field(examples=["0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e5f"])
    workflow: str
    version: str


class SeriesPoint(Answer):
    """One workflow in one minute. Durations are of the executions that completed in it, from creation to end."""

    minute: Moment
    workflow: str
    started: int = Field(description="Executions created in this minute.")
    completed: int
    faulted: int
    cancelled: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class MeasurePoint(Answer):
    """One step of one group. Totals, extremes and percentiles are in the page's ``unit``."""

    at: Moment
    group: dict[str, str] = Field(examples=[{"workflow": "fulfil-order"}])
    count: int
    per_second: float
    total: float
    mean: float | None
    smallest: float | None
    largest: float | None
    p50: float | None
    p95: float | None = Field(description="Within one percent of a value that was there.")
    p99: float | None
    success_rate: float | None = Field(description="The share that completed, of what ended in this step.")
    concurrency: float | None = Field(description="How many were active at once, on average over the step.")


class MeasurePage(Page[MeasurePoint]):
    unit: str = Field(examples=["ms"])


class ErrorGroup(Answer):
    """Executions that faulted with the same type and title in the same workflow."""

    type: str
    workflow: str
    title: str | None
    count: int
    first_at: Moment
    last_at: Moment
    newest: str = Field(description="The execution of them that was created last.")


class ErrorGroups(Answer):
    items: list[ErrorGroup]
