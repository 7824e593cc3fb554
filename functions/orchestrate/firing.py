"""Timers that are due: taken under the lock of their executions, put into the inbox, and then the one rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from lowtide.errors import LowtideError
from lowtide.model.event import TimerFired
from lowtide.runtime import chance
from lowtide.wire.types import Wake

from . import asking, dispatching
from .cancelling import force
from .changing import notes_of
from .nouns import Execution, Note, Signal, millis
from .rule import Cancel, Go, decide
from .store import asks, executions, group_wakes, groups, wakes
from .store.group_wakes import Timer, Woken
from .suspending import remind
from .waking import deliver, end, timer_key
from .work import Work

__all__ = ["fire", "fire_all"]


async def fire(work: Work, execution_id: str, key: str) -> float:
    """Fire one timer if it is due by the database's clock; how many seconds it is too early."""
    found = await executions.lock(work.tx, execution_id)
    if found is None:
        return 0.0
    execution, now = found
    command = await wakes.take_timer(work.tx, execution_id, key)
    if command is None:
        return await wakes.time_left(work.tx, execution_id, key)
    if key == wakes.CANCEL:
        await force(work, execution, now)
    elif key == wakes.SUSPEND:
        await remind(work, execution, now)
    elif asks.is_timer(key):
        await asking.fire(work, execution, asks.number_of(key), now)
    else:
        event = TimerFired(at=millis(now), random=chance.uniform(), command=command)
        await deliver(work, execution, Wake(key=timer_key(command), event=event), now)
    return 0.0


async def fire_all(work: Work, held: Sequence[Timer]) -> list[float | LowtideError]:
    """As :func:`fire`, for the timers of many executions' ``wait`` tasks and deadlines in a few statements."""
    found, now = await groups.lock(work.tx, {execution for execution, _ in held})
    if now is None:
        return [0.0] * len(held)
    taken, early = await group_wakes.take_timers(work.tx, [one for one in held if one[0] in found])
    fired = defaultdict(list)
    for execution, command in taken:
        if not found[execution].ended:
            event = TimerFired(at=millis(now), random=chance.uniform(), command=command)
            fired[execution].append(Wake(key=timer_key(command), event=event))
    fresh = await group_wakes.insert_wakes(
        work.tx, [(one, wake) for one, wakes_ in fired.items() for wake in wakes_], now
    )
    for execution, wake in fresh:
        if found[execution].phase == "running":
            work.after.signals.append(Signal(found[execution].namespace, execution, found[execution].epoch, wake))
    waiting = dict.fromkeys(execution for execution, _ in fresh if found[execution].phase == "waiting")
    await _settle_all(work, [found[execution] for execution in waiting], now)
    return [early.get(one, 0.0) for one in held]


async def _settle_all(work: Work, waiting: Sequence[Execution], now: datetime) -> None:
    """The one rule, on many locked executions that are waiting."""
    if not waiting:
        return
    inbox = await group_wakes.wakes_of(work.tx, [execution.id for execution in waiting])
    woken: list[Woken] = []
    notes: list[Note] = []
    for execution in waiting:
        match decide(execution.commands, inbox.get(execution.id, [])):
            case Go(wakes=found):
                running = replace(execution, phase="running", epoch=execution.epoch + 1, change=execution.change + 1)
                body, digest = await dispatching.compose(work, execution, running.epoch, found, now)
                woken.append(Woken(running, body, digest, now))
                notes += await notes_of(work, execution, running, now)
                if running.lane is None:
                    notes.append(Note("dispatch", running.id, running.epoch, namespace=running.namespace))
            case Cancel(reason=reason):
                await end(work, execution, now, "cancelled", reason=reason, ran=False)
    if woken:
        await group_wakes.wake(work.tx, woken, notes)
        work.after.publish = True
        work.after.queued = any(one.execution.lane is not None for one in woken)
