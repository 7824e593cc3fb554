"""What execute reports: how an invocation ended, or what it waits for while it runs on.

Idempotent by (execution, epoch): a report of an epoch that is no longer the newest, or has ended, changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from lowtide.errors import InvalidEvent
from lowtide.model.command import Await, RunChild, RunContainer, Sleep
from lowtide.model.event import CancelAsked, TimerFired
from lowtide.runtime import chance
from lowtide.wire import json
from lowtide.wire.claims import reference
from lowtide.wire.lifecycle import of_listening
from lowtide.wire.types import REGISTERED, Ended, Listened, Parked, Registered, Snapshot, Wake, decode_outcome

from .announcing import about, tell
from .asking import serve
from .changing import change
from .containers.serving import container_key, want
from .listening import subscribe
from .nouns import Commands, Execution, Passive, Signal, millis, moment
from .rule import command_of
from .starting import start_child
from .states import forget_dispatch, forget_state
from .store import asks, events, executions, outbox, wakes
from .suspension import YIELD, parks_as
from .waking import cancel_below, end, settle, timer_key
from .work import Work

__all__ = ["Report", "Verdict", "apply", "decode"]

log = logging.getLogger("lowtide.orchestrate")

Report = Parked | Ended | Registered

Verdict = Literal["applied", "out of date", "unknown", "diverged"]


def decode(event_type: str, body: bytes) -> Report:
    """The payload of an event of execute's. Raises :class:`lowtide.errors.InvalidEvent`."""
    try:
        if event_type == REGISTERED:
            return msgspec.json.decode(body, type=Registered)
        return decode_outcome(event_type, body)
    except msgspec.MsgspecError as error:
        raise InvalidEvent(f"the data is not that of {event_type}: {error}") from error


async def apply(work: Work, report: Report, digest: str) -> Verdict:
    """Apply one report; ``digest`` is that of the dispatch that it answers."""
    found = await executions.lock(work.tx, report.execution)
    if found is None:
        return "unknown"
    execution, now = found
    if isinstance(report, Registered):
        await _detach(work, execution, report.commands, now)
    if execution.ended or report.epoch < execution.epoch or execution.phase == "waiting":
        return "out of date"
    dispatch = await executions.dispatch_of(work.tx, execution.id, execution.epoch)
    if execution.phase == "suspended" and dispatch is None:
        return "out of date"  # it had parked before
    if report.epoch > execution.epoch or dispatch is None or dispatch.digest != digest:
        reason = (
            f"a report of epoch {report.epoch} answers a dispatch that was never written here; was a store restored?"
        )
        await change(work, execution, now, phase="suspended", reason=reason)
        return "diverged"
    if not isinstance(report, Registered):
        await _correlated(work, execution, report.listened)
    match report:
        case Registered():
            await _register(work, execution, report.commands, now, dispatch.issued_at)
            for wake in await wakes.wakes_of(work.tx, execution.id):
                if command_of(wake.event) in {command.id for command in report.commands}:
                    work.after.signals.append(Signal(execution.namespace, execution.id, execution.epoch, wake))
            if execution.suspend_asked is not None:
                work.after.signals.append(Signal(execution.namespace, execution.id, execution.epoch, YIELD))
        case Parked():
            await _park(work, execution, report, now, dispatch.issued_at)
        case Ended():
            why = await _why(work, execution) if report.status == "cancelled" else None
            await end(
                work,
                execution,
                now,
                report.status,
                output=report.output,
                payload=report.payload,
                error=report.error,
                reason=why,
            )
    if not isinstance(report, Registered):
        forget_dispatch(work, execution, dispatch.digest, len(dispatch.body))
    return "applied"


async def _correlated(work: Work, execution: Execution, listened: Iterable[Listened]) -> None:
    """Tell the world of listeners that got what they wanted."""
    for one in listened:
        whom = await about(work, execution)
        await tell(work, execution, of_listening(whom, one.task, one.at, execution.change, one.keys))


async def _why(work: Work, execution: Execution) -> str | None:
    """The reason that was given with the cancel."""
    asked = [wake.event for wake in await wakes.wakes_of(work.tx, execution.id)]
    return next((event.reason for event in asked if isinstance(event, CancelAsked)), None)


async def _detach(work: Work, execution: Execution, commands: Commands, now: datetime) -> None:
    """Start what nobody awaits, whatever became of the execution since: execute considers it handed over."""
    for command in commands:
        if isinstance(command, RunChild) and command.detached:
            await start_child(work, execution, command, now)
        elif isinstance(command, RunContainer) and command.detached:
            await want(work, execution, command)


async def _park(work: Work, execution: Execution, report: Parked, now: datetime, issued: datetime) -> None:
    """Store the snapshot, serve what it waits for, forget what it no longer needs; then the one rule."""
    tx, commands = work.tx, report.commands
    await outbox.drop_dispatch(tx, execution.id)
    await executions.drop_dispatches(tx, execution.id)
    work.after.free(execution)
    wanted = [command.id for command in commands]
    gone = [
        wake.key
        for wake in await wakes.wakes_of(tx, execution.id)
        if wake.key in report.consumed or (wake.key != wakes.CANCEL and command_of(wake.event) not in wanted)
    ]
    await wakes.drop_wakes(tx, execution.id, gone)
    await wakes.drop_timers_except(tx, execution.id, (command.id for command in commands if isinstance(command, Sleep)))
    await wakes.drop_timer(tx, execution.id, wakes.CANCEL)
    await events.unsubscribe(tx, execution.id, keep=[command.id for command in commands if isinstance(command, Await)])
    await asks.close_except(tx, execution.id, wanted)
    await _register(work, execution, commands, now, issued)
    await cancel_below(work, execution, wanted)
    state = _stored(report.snapshot)
    forget_state(work, execution, state)
    asked = execution.suspend_asked
    cancelled = any(wake.key == wakes.CANCEL for wake in await wakes.wakes_of(tx, execution.id))
    parked = await change(
        work,
        execution,
        now,
        phase=parks_as(asked=asked is not None, cancelled=cancelled),
        started_at=execution.started_at or now,
        state=state,
        upto=report.snapshot.upto,
        waiting=json.encode(commands),
        reason=asked,
        suspend_asked=None,
    )
    if parked.phase == "waiting":
        await settle(work, parked, commands, now, resume_now=report.resume_now)


def _stored(snapshot: Snapshot) -> bytes:
    return bytes(snapshot.state) if snapshot.payload is None else reference(snapshot.payload)


async def _register(work: Work, execution: Execution, commands: Commands, now: datetime, issued: datetime) -> None:
    """Begin to serve passive commands; those that are served already stay as they are."""
    there = {wake.key for wake in await wakes.wakes_of(work.tx, execution.id)}
    await _set_timers(work, execution, commands, there, now)
    for command in commands:
        if isinstance(command, Await) and command.ask is not None:
            await serve(work, execution, command, now)
        elif isinstance(command, Await):
            await subscribe(work, execution, command, issued, now)
        elif isinstance(command, RunChild) and not command.detached:
            await start_child(work, execution, command, now)
        elif isinstance(command, RunContainer) and not command.detached and container_key(command.id) not in there:
            await want(work, execution, command)


async def _set_timers(
    work: Work, execution: Execution, commands: Iterable[Passive], there: set[str], now: datetime
) -> None:
    """Timers for what is not due yet; what is due already is in the inbox at once."""
    later: list[tuple[str, datetime]] = []
    for command in commands:
        if not isinstance(command, Sleep) or timer_key(command.id) in there:
            continue
        if moment(command.until) <= now:
            event = TimerFired(at=millis(now), random=chance.uniform(), command=command.id)
            await wakes.insert_wake(work.tx, execution.id, Wake(key=timer_key(command.id), event=event), now)
        else:
            later.append((command.id, moment(command.until)))
            work.after.timer(moment(command.until))
    await wakes.add_timers(work.tx, execution.id, later)
