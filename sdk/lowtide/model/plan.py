"""The plan: a workflow document after it was checked and normalised, in the form that the engine runs.

References are resolved, every task knows its JSON pointer, and every place that may hold an expression is a
:data:`Template`. ``lowtide.dsl`` makes plans; the dispatch carries them; nothing else needs the document's models.
"""

from typing import Literal, TypeAlias

from lowtide.model.base import JSON, Noun

__all__ = [
    "ArrayTemplate",
    "Call",
    "Case",
    "Catch",
    "Correlation",
    "Do",
    "Emit",
    "EventFilter",
    "Export",
    "Expression",
    "Extension",
    "For",
    "Foreach",
    "Fork",
    "Input",
    "Interpolation",
    "Listen",
    "Literal_",
    "ObjectTemplate",
    "Output",
    "Plan",
    "Raise",
    "Retry",
    "RunProcess",
    "RunWorkflow",
    "Schedule",
    "Schema",
    "Set",
    "Strategy",
    "Switch",
    "Task",
    "TaskBase",
    "Template",
    "Try",
    "Wait",
]

# ---------------------------------------------------------------- templates


class Literal_(Noun, frozen=True, tag_field="t", tag="v"):
    """A constant; also a whole subtree without any expression."""

    value: JSON


class Expression(Noun, frozen=True, tag_field="t", tag="x"):
    """One jq program. ``at`` is where it stands in the document, as ``line:column`` (for error messages)."""

    source: str
    at: str = ""
    lenient: bool = False
    """``evaluate.mode: loose``: a string that fails to compile is the literal text itself."""


class Interpolation(Noun, frozen=True, tag_field="t", tag="i"):
    """Text with ``${ … }`` in its middle (decision A-2): strings are joined, other values as JSON."""

    parts: tuple[str | Expression, ...]


class ArrayTemplate(Noun, frozen=True, tag_field="t", tag="a"):
    items: "tuple[Template, ...]"


class ObjectTemplate(Noun, frozen=True, tag_field="t", tag="o"):
    members: "dict[str, Template]"


Template: TypeAlias = Literal_ | Expression | Interpolation | ArrayTemplate | ObjectTemplate
"""A value of the document in which expressions are marked. Durations are templates too: their value is an integer of
milliseconds when constant, else whatever the expression gives (ISO 8601 text or a duration object)."""

# ---------------------------------------------------------------- data flow


class Schema(Noun, frozen=True):
    """A JSON Schema: inline (``document``) or to be fetched before it is used (``resource``, an endpoint template)."""

    document: JSON = None
    resource: Template | None = None
    format: str = "json"


class Input(Noun, frozen=True):
    schema: Schema | None = None
    from_: Template | None = None


class Output(Noun, frozen=True):
    schema: Schema | None = None
    as_: Template | None = None


class Export(Noun, frozen=True):
    schema: Schema | None = None
    as_: Template | None = None


# ---------------------------------------------------------------- events


class Correlation(Noun, frozen=True):
    """One key of ``correlate``: ``from_`` is evaluated on an event, ``expect`` once, when the listener is entered."""

    from_: Expression
    expect: Template | None = None


class EventFilter(Noun, frozen=True):
    """``with`` maps attribute names to literals, ``regex:`` texts or expressions on the event (decision A-14)."""

    with_: dict[str, Template]
    correlate: dict[str, Correlation] = {}


class Strategy(Noun, frozen=True):
    """What to consume: ``one`` and ``all`` as written; ``any`` with no filter means every event.

    ``until`` is set on ``any`` alone: a condition on the consumed events, or another strategy.
    """

    mode: Literal["one", "all", "any"]
    filters: tuple[EventFilter, ...] = ()
    until_condition: Expression | None = None
    until_strategy: "Strategy | None" = None


class Foreach(Noun, frozen=True):
    """Tasks to perform for each consumed event."""

    do: "tuple[Task, ...]" = ()
    item: str = "item"
    at: str = "index"
    output: Output | None = None
    export: Export | None = None


class Schedule(Noun, frozen=True):
    """What starts executions by itself: exactly one of the four (decision A-15). Durations in milliseconds."""

    every: int | None = None
    cron: str | None = None
    after: int | None = None
    on: Strategy | None = None
    read: Literal["data", "envelope", "raw"] = "data"


# ---------------------------------------------------------------- tasks


class TaskBase(Noun, frozen=True, kw_only=True, tag_field="kind"):
    """What all tasks have. ``pointer`` is the task's JSON pointer in the document, as ``/do/0/name``."""

    name: str
    pointer: str
    if_: Expression | None = None
    input: Input | None = None
    output: Output | None = None
    export: Export | None = None
    timeout: Template | None = None
    then: str = "continue"
    metadata: dict[str, JSON] = {}


class Call(TaskBase, frozen=True, kw_only=True, tag="call"):
    """``call`` is http, grpc, openapi, asyncapi, mcp, a2a, or the name of a function.

    A function's name is looked up in :attr:`Plan.functions` first, then in the step registry of the process.
    ``authentications`` of ``use`` are already resolved inside ``with_``.
    """

    call: str
    with_: Template
    foreach: Foreach | None = None
    """``asyncapi`` subscriptions only: what to do with each message. Their ``filter``, ``while`` and ``until`` are in
    ``with_`` as jq sources, since they are evaluated per message."""


class Do(TaskBase, frozen=True, kw_only=True, tag="do"):
    do: "tuple[Task, ...]"


class Emit(TaskBase, frozen=True, kw_only=True, tag="emit"):
    """``event``'s value is the attributes of a CloudEvent in JSON form; missing id, source, time are generated."""

    event: Template


class For(TaskBase, frozen=True, kw_only=True, tag="for"):
    in_: Template
    each: str = "item"
    at: str = "index"
    while_: Expression | None = None
    do: "tuple[Task, ...]"


class Fork(TaskBase, frozen=True, kw_only=True, tag="fork"):
    branches: "tuple[Task, ...]"
    compete: bool = False


class Listen(TaskBase, frozen=True, kw_only=True, tag="listen"):
    to: Strategy
    read: Literal["data", "envelope", "raw"] = "data"
    foreach: Foreach | None = None


class Raise(TaskBase, frozen=True, kw_only=True, tag="raise"):
    """``error``'s value is an object with type, status and perhaps title, detail, instance; names are resolved."""

    error: Template


class RunWorkflow(TaskBase, frozen=True, kw_only=True, tag="workflow"):
    """``version`` is ``None`` for the newest deployed one at the time of the call (decision A-16)."""

    namespace: Template
    workflow: Template
    version: Template | None = None
    with_: Template | None = None
    await_: bool = True


class RunProcess(TaskBase, frozen=True, kw_only=True, tag="process"):
    """``run`` of a container, script or shell; ``with_`` is its configuration."""

    process: Literal["container", "script", "shell"]
    with_: Template
    await_: bool = True
    return_: Literal["stdout", "stderr", "code", "all", "none"] = "stdout"


class Set(TaskBase, frozen=True, kw_only=True, tag="set"):
    value: Template


class Case(Noun, frozen=True):
    name: str
    then: str
    when: Expression | None = None


class Switch(TaskBase, frozen=True, kw_only=True, tag="switch"):
    cases: tuple[Case, ...]


class Retry(Noun, frozen=True):
    """A retry policy (decision A-10). ``count`` is the number of *retries*; durations are templates."""

    when: Expression | None = None
    except_when: Expression | None = None
    delay: Template | None = None
    backoff: Literal["constant", "linear", "exponential"] = "constant"
    multiplier: float = 2.0
    increment: Template | None = None
    max_delay: Template | None = None
    count: int | None = None
    attempt_duration: Template | None = None
    duration: Template | None = None
    jitter_from: Template | None = None
    jitter_to: Template | None = None


class Catch(Noun, frozen=True):
    """``errors`` holds the literal members of ``errors.with`` (type, status, instance, title, detail)."""

    errors: dict[str, JSON] = {}
    as_: str = "error"
    when: Expression | None = None
    except_when: Expression | None = None
    retry: Retry | None = None
    do: "tuple[Task, ...]" = ()
    then: str | None = None


class Try(TaskBase, frozen=True, kw_only=True, tag="try"):
    try_: "tuple[Task, ...]"
    catch: Catch


class Wait(TaskBase, frozen=True, kw_only=True, tag="wait"):
    duration: Template


Task: TypeAlias = Call | Do | Emit | For | Fork | Listen | Raise | RunWorkflow | RunProcess | Set | Switch | Try | Wait


class Extension(Noun, frozen=True):
    """Tasks around tasks of one kind (``extend`` as the standard names it, or ``all``)."""

    name: str
    extend: str
    when: Expression | None = None
    before: tuple[Task, ...] = ()
    after: tuple[Task, ...] = ()


class Plan(Noun, frozen=True, kw_only=True):
    """One version of one workflow, ready to run. ``definition`` is the document as JSON (``$workflow.definition``)."""

    dsl: str
    namespace: str
    name: str
    version: str
    do: tuple[Task, ...]
    definition: dict[str, JSON]
    input: Input | None = None
    output: Output | None = None
    timeout: Template | None = None
    schedule: Schedule | None = None
    functions: dict[str, Task] = {}
    catalogs: dict[str, Template] = {}
    extensions: tuple[Extension, ...] = ()
    secrets: tuple[str, ...] = ()
    mode: Literal["strict", "loose"] = "strict"
    durability: Literal["full", "relaxed"] = "full"
