"""What is noted about containers, each in one transaction with what it follows from or leads to."""

from __future__ import annotations

from typing import Final

from lowtide.model.base import JSON
from lowtide.model.command import RunContainer
from lowtide.model.container import Order, order_of
from lowtide.model.error import Error
from lowtide.model.event import EffectFailed, EffectSucceeded
from lowtide.runtime import chance
from lowtide.wire.types import Wake

from ..nouns import Execution, millis
from ..store import containers, executions
from ..store.containers import Claimed
from ..store.keys import short
from ..waking import deliver
from ..work import Work

__all__ = ["container_key", "finish", "want"]


_MARGIN: Final = 30.0
"""Seconds beyond a task's timeout: the engine's deadline says it better, this one holds where nobody is left to say."""


def container_key(command: str) -> str:
    return f"container:{short(command)}"


async def want(work: Work, execution: Execution, command: RunContainer) -> None:
    """Note that a container is to be run, once per command; the execution's row is locked."""
    order = order_of(execution.id, command, work.terms.container_seconds, margin=_MARGIN)
    if await containers.add(work.tx, order, command.id, awaited=not command.detached):
        work.after.containers = True


async def finish(work: Work, row: Claimed, result: JSON | Error, *, ran: bool) -> None:
    """Its end, told once to whoever waits for it. ``ran``: it ended by itself, so that its ``cleanup`` holds."""
    found = await executions.lock(work.tx, row.execution)
    if not await containers.conclude(work.tx, row.id, _removed_in(row.order) if ran else 0.0):
        return
    work.after.containers = True
    if found is None or not row.awaited:
        return
    execution, now = found
    event: EffectSucceeded | EffectFailed
    if isinstance(result, Error):
        event = EffectFailed(command=row.command, error=result, at=millis(now), random=chance.uniform())
    else:
        event = EffectSucceeded(command=row.command, output=result, at=millis(now), random=chance.uniform())
    await deliver(work, execution, Wake(key=container_key(row.command), event=event), now)


def _removed_in(order: Order) -> float | None:
    match order.container.cleanup:
        case "never":
            return None
        case "eventually":
            return order.container.after / 1000
        case "always":
            return 0.0
