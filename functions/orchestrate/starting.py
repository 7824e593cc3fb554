"""Starts: an execution, its first dispatch and its outbox row in one transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from lowtide.errors import Conflict
from lowtide.model.base import JSON, ExecutionId
from lowtide.model.command import RunChild
from lowtide.model.error import standard_error
from lowtide.model.event import ChildEnded
from lowtide.model.state import Seed
from lowtide.runtime import chance
from lowtide.wire import json
from lowtide.wire.types import Wake

from . import dispatching
from .changing import announce
from .nouns import Deployed, Execution, Order, millis
from .store import executions, wakes, workflows
from .store.keys import hashed
from .waking import child_key
from .work import Work

log = logging.getLogger("lowtide.orchestrate")

__all__ = ["Parent", "Started", "event_key", "request_key", "start", "start_child"]


@dataclass(frozen=True, slots=True)
class Parent:
    """Who waits for a child: the execution, and its command."""

    execution: ExecutionId
    command: str


@dataclass(frozen=True, slots=True)
class Started:
    """``fresh``: it began now; otherwise its key had started it before. ``order`` is set for the short way."""

    execution: Execution
    fresh: bool
    order: Order | None = None


def request_key(key: str) -> str:
    """The dedupe key of a request with an ``Idempotency-Key``."""
    return hashed("request", key)


def event_key(source: str, event_id: str) -> str:
    """The dedupe key of a start by an event."""
    return hashed("event", source, event_id)


async def start(
    work: Work,
    version: Deployed,
    given: JSON,
    now: datetime,
    *,
    dedupe: str | None = None,
    body_digest: str | None = None,
    parent: Parent | None = None,
    traceparent: str | None = None,
    short_way: float | None = None,
    echo: bool = False,
) -> Started:
    """Start an execution, once per ``dedupe`` key of the workflow.

    ``short_way``: the caller takes the dispatch to execute itself; the Broker gets it after so many seconds. ``echo``:
    it follows from a lifecycle event. Raises
    :class:`lowtide.errors.Conflict` where the key came before with another body.
    """
    execution_id = chance.new_execution_id(millis(now))
    seed = Seed(execution=execution_id, input=given, at=millis(now), random=chance.uniform())
    execution = Execution(
        id=execution_id,
        namespace=version.namespace,
        workflow=version.name,
        version=version.version,
        workflow_version=version.id,
        phase="pending" if short_way is None else "running",
        epoch=1,
        change=1,
        seed=json.encode(seed),
        parent=parent.execution if parent else None,
        parent_command=parent.command if parent else None,
        dedupe=dedupe,
        body_digest=body_digest,
        traceparent=traceparent,
        created_at=now,
        started_at=None if short_way is None else now,
        echo=echo,
    )
    values = {name: getattr(execution, name) for name in Execution.__dataclass_fields__}
    if not await executions.add(work.tx, values):
        return Started(await _earlier(work, execution), fresh=False)
    not_before = None if short_way is None else now + timedelta(seconds=short_way)
    order = await dispatching.write(work, execution, 1, (), now, not_before=not_before)
    await announce(work, None, execution, now)
    return Started(execution, fresh=True, order=None if short_way is None else order)


async def _earlier(work: Work, wanted: Execution) -> Execution:
    found = await executions.by_dedupe(work.tx, wanted.namespace, wanted.workflow, str(wanted.dedupe))
    if found is None:
        raise Conflict("the same key is being used at this moment by another request; send this one again")
    if wanted.body_digest is not None and found.body_digest != wanted.body_digest:
        raise Conflict(
            f"this Idempotency-Key started execution {found.id} with another body; "
            "use a new key for a new start, or send the same body"
        )
    return found


async def start_child(work: Work, parent: Execution, command: RunChild, now: datetime) -> None:
    """Start what a ``run: workflow`` asks for, once per command. The parent's row is locked.

    A workflow that does not exist is the child's end, with a configuration error; nobody waits for a detached one.
    """
    version, _ = await workflows.find_deployed(work.tx, command.namespace, command.workflow, command.version)
    if version is not None:
        await start(
            work,
            version,
            command.input,
            now,
            dedupe=hashed("child", parent.id, command.id),
            parent=None if command.detached else Parent(parent.id, command.id),
            traceparent=parent.traceparent,
            echo=parent.echo,
        )
        return
    named = f"{command.namespace}/{command.workflow}" + (f":{command.version}" if command.version else "")
    log.warning("execution %s runs workflow %s, which is not deployed", parent.id, named)
    if not command.detached:
        error = standard_error("configuration", f"no workflow {named} is deployed", instance=command.reference)
        event = ChildEnded(at=millis(now), random=chance.uniform(), command=command.id, execution="", error=error)
        await wakes.insert_wake(work.tx, parent.id, Wake(key=child_key(command.id), event=event), now)
