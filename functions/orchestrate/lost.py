"""Lost dispatches and dead letters: the journal is asked what became of them; nothing is concluded without it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Literal

from lowtide.errors import LowtideError, PayloadLost
from lowtide.model.base import ExecutionId
from lowtide.wire.records import LeaseState

from .changing import change
from .outcomes import apply
from .ports import Ingest
from .received import report_of
from .store import executions, outbox, overdue
from .store.overdue import Overdue
from .work import Desk, Work

__all__ = ["Fate", "ask", "ask_again", "find_lost"]

log = logging.getLogger("lowtide.orchestrate")

Fate = Literal["applied", "alive", "again", "suspended", "ignored", "waiting"]

_MOST = 1000


async def find_lost(desk: Desk, ingest: Ingest) -> int:
    """Look after dispatches that were sent a while ago and have no outcome; how many were issued again."""
    found = await desk.database.run(lambda tx: overdue.overdue(tx, _MOST))
    if not found:
        return 0
    leases = await ingest.leases([dispatch.execution for dispatch in found])
    again = 0
    for dispatch in found:
        try:
            fate = await _settle(desk, dispatch, leases.get(dispatch.execution))
            again += fate == "again"
        except LowtideError as error:
            log.warning(
                "the lost dispatch of %s stays as it is for now: %s",
                dispatch.execution,
                error,
                extra={"execution": dispatch.execution},
            )
    return again


async def ask(desk: Desk, ingest: Ingest, execution: ExecutionId, epoch: int, problem: str | None) -> Fate:
    """What becomes of a dispatch that could not be delivered.

    ``problem``: why execute refused it for good, where it did.
    """
    stored = await desk.database.run(lambda tx: executions.dispatch_of(tx, execution, epoch))
    if stored is None:
        return "ignored"
    state = (await ingest.leases([execution])).get(execution)
    dispatch = Overdue(execution, epoch, stored.digest, due=True, attempts=stored.attempts)
    if problem is not None and (state is None or not (state.alive or state.closing)):
        return await desk.do(lambda work: _suspend(work, execution, epoch, problem))
    return await _settle(desk, dispatch, state, backoff=True)


async def ask_again(desk: Desk, ingest: Ingest, execution: ExecutionId, epoch: int) -> Fate:
    """As :func:`ask`, for an operator: what was lost before does not count, and nothing is waited for."""
    stored = await desk.database.run(lambda tx: executions.dispatch_of(tx, execution, epoch))
    if stored is None:
        return "ignored"
    await desk.database.run(lambda tx: executions.forget_attempts(tx, execution, epoch))
    state = (await ingest.leases([execution])).get(execution)
    return await _settle(desk, Overdue(execution, epoch, stored.digest, due=True, attempts=0), state)


async def _settle(desk: Desk, dispatch: Overdue, state: LeaseState | None, *, backoff: bool = False) -> Fate:
    """Closed: apply it. Alive: leave it. Opened and dead: now. Not opened since it was issued: with growing pauses."""
    execution, epoch = dispatch.execution, dispatch.epoch
    if state is not None and state.epoch > epoch:
        reason = f"the journal knows epoch {state.epoch}, the control store only {epoch}; was a store restored?"
        return await desk.do(lambda work: _suspend(work, execution, epoch, reason))
    if state is not None and state.epoch == epoch:
        closing = state.closing
        if closing is not None:
            try:
                report = await report_of(desk, execution, closing.type, closing.body)
            except PayloadLost as lost:
                reason = f"its invocation {execution}:{epoch} has ended, but {lost}"
                return await desk.do(lambda work: _suspend(work, execution, epoch, reason))
            if report is not None:
                whole = report
                await desk.do(lambda work: apply(work, whole, dispatch.digest))
            return "applied"
        if state.alive:
            return "alive"
        owner = state.owner
        return await desk.do(lambda work: _again(work, dispatch, owner, backoff=backoff))
    if not dispatch.due:
        return "waiting"
    return await desk.do(lambda work: _again(work, dispatch, None, backoff=backoff))


async def _again(work: Work, dispatch: Overdue, gone: str | None, *, backoff: bool) -> Fate:
    """Issue the stored dispatch again, up to the limit. ``gone``: the process that had opened it.

    Where many are lost this comes long after they were found: by then somebody else may have issued it again. And one
    that was, and that a busy platform has not opened yet, is not lost a second time by the same end of a process.
    """
    found = await executions.lock(work.tx, dispatch.execution)
    stored = await executions.dispatch_of(work.tx, dispatch.execution, dispatch.epoch) if found else None
    if not found or not stored or found[0].epoch != dispatch.epoch or found[0].phase not in ("pending", "running"):
        return "ignored"
    execution, now = found
    if stored.attempts != dispatch.attempts or (gone is not None and gone == stored.gone and not dispatch.due):
        return "waiting"
    if stored.attempts >= work.terms.lost_attempts:
        attempts = stored.attempts + 1
        reason = f"dispatch {execution.id}:{execution.epoch} was sent {attempts} times and never led to an outcome"
        return await _suspend(work, execution.id, execution.epoch, reason)
    pause = min(work.terms.lost_after * 2**stored.attempts, 3600.0) if backoff else 0.0
    await overdue.count_attempt(work.tx, execution.id, execution.epoch, gone)
    await outbox.issue(work.tx, execution, now + timedelta(seconds=pause))
    work.after.publish = True
    return "again"


async def _suspend(work: Work, execution_id: ExecutionId, epoch: int, reason: str) -> Fate:
    found = await executions.lock(work.tx, execution_id)
    if found is None or found[0].epoch != epoch or found[0].phase not in ("pending", "running"):
        return "ignored"
    await outbox.drop_dispatch(work.tx, execution_id)
    await change(work, *found, phase="suspended", reason=reason)
    log.error("execution %s is suspended: %s", execution_id, reason, extra={"execution": execution_id})
    return "suspended"
