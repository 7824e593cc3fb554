"""Every change of an execution: stored, numbered, and noted for analytics and the world in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from lowtide.model.error import Error
from lowtide.model.fact import Fact
from lowtide.wire import json
from lowtide.wire.claims import referred
from lowtide.wire.lifecycle import LARGEST_OUTPUT, of_change
from lowtide.wire.records import Change, Subject

from .announcing import about, body_of, rest_of
from .nouns import Execution, Note, millis
from .store import executions, lanes, outbox
from .work import Work

__all__ = ["announce", "change", "notes_of"]


async def change(
    work: Work, execution: Execution, now: datetime, *, facts: tuple[Fact, ...] = (), **values: Any
) -> Execution:
    """Store new values of a locked execution; returns it as it is now. ``facts``: what became of its tasks."""
    changed = replace(execution, **values, change=execution.change + 1)
    note = _note(changed, facts)
    told = await _lifecycle(work, _note(execution), note, changed, now)
    stored = {**values, "change": changed.change}
    await executions.change(work.tx, execution.id, stored, changed.epoch, await _shown(work, changed, note), told)
    if changed.phase == "suspended" and await lanes.withdraw(work.tx, execution.id, changed.epoch):
        work.after.free(execution)
    _follow(work, told)
    return changed


async def announce(work: Work, before: Execution | None, execution: Execution, now: datetime) -> None:
    """Tell the world of a change that is stored already; ``before`` is ``None`` where it is new."""
    note = _note(execution)
    told = await _lifecycle(work, None if before is None else _note(before), note, execution, now)
    await outbox.add_change(work.tx, execution.id, execution.epoch, await _shown(work, execution, note), told)
    _follow(work, told)


def _follow(work: Work, told: bytes | None) -> None:
    work.after.report = True
    work.after.lifecycle = work.after.lifecycle or told is not None


async def notes_of(
    work: Work, before: Execution | None, execution: Execution, now: datetime, facts: tuple[Fact, ...] = ()
) -> tuple[Note, ...]:
    """As :func:`announce`, for those who store the changes of many executions at once: what to put into the outbox."""
    note = _note(execution, facts)
    told = await _lifecycle(work, None if before is None else _note(before), note, execution, now)
    _follow(work, told)
    change = Note("change", execution.id, execution.epoch, await _shown(work, execution, note))
    return (change,) if told is None else (change, Note("lifecycle", execution.id, execution.epoch, told))


async def _lifecycle(
    work: Work, before: Change | None, after: Change, execution: Execution, now: datetime
) -> bytes | None:
    """The lifecycle events of a change, as the outbox holds them; ``None`` where there are none."""
    if before is not None and (before.phase, before.started_at) == (after.phase, after.started_at):
        return None
    whom = await about(work, execution)
    stored = execution.output if after.phase == "completed" else None
    small = stored is not None and len(stored) <= LARGEST_OUTPUT and referred(stored) is None
    output = json.parse(stored) if stored is not None and small else None
    at = millis(now)
    events = of_change(whom, before, after, at, output=output)
    return body_of((*events, *await rest_of(work, whom, before, after, execution, at)))


async def _shown(work: Work, execution: Execution, note: Change) -> bytes:
    """The note as analytics gets it."""
    if note.error or note.reason or note.facts:
        note = (await work.plans.mask(work.tx, execution.workflow_version)).change(note)
    return json.encode(note)


def _note(execution: Execution, facts: tuple[Fact, ...] = ()) -> Change:
    return Change(
        subject=Subject(execution.namespace, execution.workflow, execution.version, execution.id),
        number=execution.change,
        phase=execution.phase,
        epoch=execution.epoch,
        created_at=millis(execution.created_at),
        started_at=millis(execution.started_at) if execution.started_at else None,
        ended_at=millis(execution.ended_at) if execution.ended_at else None,
        error=json.decode(execution.error, Error) if execution.error else None,
        parent=execution.parent,
        reason=execution.reason,
        facts=facts,
        parent_task=execution.parent_command,
    )
