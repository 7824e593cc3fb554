"""An execution as the API shows it."""

from __future__ import annotations

from typing import Any

from lowtide.errors import NotFound
from lowtide.model.base import JSON
from lowtide.model.command import Await, RunChild, RunContainer, Sleep
from lowtide.wire import json

from ..nouns import Execution, Passive, moment
from ..store import executions
from .pages import execution_id, named, time_text

__all__ = ["find_execution", "shown", "summary_of"]


async def find_execution(tx: Any, namespace: str, execution: str) -> Execution:
    named("namespace", namespace)
    found = await executions.find(tx, namespace, execution_id(execution))
    if found is None:
        raise NotFound(f"there is no execution {execution} in namespace {namespace}")
    return found


def summary_of(row: Any) -> dict[str, JSON]:
    """An execution as it stands in a list."""
    return {
        "id": row.id,
        "namespace": row.namespace,
        "workflow": row.workflow,
        "version": row.version,
        "phase": row.phase,
        "epoch": row.epoch,
        "createdAt": time_text(row.created_at),
        "startedAt": time_text(row.started_at),
        "endedAt": time_text(row.ended_at),
        "parent": row.parent,
        "error": json.parse(row.error) if row.error else None,
        "reason": row.reason,
    }


def shown(execution: Execution) -> dict[str, JSON]:
    """An execution with its data."""
    waiting = execution.commands if execution.phase in ("waiting", "suspended") else ()
    return {
        **summary_of(execution),
        "input": execution.begun.input,
        "output": json.parse(execution.output) if execution.output else None,
        "waitingFor": [_waiting(command) for command in waiting],
    }


def _waiting(command: Passive) -> dict[str, JSON]:
    match command:
        case Sleep():
            until = time_text(moment(command.until))
            return {"command": command.id, "kind": "timer", "until": until, "purpose": command.purpose}
        case Await():
            types = [wanted.with_["type"] for wanted in command.filters if "type" in wanted.with_]
            return {"command": command.id, "kind": "events", "need": command.need, "types": types}
        case RunChild():
            names = {"namespace": command.namespace, "workflow": command.workflow, "version": command.version}
            return {"command": command.id, "kind": "workflow", **names}
        case RunContainer():
            return {"command": command.id, "kind": "container", "image": command.container.image}
