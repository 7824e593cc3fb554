"""Suspend and resume by an operator, under the execution's lock; what follows is decided in ``suspension``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from lowtide.errors import Conflict

from . import dispatching
from .changing import change
from .nouns import Execution, Signal
from .states import state_of
from .store import executions, outbox, wakes
from .suspension import YIELD, is_unfinished, on_resume, on_suspend
from .waking import settle
from .work import Work

__all__ = ["remind", "resume", "suspend"]


async def suspend(work: Work, execution_id: str, reason: str) -> Execution | None:
    """Suspend an execution: at once where nothing runs, else when its invocation has parked.

    It as it is now, ``None`` where there is none. Raises :class:`lowtide.errors.Conflict` where it has ended.
    """
    found = await _alive(work, execution_id, "suspended")
    if found is None:
        return None
    execution, now = found
    match on_suspend(
        execution.phase,
        asked=execution.suspend_asked is not None,
        cancelled=any(wake.key == wakes.CANCEL for wake in await wakes.wakes_of(work.tx, execution.id)),
        out=await _is_out(work, execution),
    ):
        case "stay":
            return execution
        case "now":
            return await change(work, execution, now, phase="suspended", reason=reason)
        case "mark":
            return await change(work, execution, now, suspend_asked=reason)
        case "ask":
            asked = await change(work, execution, now, suspend_asked=reason)
            await remind(work, asked, now)
            return asked
        case never:
            assert_never(never)


async def resume(work: Work, execution_id: str) -> Execution | None:
    """Let an execution go on with whatever came meanwhile; it as it is now, ``None`` where there is none.

    Raises :class:`lowtide.errors.Conflict` where it has ended.
    """
    found = await _alive(work, execution_id, "resumed")
    if found is None:
        return None
    execution, now = found
    dispatch = await executions.dispatch_of(work.tx, execution.id, execution.epoch)
    match on_resume(execution.phase, asked=execution.suspend_asked is not None, dispatched=dispatch is not None):
        case "stay":
            return execution
        case "withdraw":
            await wakes.drop_timer(work.tx, execution.id, wakes.SUSPEND)
            return await change(work, execution, now, suspend_asked=None)
        case "again":
            await executions.forget_attempts(work.tx, execution.id, execution.epoch)
            await dispatching.issue_again(work, execution)
            phase = "pending" if execution.started_at is None else "running"
            return await change(work, execution, now, phase=phase, reason=None, suspend_asked=None)
        case "wake":
            unfinished = is_unfinished(await state_of(work, execution), execution.commands)
            waiting = await change(work, execution, now, phase="waiting", reason=None, suspend_asked=None)
            return await settle(work, waiting, waiting.commands, now, resume_now=unfinished)
        case never:
            assert_never(never)


async def remind(work: Work, execution: Execution, now: datetime) -> None:
    """Tell the owner of a locked execution to park, and again later: it may not have opened the execution yet."""
    if execution.suspend_asked is None or execution.phase not in ("pending", "running"):
        return
    work.after.signals.append(Signal(execution.namespace, execution.id, execution.epoch, YIELD))
    due = now + timedelta(seconds=work.terms.cancel_grace)
    await wakes.add_timers(work.tx, execution.id, [(wakes.SUSPEND, due)])
    work.after.timer(due)


async def _alive(work: Work, execution_id: str, verb: str) -> tuple[Execution, datetime] | None:
    found = await executions.lock(work.tx, execution_id)
    if found is not None and found[0].ended:
        raise Conflict(f"execution {execution_id} has {found[0].phase}: only what has not ended can be {verb}")
    return found


async def _is_out(work: Work, execution: Execution) -> bool:
    """Whether a dispatch may be on its way or being performed; one that nobody has sent is taken back here."""
    if execution.phase == "waiting":
        return False
    if execution.phase == "suspended":
        return await executions.dispatch_of(work.tx, execution.id, execution.epoch) is not None
    return not await outbox.take_back_dispatch(work.tx, execution.id, execution.epoch)
