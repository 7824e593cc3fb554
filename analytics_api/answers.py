"""The shapes of answers, with the examples that the OpenAPI shows. Times are ISO 8601, UTC, milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

__all__ = [
    "Answer",
    "Child",
    "Compared",
    "ComparedTask",
    "Comparison",
    "DefinitionDifference",
    "Divergence",
    "ErrorGroup",
    "ErrorGroups",
    "Execution",
    "ExecutionDetail",
    "FoundLine",
    "Graph",
    "GraphChild",
    "GraphEdge",
    "GraphNode",
    "Invocation",
    "LogLine",
    "MeasurePage",
    "MeasurePoint",
    "Page",
    "ReachedTask",
    "SeriesPoint",
    "TaskAttempt",
    "TaskEntry",
    "TaskSide",
    "TaskWait",
    "Timeline",
    "UsageTotal",
    "shown",
]

T = TypeVar("T")


def shown(moment: datetime) -> str:
    """As every answer shows it."""
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
    input_tokens: int = Field(0, description="That answers of models said were read.")
    output_tokens: int = Field(0, description="That they said were written.")


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
    input_tokens: int = Field(description="That models said they read.")
    output_tokens: int


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
    input_tokens: int = Field(description="That models said they read.")
    output_tokens: int


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


class GraphChild(Answer):
    execution: str
    namespace: str
    link: str = Field(examples=["/v1/namespaces/shop/executions/0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e60"])


class GraphNode(Answer):
    """A task by its reference, a group inside a composite (kind `group`), the start, the end, or a child (`execution`).

    ``status`` is that of its newest entry, null where it was not entered.
    """

    id: str = Field(description="The reference of a task or group, the id of a child.", examples=["/do/0/reserve"])
    reference: str = Field(description="A JSON pointer into the document; empty where it is none of its parts.")
    parent: str | None = Field(description="The id of the composite that it belongs to.")
    kind: str = Field(examples=["call"])
    name: str = Field(examples=["reserve"])
    detail: str = Field(description="What it does, in a few words.", examples=["POST https://stock.example/reserve"])
    status: str | None = Field(None, examples=["completed"])
    statuses: dict[str, int] = Field({}, description="Its entries by status.", examples=[{"completed": 3}])
    runs: int = Field(0, description="How often it was entered.")
    attempts: int = Field(0, description="Entries, and for each retry of a `try` one more.")
    retries: int = 0
    started_at: Moment | None = None
    ended_at: Moment | None = Field(None, description="When the last of its entries ended, once all have.")
    duration_ms: float = Field(0.0, description="Of all entries that have ended, together.")
    active_ms: float = Field(0.0, description="What its effects took.")
    effect: str = Field("", examples=["http"])
    error: Any = Field(None, description="The last that it had.")
    child: GraphChild | None = Field(None, description="Of a child: which execution it is.")


class GraphEdge(Answer):
    from_: str = Field(alias="from", examples=["/do/0/reserve"])
    to: str = Field(examples=["/do/1/charge"])
    kind: str = Field(description="next, then, case, error, loop or child.", examples=["next"])
    label: str
    taken: int | None = Field(description="How often; null where the history does not tell.")


class Graph(Answer):
    """``source``: from the definition of the version that ran, or, where that is not known, from the history alone."""

    source: str = Field(examples=["definition"])
    nodes: list[GraphNode]
    edges: list[GraphEdge]


class Compared(Answer):
    """One of the two; ``quantities`` are what its invocations cost together."""

    id: str
    workflow: str
    version: str
    phase: str | None
    quantities: dict[str, float]


class ReachedTask(Answer):
    reference: str = Field(examples=["/do/2/refuse"])
    task: str = Field(description="The entry.", examples=["/do/2/refuse@1.3"])
    status: str = Field(examples=["completed"])
    after: str | None = Field(description="What was entered before it in the same list.", examples=["/do/1/choose"])


class Divergence(Answer):
    """The first place at which the two entered different tasks, or a task ended differently. Null: nothing there."""

    a: ReachedTask | None
    b: ReachedTask | None


class TaskSide(Answer):
    """All entries of a task in one of the two."""

    reference: str
    status: str
    statuses: dict[str, int]
    runs: int
    retries: int
    duration_ms: float
    active_ms: float
    error: Any


class ComparedTask(Answer):
    """A task that differs. ``difference``: the numbers of `b` less those of `a`, as far as they differ."""

    name: str = Field(examples=["charge"])
    a: TaskSide | None = Field(description="Null where it did not run.")
    b: TaskSide | None
    difference: dict[str, float] = Field(examples=[{"durationMs": 120.0, "retries": 1}])


class DefinitionDifference(Answer):
    """Between two versions; tasks by their reference, pairs as `[in a, in b]`."""

    added: list[str]
    removed: list[str]
    moved: list[tuple[str, str]] = Field(description="To another list, or past another task.")
    changed: list[tuple[str, str]] = Field(description="In kind, or in what they do.")


class Comparison(Answer):
    """What differs; of two that are alike ``difference``, ``tasks`` and ``diverged`` are empty."""

    a: Compared
    b: Compared
    prices: str = Field(description="The price list.", examples=["google-cloud-run"])
    difference: dict[str, float] = Field(examples=[{"durationMs": -340.0, "price": 0.0000012}])
    diverged: Divergence | None
    tasks: list[ComparedTask]
    definition: DefinitionDifference | None = Field(
        description="Null where both are of one version, or analytics does not know one of the definitions."
    )
    complete: bool = Field(description="False where one has more entries of tasks than paths were compared of.")


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
