"""Every change of an execution's phase: stored, numbered, and noted for analytics in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lowtide.model.error import Error
from lowtide.wire import json
from lowtide.wire.records import Change, Subject

from .nouns import Execution, millis
from .store import executions, outbox
from .work import Work

__all__ = ["announce", "change"]


async def change(work: Work, execution: Execution, **values: Any) -> Execution:
    """Store new values of a locked execution; returns it as it is now."""
    changed = replace(execution, **values, change=execution.change + 1)
    await executions.change(work.tx, execution.id, {**values, "change": changed.change}, changed.epoch, _note(changed))
    work.after.report = True
    return changed


async def announce(work: Work, execution: Execution) -> None:
    """Put the execution, as it is now, into the outbox for ingest."""
    await outbox.add(work.tx, "change", execution.id, epoch=execution.epoch, body=_note(execution))
    work.after.report = True


def _note(execution: Execution) -> bytes:
    note = Change(
        subject=Subject(execution.namespace, execution.workflow, execution.version, execution.id),
        number=execution.change,
        phase=execution.phase,
        epoch=execution.epoch,
        created_at=millis(execution.created_at),
        started_at=millis(execution.started_at) if execution.started_at else None,
        ended_at=millis(execution.ended_at) if execution.ended_at else None,
        error=json.decode(execution.error, Error) if execution.error else None,
        parent=execution.parent,
    )
    return json.encode(note)
