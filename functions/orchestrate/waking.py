"""Wakes: into the inbox under the execution's lock, and in the same transaction the one rule.

Every function here expects the execution's row locked, or locks it. A child is locked before its parent, never the
other way round: what a parent wants of its children goes through the outbox.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from lowtide.engine import resume
from lowtide.errors import LowtideError
from lowtide.model.base import JSON
from lowtide.model.error import Error, short_type, standard_error
from lowtide.model.event import CancelAsked, ChildEnded
from lowtide.model.fact import Fact
from lowtide.runtime import chance
from lowtide.wire import json
from lowtide.wire.claims import Payload, reference
from lowtide.wire.lifecycle import of_facts
from lowtide.wire.types import Wake

from . import dispatching
from .announcing import about, tell
from .changing import change
from .nouns import Commands, Execution, Signal, millis
from .rule import Cancel, Go, Stay, decide
from .states import forget_state, state_of
from .store import containers, executions, outbox, wakes
from .store.keys import short
from .work import Work

__all__ = ["cancel_below", "cancel_wake", "child_key", "deliver", "end", "outcome_values", "settle", "timer_key"]

log = logging.getLogger("lowtide.orchestrate")

_APART: Final = 50_000_000
"""More facts than an execution has, few enough for the eight digits of ``sequence``."""


def timer_key(command: str) -> str:
    return f"timer:{short(command)}"


def child_key(command: str) -> str:
    return f"child:{short(command)}"


def cancel_wake(reason: str, now: datetime) -> Wake:
    return Wake(key=wakes.CANCEL, event=CancelAsked(at=millis(now), random=chance.uniform(), reason=reason))


async def deliver(work: Work, execution: Execution, wake: Wake, now: datetime) -> None:
    """Put a wake into the inbox of a locked execution, and let what follows follow."""
    if execution.ended or not await wakes.insert_wake(work.tx, execution.id, wake, now):
        return
    if execution.phase == "waiting":
        await settle(work, execution, execution.commands, now)
    elif execution.phase == "running":
        work.after.signals.append(Signal(execution.namespace, execution.id, execution.epoch, wake))


async def settle(
    work: Work, execution: Execution, commands: Commands, now: datetime, *, resume_now: bool = False
) -> Execution:
    """The one rule, on a locked execution that is waiting."""
    decision = decide(commands, await wakes.wakes_of(work.tx, execution.id), resume_now=resume_now)
    match decision:
        case Stay():
            return execution
        case Go(wakes=found):
            await dispatching.write(work, execution, execution.epoch + 1, tuple(found), now)
            return await change(work, execution, now, phase="running", epoch=execution.epoch + 1)
        case Cancel(reason=reason):
            return await end(work, execution, now, "cancelled", reason=reason, ran=False)


async def end(
    work: Work,
    execution: Execution,
    now: datetime,
    status: str,
    *,
    output: JSON = None,
    payload: Payload | None = None,
    error: Error | None = None,
    reason: str | None = None,
    ran: bool = True,
) -> Execution:
    """Give a locked execution its outcome: nothing wakes it any more, its parent learns of it, its children end.

    ``payload``: where a large ``output`` is kept. ``ran``: an invocation told so, else it is cancelled without one.
    """
    facts = () if ran else await _cancelled_tasks(work, execution, now)
    forget_state(work, execution)
    next_one = await executions.clear(work.tx, execution.id)
    if next_one is not None:
        work.after.timer(next_one)
    work.after.free(execution)
    await cancel_below(work, execution, ())
    outcome = outcome_values(execution, now, status, output=output, payload=payload, error=error)
    if not ran:
        outcome["started_at"] = execution.started_at
    ended = await change(work, execution, now, facts=facts, **{**outcome, "reason": reason})
    work.after.ended.append(ended)
    if execution.parent and execution.parent_command:
        await _tell_parent(work, ended, output, error, now)
    return ended


async def _cancelled_tasks(work: Work, execution: Execution, now: datetime) -> tuple[Fact, ...]:
    """What becomes of the tasks of an execution that is cancelled without an invocation: the engine says it.

    Where an invocation was lost it may have told facts with the next numbers, of turns that only the journal knows.
    """
    try:
        state = await state_of(work, execution)
    except LowtideError as error:  # a store that is away, or has lost it, must not keep anybody from cancelling
        log.warning(
            "the tasks of execution %s are not told to be cancelled: %s",
            execution.id,
            error,
            extra={"execution": execution.id},
        )
        state = None
    if state is None:
        return ()
    plan = await work.plans.get(work.tx, execution.workflow_version)
    facts = resume(plan, state, CancelAsked(at=millis(now)), work.host).facts
    if await executions.dispatch_of(work.tx, execution.id, execution.epoch) is not None:
        facts = tuple(msgspec.structs.replace(fact, number=fact.number + _APART) for fact in facts)
    whom = await about(work, execution)
    await tell(work, execution, of_facts(whom, facts))
    return facts


def outcome_values(
    execution: Execution,
    now: datetime,
    status: str,
    *,
    output: JSON = None,
    payload: Payload | None = None,
    error: Error | None = None,
) -> dict[str, Any]:
    """What an execution has when it has ended; nothing that it could go on from is left."""
    stored = json.encode(output) if payload is None else reference(payload)
    return {
        "phase": status,
        "started_at": execution.started_at or now,
        "ended_at": now,
        "output": stored if status == "completed" else None,
        "error": json.encode(error.as_json()) if error else None,
        "error_type": short_type(error.type) if error else None,
        "reason": None,
        "state": None,
        "waiting": None,
        "suspend_asked": None,
    }


async def _tell_parent(work: Work, child: Execution, output: JSON, error: Error | None, now: datetime) -> None:
    found = await executions.lock(work.tx, str(child.parent))
    if found is None:
        return
    if child.phase == "cancelled":
        detail = f"execution {child.id} of workflow {child.workflow} was cancelled: {child.reason or 'no reason given'}"
        error = standard_error("runtime", detail)
    command = str(child.parent_command)
    event = ChildEnded(
        at=millis(now), random=chance.uniform(), command=command, execution=child.id, output=output, error=error
    )
    await deliver(work, found[0], Wake(key=child_key(command), event=event), now)


async def cancel_below(work: Work, execution: Execution, wanted: Sequence[str]) -> None:
    """Ask for the end of every living child and container whose command is not among ``wanted``."""
    if await containers.unwant(work.tx, execution.id, wanted):
        work.after.containers = True
    for child, command in await executions.children_alive(work.tx, execution.id):
        if command not in wanted:
            body = json.encode({"reason": f"its parent {execution.id} no longer waits for it"})
            await outbox.add(work.tx, "cancel", child, body=body)
            work.after.cancels = True
