"""The standard's lifecycle events (dsl-reference.md, "Lifecycle Events"), from changes of phase and from facts. Pure.

    of_change(about, before, after, at)      started, suspended, resumed, cancelled, faulted, completed
    of_listening(about, ...)                 correlation-started, correlation-completed
    of_facts(about, facts)                   task.created, started, retried, cancelled, faulted, completed
    of_rest(about, ...)                      task.suspended, task.resumed

Ids are deterministic: what is published twice is the same event. ``sequence`` (the CloudEvents extension) orders the
events of one execution, and those of its tasks among themselves; brokers keep no order. Of a workflow that declares
secrets neither outputs nor the texts of errors are told: who publishes cannot know what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from lowtide.model.base import JSON, Millis, Value, iso
from lowtide.model.error import Error
from lowtide.model.fact import Fact, TaskStatus
from lowtide.model.ours import ours
from lowtide.wire import json
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.records import Change, Subject
from lowtide.wire.traces import written
from lowtide.wire.types import LEVELS, Extension, Level, lifecycle_type, source_of, wants

__all__ = [
    "LARGEST_OUTPUT",
    "About",
    "Entry",
    "level_of",
    "of_change",
    "of_facts",
    "of_listening",
    "of_rest",
]

LARGEST_OUTPUT: Final = 64 * 1024
"""Bytes of JSON. A larger output is left out of ``completed``: it is read from the API."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Entry = tuple[str, str]
"""One entry of a task: its identity, and its JSON pointer."""


class About(Value, frozen=True):
    """Whom events are about. ``secretive``: the workflow declares secrets; ``echo``: see ``Extension.echo``."""

    subject: Subject
    level: Level = "workflow"
    traceparent: str | None = None
    echo: bool = False
    secretive: bool = False

    @property
    def name(self) -> str:
        """The execution's qualified name, ``{name}-{suffix}.{namespace}``; the suffix is its id."""
        return f"{self.subject.workflow}-{self.subject.execution}.{self.subject.namespace}"


def level_of(definition: Mapping[str, JSON], default: Level) -> Level:
    """What a document asks for by ``document.metadata.lowtide.lifecycle``, or the default."""
    found = ours(definition, "lifecycle")
    return found if found in LEVELS else default


def of_change(
    about: About, before: Change | None, after: Change, at: Millis, *, output: JSON = None
) -> tuple[CloudEvent, ...]:
    """What a stored change of an execution means; ``before`` is ``None`` where it has just been created."""
    if not wants(about.level, "workflow"):
        return ()
    told: list[tuple[str, Millis, dict[str, JSON]]] = []
    if after.started_at is not None and (before is None or before.started_at is None):
        told.append(
            ("started", after.started_at, {"definition": _definition(about), "startedAt": iso(after.started_at)})
        )
    was = None if before is None else before.phase
    if was != after.phase:
        match after.phase:
            case "completed":
                told.append(("completed", at, {"completedAt": iso(at), **_output(about, output)}))
            case "faulted":
                told.append(("faulted", at, {"faultedAt": iso(at), "error": _error(about, after.error)}))
            case "cancelled":
                told.append(("cancelled", at, {"cancelledAt": iso(at)}))
            case "suspended":
                told.append(("suspended", at, {"suspendedAt": iso(at)}))
            case _ if was == "suspended":
                told.append(("resumed", at, {"resumedAt": iso(at)}))
        if wants(about.level, "all"):
            told.append(("status-changed", at, {"updatedAt": iso(at), "status": after.phase}))
    return tuple(
        _workflow_event(about, name, moment, data, f":{after.number}", (after.number, place))
        for place, (name, moment, data) in enumerate(told)
    )


def of_listening(
    about: About, command: str, at: Millis, number: int, keys: Mapping[str, JSON] | None = None
) -> tuple[CloudEvent, ...]:
    """A listener began to correlate events, or, with ``keys``, got all that it wanted.

    ``number`` is that of the execution's newest change.
    """
    if not wants(about.level, "workflow"):
        return ()
    if keys is None:
        return (_workflow_event(about, "correlation-started", at, {"startedAt": iso(at)}, command, (number, 8)),)
    data: dict[str, JSON] = {"completedAt": iso(at)}
    if keys and not about.secretive:
        data["correlationKeys"] = dict(keys)
    return (_workflow_event(about, "correlation-completed", at, data, command, (number, 9)),)


_OF_STATUS: Final[dict[TaskStatus, tuple[str, ...]]] = {
    "running": ("created", "started"),
    "waiting": (),
    "retried": ("retried",),
    "skipped": (),
    "cancelled": ("cancelled",),
    "faulted": ("faulted",),
    "completed": ("completed",),
}
"""A task whose ``if`` was false was neither created nor run."""

_PHASE_OF: Final[dict[TaskStatus, str]] = {"retried": "running", "skipped": ""}


def of_facts(about: About, facts: Iterable[Fact]) -> tuple[CloudEvent, ...]:
    """What happened to tasks."""
    if not wants(about.level, "task"):
        return ()
    events: list[CloudEvent] = []
    for fact in facts:
        phase = _PHASE_OF.get(fact.status, fact.status)
        for place, name in enumerate(_OF_STATUS[fact.status]):
            data: dict[str, JSON] = {f"{name}At": iso(fact.at)}
            if name == "faulted":
                data["error"] = _error(about, fact.error)
            events.append(
                _task_event(about, name, fact.at, data, fact.reference, f":{fact.number}", (fact.number, place))
            )
        if phase and wants(about.level, "all"):
            data = {"updatedAt": iso(fact.at), "status": phase}
            sequence = (fact.number, len(_OF_STATUS[fact.status]))
            events.append(
                _task_event(about, "status-changed", fact.at, data, fact.reference, f":{fact.number}", sequence)
            )
    return tuple(events)


def of_rest(
    about: About, name: Literal["suspended", "resumed"], entries: Iterable[Entry], at: Millis, facts: int, number: int
) -> tuple[CloudEvent, ...]:
    """The tasks under way of an execution that is suspended, or goes on.

    ``facts`` is how many facts its state had seen, ``number`` that of the change.
    """
    if not wants(about.level, "task"):
        return ()
    events: list[CloudEvent] = []
    for task, reference in entries:
        unique = f":{number}{task}"
        data: dict[str, JSON] = {f"{name}At": iso(at)}
        events.append(_task_event(about, name, at, data, reference, unique, (facts, number)))
        if wants(about.level, "all"):
            status = "suspended" if name == "suspended" else "running"
            data = {"updatedAt": iso(at), "status": status}
            events.append(_task_event(about, "status-changed", at, data, reference, unique, (facts, number)))
    return tuple(events)


# ---------------------------------------------------------------- inside


def _definition(about: About) -> dict[str, JSON]:
    subject = about.subject
    return {"name": subject.workflow, "namespace": subject.namespace, "version": subject.version}


def _output(about: About, output: JSON) -> dict[str, JSON]:
    if output is None or about.secretive or len(json.encode(output)) > LARGEST_OUTPUT:
        return {}
    return {"output": output}


def _error(about: About, error: Error | None) -> JSON:
    if error is None:
        return None
    if not about.secretive:
        return error.as_json()
    return Error(error.type, error.status, instance=error.instance).as_json()


def _workflow_event(
    about: About, name: str, at: Millis, data: dict[str, JSON], unique: str, sequence: tuple[int, int]
) -> CloudEvent:
    event_id = f"{about.subject.execution}{unique}:workflow.{name}"
    body = {"name": about.name, **data}
    return _event(about, lifecycle_type("workflow", name), event_id, about.subject.execution, at, body, sequence)


def _task_event(
    about: About, name: str, at: Millis, data: dict[str, JSON], reference: str, unique: str, sequence: tuple[int, int]
) -> CloudEvent:
    event_id = f"{about.subject.execution}{unique}:task.{name}"
    body = {"workflow": about.name, "task": reference, **data}
    subject = about.subject.execution + reference
    return _event(about, lifecycle_type("task", name), event_id, subject, at, body, sequence)


def _legal(text: str) -> str:
    """Tasks may have any name, an attribute holds no control characters."""
    return _CONTROL.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _event(
    about: About, event_type: str, event_id: str, subject: str, at: Millis, data: JSON, sequence: tuple[int, int]
) -> CloudEvent:
    attributes: dict[str, str | int | bool] = {
        "specversion": "1.0",
        "id": _legal(event_id),
        "source": source_of(about.subject.namespace, about.subject.workflow),
        "type": event_type,
        "subject": _legal(subject),
        "time": iso(at),
        "datacontenttype": "application/json",
        "sequence": f"{sequence[0]:08d}.{sequence[1]:08d}",
        Extension.namespace: about.subject.namespace,
        Extension.workflow: about.subject.workflow,
        Extension.execution: about.subject.execution,
    }
    if about.echo:
        attributes[Extension.echo] = "true"
    attributes.update(written(about.traceparent))
    return CloudEvent(attributes, json.encode(data))
