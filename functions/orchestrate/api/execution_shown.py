"""An execution as the API shows it: the secrets of its workflow are masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lowtide.errors import NotFound
from lowtide.model.base import JSON
from lowtide.model.command import Ask, Await, RunChild, RunContainer, Sleep
from lowtide.wire import json
from lowtide.wire.masking import NOTHING_SECRET, Mask

from ..nouns import Execution, Passive, moment
from ..store import executions
from ..work import Desk
from .pages import execution_id, named, time_text

__all__ = ["find_execution", "shown", "summaries", "summary_of"]


async def find_execution(tx: Any, namespace: str, execution: str) -> Execution:
    named("namespace", namespace)
    found = await executions.find(tx, namespace, execution_id(execution))
    if found is None:
        raise NotFound(f"there is no execution {execution} in namespace {namespace}")
    return found


async def summaries(desk: Desk, rows: Sequence[Any]) -> list[dict[str, JSON]]:
    """Executions as they stand in a list."""
    told = {row.workflow_version for row in rows if row.error or row.reason}
    masks = {version: await desk.mask(version) for version in told}
    return [summary_of(row, masks.get(row.workflow_version, NOTHING_SECRET)) for row in rows]


def summary_of(row: Any, mask: Mask) -> dict[str, JSON]:
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
        "origin": _origin(row),
        "error": mask.json(json.parse(row.error)) if row.error else None,
        "reason": mask.json(row.reason),
    }


def _origin(row: Any) -> JSON:
    """The execution that it repeats, and how."""
    if row.origin is None:
        return None
    return {"execution": row.origin, "kind": row.origin_kind, "task": row.origin_task}


async def shown(desk: Desk, execution: Execution) -> dict[str, JSON]:
    """An execution with its data."""
    mask = await desk.mask(execution.workflow_version)
    waiting = execution.commands if execution.phase in ("waiting", "suspended") else ()
    return {
        **summary_of(execution, mask),
        "input": mask.json(execution.begun.input),
        "output": mask.json(await _output(desk, execution)),
        "waitingFor": [_waiting(command, mask) for command in waiting],
    }


async def _output(desk: Desk, execution: Execution) -> JSON:
    """Raises :class:`lowtide.errors.PayloadLost` and Unavailable where it is large."""
    if execution.output is None:
        return None
    return json.parse(await desk.claims.check_out(execution.namespace, execution.id, execution.output))


def _waiting(command: Passive, mask: Mask) -> dict[str, JSON]:
    match command:
        case Sleep():
            until = time_text(moment(command.until))
            return {"command": command.id, "kind": "timer", "until": until, "purpose": command.purpose}
        case Await(ask=Ask() as ask):
            title = {} if ask.task is None else {"title": mask.text(ask.task.title)}
            due = None if ask.until is None else time_text(moment(ask.until))
            return {"command": command.id, "kind": ask.kind, "until": due, **title}
        case Await():
            types = [wanted.with_["type"] for wanted in command.filters if "type" in wanted.with_]
            return {"command": command.id, "kind": "events", "need": command.need, "types": mask.json(types)}
        case RunChild():
            names = {"namespace": command.namespace, "workflow": command.workflow, "version": command.version}
            return {"command": command.id, "kind": "workflow", **mask.json(names)}
        case RunContainer():
            return {"command": command.id, "kind": "container", "image": mask.text(command.container.image)}
