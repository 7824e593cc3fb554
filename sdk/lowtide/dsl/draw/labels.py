"""What a task does, in a few words."""

from __future__ import annotations

from typing import Final, assert_never

from lowtide.model.base import JSON
from lowtide.model.duration import write
from lowtide.model.plan import (
    ArrayTemplate,
    Call,
    Do,
    Emit,
    EventFilter,
    Expression,
    For,
    Fork,
    Interpolation,
    Listen,
    Literal_,
    ObjectTemplate,
    Raise,
    RunProcess,
    RunWorkflow,
    Set,
    Strategy,
    Switch,
    Task,
    Template,
    Try,
    Wait,
)

__all__ = ["detail", "duration_text", "kind_of", "member", "text_of"]

_LONGEST: Final = 60


def kind_of(task: Task) -> str:
    """The task's keyword in the document."""
    match task:
        case RunProcess() | RunWorkflow():
            return "run"
        case _:
            return str(task.__struct_config__.tag)


def detail(task: Task) -> str:
    """One short line about a task, without its name and kind."""
    match task:
        case Call():
            return _call(task)
        case Do():
            return ""
        case Emit():
            return text_of(member(task.event, "type"))
        case For():
            return f"each {task.each} in {text_of(task.in_)}"
        case Fork():
            return "the first wins" if task.compete else "all"
        case Listen():
            return _strategy(task.to)
        case Raise():
            return f"{text_of(member(task.error, 'status'))} {text_of(member(task.error, 'type'))}".strip()
        case RunWorkflow():
            return f"workflow {text_of(task.namespace)}/{text_of(task.workflow)}"
        case RunProcess():
            image = text_of(member(task.with_, "image") or member(task.with_, "language"))
            return f"{task.process} {image}".strip()
        case Set():
            return _set(task.value)
        case Switch():
            return f"{len(task.cases)} cases" if len(task.cases) != 1 else "1 case"
        case Try():
            return _try(task)
        case Wait():
            return duration_text(task.duration)
    assert_never(task)


def _call(task: Call) -> str:
    if task.call == "http":
        endpoint = member(task.with_, "endpoint")
        uri = member(endpoint, "uri") if endpoint is not None else None
        method = text_of(member(task.with_, "method")).upper()
        return _short(f"{method} {text_of(uri or endpoint)}".strip())
    for name in ("operationId", "method", "operation", "channel"):
        found = member(task.with_, name)
        if found is not None and task.call in ("grpc", "openapi", "asyncapi", "mcp", "a2a"):
            return _short(f"{task.call} {text_of(found)}")
    return _short(task.call)


def _strategy(strategy: Strategy) -> str:
    names = " | ".join(_filter(found) for found in strategy.filters) or "every event"
    return _short(f"{strategy.mode} {names}")


def _filter(found: EventFilter) -> str:
    wanted = found.with_.get("type") or next(iter(found.with_.values()), None)
    return text_of(wanted)


def _set(value: Template) -> str:
    match value:
        case ObjectTemplate(members=members):
            return _short(", ".join(members))
        case Literal_(value=dict() as members):
            return _short(", ".join(members))
        case _:
            return text_of(value)


def _try(task: Try) -> str:
    retry = task.catch.retry
    if retry is None:
        return ""
    count = f" up to {retry.count} times" if retry.count is not None else ""
    return f"retry {retry.backoff}{count}"


def duration_text(template: Template | None) -> str:
    if isinstance(template, Literal_) and isinstance(template.value, int):
        return write(template.value)
    return text_of(template)


def member(template: Template | None, name: str) -> Template | None:
    """A member of an object's template."""
    match template:
        case ObjectTemplate(members=members):
            return members.get(name)
        case Literal_(value=dict() as constant) if name in constant:
            return Literal_(constant[name])
    return None


def text_of(template: Template | None) -> str:
    """A template as short text; expressions as their jq."""
    match template:
        case None:
            return ""
        case Literal_(value=value):
            return _short(_constant(value))
        case Expression(source=source):
            return _short(source)
        case Interpolation(parts=parts):
            return _short("".join(p if isinstance(p, str) else f"${{ {p.source} }}" for p in parts))
        case ArrayTemplate(items=items):
            return f"[{len(items)}]"
        case ObjectTemplate(members=members):
            return _short("{" + ", ".join(members) + "}")
    assert_never(template)


def _constant(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{len(value)}]"
        case dict():
            return "{" + ", ".join(value) + "}"
    return str(value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
