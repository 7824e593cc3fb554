"""Cancel: at once where nothing runs; else the owner is told, and after a grace the next epoch has only that to do.

The first end wins: an execution that closes before the cancel reaches it is completed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from lowtide.errors import Conflict

from . import dispatching
from .changing import change
from .nouns import Execution, Signal
from .store import executions, outbox, wakes
from .waking import cancel_wake, end
from .work import Work

__all__ = ["cancel", "force"]


async def cancel(work: Work, execution_id: str, reason: str) -> Execution | None:
    """Ask for the end of an execution; it as it is now, ``None`` where there is none."""
    found = await executions.lock(work.tx, execution_id)
    if found is None:
        return None
    execution, now = found
    if execution.ended:
        return execution
    if execution.phase in ("waiting", "suspended") or await outbox.take_back_dispatch(
        work.tx, execution.id, execution.epoch
    ):
        return await end(work, execution, now, "cancelled", reason=reason, ran=False)
    wake = cancel_wake(reason, now)
    if await wakes.insert_wake(work.tx, execution.id, wake, now):
        due = now + timedelta(seconds=work.terms.cancel_grace)
        await wakes.add_timers(work.tx, execution.id, [(wakes.CANCEL, due)])
        work.after.timer(due)
        work.after.signals.append(Signal(execution.namespace, execution.id, execution.epoch, wake))
    return execution


async def force(work: Work, execution: Execution, now: datetime) -> None:
    """The grace is over: whoever runs it is out of date from now on, and the next epoch only cancels."""
    if execution.phase not in ("pending", "running"):
        return
    asked = [wake for wake in await wakes.wakes_of(work.tx, execution.id) if wake.key == wakes.CANCEL]
    if not asked:
        raise Conflict(f"execution {execution.id} was never asked to cancel")
    await outbox.drop_dispatch(work.tx, execution.id)
    await executions.drop_dispatches(work.tx, execution.id)
    await dispatching.write(work, execution, execution.epoch + 1, tuple(asked), now, takes_over=True)
    await change(
        work, execution, now, phase="running", epoch=execution.epoch + 1, started_at=execution.started_at or now
    )
