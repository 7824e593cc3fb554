"""Callbacks and human tasks: served, answered, escalated, expired.

All of it under the lock of the execution, and decided by the status of one row: of two answers, or an answer and the
end of its time, the first to take the lock counts, and the other is told so. What counts is in the inbox in the same
transaction, so that an answer that was accepted is never lost.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from lowtide.engine import WouldWait
from lowtide.errors import Conflict, Gone, InvalidAnswer, NotFound
from lowtide.model.answer import answer_event, expired_event
from lowtide.model.base import JSON, iso
from lowtide.model.command import Await, HumanTask
from lowtide.model.event import EventsReceived, Received
from lowtide.runtime import chance
from lowtide.wire import json
from lowtide.wire.callbacks import CallbackToken
from lowtide.wire.types import Wake, source_of

from .nouns import Execution, millis, moment
from .store import asks, executions, wakes
from .store.asks import Asked, Status
from .store.keys import hashed
from .waking import deliver
from .work import Desk, Work

__all__ = ["Answer", "claim", "complete", "find_task", "fire", "receive", "release", "serve"]


@dataclass(frozen=True, slots=True)
class Answer:
    """``digest`` is that of the body; with the same ``key`` it is the same answer. ``by``: of people, who gives it."""

    data: JSON
    digest: str
    key: str | None = None
    by: str | None = None


# ---------------------------------------------------------------- served


async def serve(work: Work, execution: Execution, command: Await, now: datetime) -> None:
    """A task of a locked execution waits for an answer; one that was given before is in the inbox at once."""
    ask = command.ask
    assert ask is not None
    row = await asks.by_key(work.tx, execution.id, ask.key)
    if row is None:
        until = None if ask.until is None else moment(ask.until)
        task = {} if ask.task is None else {"title": ask.task.title, "assignee": ask.task.assignee}
        about = {"asked": json.encode(ask), "due": until, **task}
        row = await _add(work, execution, ask.key, now, kind=ask.kind, status="open", commands=[command.id], **about)
        await _set_timer(work, row, None)
        return
    if command.id not in row.commands:
        row = await asks.change(work.tx, row.id, commands=[*row.commands, command.id])
    if row.answer is not None:
        await wakes.insert_wake(work.tx, execution.id, _wake(row, command.id, row.answer, now), now)


async def _add(work: Work, execution: Execution, key: str, now: datetime, **values: object) -> Asked:
    owner = {"execution": execution.id, "workflow_version": execution.workflow_version, "key": key, "created_at": now}
    return await asks.add(
        work.tx, {**owner, "namespace": execution.namespace, "workflow": execution.workflow, **values}
    )


async def _set_timer(work: Work, row: Asked, after: datetime | None) -> None:
    """The first moment after that one at which something becomes of it by itself."""
    ask = row.ask
    moments = [] if ask.task is None else [step.at for step in ask.task.escalation]
    if ask.until is not None:
        moments.append(ask.until)
    coming = [moment(at) for at in moments if after is None or moment(at) > after]
    if coming:
        due = min(coming)
        await wakes.add_timers(work.tx, row.execution, [(asks.timer_of(row.id), due)])
        work.after.timer(due)


async def fire(work: Work, execution: Execution, number: int, now: datetime) -> None:
    """Its timer is due: it passes to another assignee, or its time is over."""
    row = await asks.find(work.tx, number)
    if row is None or row.status != "open":
        return
    ask = row.ask
    if ask.until is not None and millis(now) >= ask.until:
        event = expired_event(row.kind, _name(row), source_of(row.namespace, row.workflow), millis(now))
        await _settle(work, execution, row, now, "expired", event)
        return
    steps = [] if ask.task is None else [step for step in ask.task.escalation if step.at <= millis(now)]
    if steps:
        row = await asks.change(work.tx, row.id, assignee=steps[-1].assignee, claimed_by=None, claimed_at=None)
    await _set_timer(work, row, now)


# ---------------------------------------------------------------- answered


async def receive(work: Work, token: CallbackToken, answer: Answer) -> None:
    """A callback URL of ours was called; it may be that nobody waits yet.

    Raises :class:`lowtide.errors.NotFound` where its execution is forgotten, ``Gone`` where it comes too late,
    ``Conflict`` where it was called before.
    """
    found = await executions.lock(work.tx, token.execution)
    if found is None:
        raise NotFound("there is no such callback URL any more: its execution was forgotten")
    execution, now = found
    row = await asks.by_key(work.tx, execution.id, token.id)
    if row is not None and row.status == "completed":
        _repeated(row, answer, "this callback URL has been called before, and can be called once")
        return
    if execution.ended:
        raise Gone("nobody waits for this callback any more: its execution has ended")
    if millis(now) >= token.expires or (row is not None and row.status != "open"):
        raise Gone("this callback URL has expired; ask whoever gave it for a new one")
    if row is None:
        row = await _add(work, execution, token.id, now, kind="callback", status="open", commands=[])
    event = answer_event("callback", _name(row), source_of(row.namespace, row.workflow), millis(now), answer.data)
    await _settle(work, execution, row, now, "completed", event, answer)


async def complete(desk: Desk, namespace: str, number: int, answer: Answer) -> Asked:
    """A person has done it. Raises :class:`lowtide.errors.NotFound`, ``Conflict`` where it was completed before or is
    another's, ``Gone`` where it comes too late, ``InvalidAnswer`` where the data does not fit the form."""
    row = await desk.do(lambda work: find_task(work, namespace, number))
    if row.status == "open":  # the form never changes, and may take long: it is not checked under the lock
        await _check(desk, _task_of(row), answer.data)
    return await desk.do(lambda work: _complete(work, namespace, number, answer))


async def _complete(work: Work, namespace: str, number: int, answer: Answer) -> Asked:
    execution, now, row = await _locked(work, namespace, number)
    if row.status == "completed":
        when = f"{row.answered_by} has completed task {number} before"
        _repeated(row, answer, when)
        return row
    _refuse_others(row, now, answer.by)
    source = source_of(row.namespace, row.workflow)
    event = answer_event("task", _name(row), source, millis(now), answer.data, by=answer.by)
    return await _settle(work, execution, row, now, "completed", event, answer)


async def _check(desk: Desk, task: HumanTask, data: JSON) -> None:
    if task.form is None:
        return
    try:
        wrong = getattr(desk.host, "impatient", desk.host).violations(task.form, data)
    except WouldWait:
        wrong = await asyncio.to_thread(desk.host.violations, task.form, data)
    if wrong:
        raise InvalidAnswer(wrong)


def _repeated(row: Asked, answer: Answer, otherwise: str) -> None:
    """Nothing more happens to what comes again. Raises :class:`lowtide.errors.Conflict` for all else."""
    if answer.key is None or answer.key != row.idempotency_key:
        raise Conflict(otherwise)
    if answer.digest != row.digest:
        raise Conflict("this Idempotency-Key came before with another body; take a new one for another answer")


async def _settle(
    work: Work,
    execution: Execution,
    row: Asked,
    now: datetime,
    status: Status,
    event: dict[str, JSON],
    answer: Answer | None = None,
) -> Asked:
    """Give an open row its answer, and whoever waits for it."""
    body = json.encode(event)
    who = {} if answer is None else {"answered_by": answer.by, "digest": answer.digest, "idempotency_key": answer.key}
    row = await asks.change(work.tx, row.id, status=status, answer=body, ended_at=now, **who)
    await wakes.drop_timer(work.tx, row.execution, asks.timer_of(row.id))
    for command in row.commands:
        await deliver(work, execution, _wake(row, command, body, now), now)
        found = await executions.lock(work.tx, row.execution)  # again: it may have been woken
        execution = found[0] if found else execution
    return row


def _wake(row: Asked, command: str, answer: bytes, now: datetime) -> Wake:
    event = json.parse(answer)
    received = Received(event, 0 if row.status == "completed" else 1)
    happened = EventsReceived(at=millis(now), random=chance.uniform(), command=command, events=(received,))
    return Wake(key=f"ask:{row.id}:{hashed(command)}", event=happened)


def _name(row: Asked) -> str:
    return f"{row.execution}:{row.kind}:{row.id}"


# ---------------------------------------------------------------- whose it is


async def claim(work: Work, namespace: str, number: int, by: str) -> Asked:
    """A person takes it on, so that nobody else does. Raises as :func:`complete` does."""
    _, now, row = await _locked(work, namespace, number)
    if row.status == "completed":
        raise Conflict(f"{row.answered_by} has completed task {number} before")
    _refuse_others(row, now, by)
    if row.claimed_by == by:
        return row
    return await asks.change(work.tx, row.id, claimed_by=by, claimed_at=now)


async def release(work: Work, namespace: str, number: int, by: str) -> Asked:
    """Whoever has claimed it gives it back; nothing happens where nobody has."""
    _, _, row = await _locked(work, namespace, number)
    if row.claimed_by not in (None, by):
        raise Conflict(f"{row.claimed_by} has claimed task {number}, and alone can release it")
    return row if row.claimed_by is None else await asks.change(work.tx, row.id, claimed_by=None, claimed_at=None)


def _refuse_others(row: Asked, now: datetime, by: str | None) -> None:
    """An open task is its assignee's, and of a group whoever has claimed it."""
    if row.status == "closed":
        raise Gone(f"nobody waits for task {row.id} any more: its execution has ended or gone on")
    if row.status == "expired" or (row.due is not None and now >= row.due):
        until = "" if row.due is None else f": it was {iso(millis(row.due))}"
        raise Gone(f"the deadline of task {row.id} is over{until}")
    kind, _, name = (row.assignee or "").partition(":")
    if kind == "user" and name != by:
        raise Conflict(f"task {row.id} is assigned to {name}, and not to {by}")
    if row.claimed_by not in (None, by):
        raise Conflict(f"{row.claimed_by} has claimed task {row.id}; it is another's once it was released")


async def find_task(work: Work, namespace: str, number: int) -> Asked:
    """Raises :class:`lowtide.errors.NotFound` where there is no such human task."""
    row = await asks.find(work.tx, number)
    if row is None or row.namespace != namespace or row.kind != "task":
        raise NotFound(f"there is no task {number} in namespace {namespace}")
    return row


async def _locked(work: Work, namespace: str, number: int) -> tuple[Execution, datetime, Asked]:
    """A human task as it is now, with its execution locked."""
    row = await find_task(work, namespace, number)
    found = await executions.lock(work.tx, row.execution)
    if found is None:
        raise NotFound(f"there is no task {number} in namespace {namespace}")
    return *found, await find_task(work, namespace, number)


def _task_of(row: Asked) -> HumanTask:
    assert row.ask.task is not None, "only human tasks are found by number"
    return row.ask.task
