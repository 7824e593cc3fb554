"""Starts by time: ``every`` and ``cron`` from one moment to the next, ``after`` from the end of the one before.

What fell due while nobody was there starts one execution, not all that were missed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from lowtide.errors import InvalidInput, LimitReached
from lowtide.model.plan import Schedule

from .starting import start
from .store import schedules, workflows
from .store.keys import hashed
from .work import Work

__all__ = ["Before", "begin_next", "next_due", "set_first"]

log = logging.getLogger("lowtide.orchestrate")

_AGAIN: Final = timedelta(minutes=1)
"""When ``after`` tries again, where the workflow's limits refused a start."""


async def set_first(work: Work, version: int, schedule: Schedule, now: datetime, before: Before | None = None) -> None:
    """Register a newly deployed version: ``after`` begins at once, the others at their first moment.

    A rhythm that stays goes on as it was, whatever version it starts; and where the execution ``before`` it still runs,
    ``after`` waits for its end.
    """
    pause = None if schedule.after is None else timedelta(milliseconds=schedule.after)
    running = before.running if before is not None and pause is not None else None
    due: datetime | None
    if before is not None and _rhythm(before.schedule) == _rhythm(schedule):
        due = before.due
    else:
        due = None if running else now if pause is not None else next_due(schedule, now, now)
    if due is None and running is None:
        return
    await schedules.add(work.tx, version, due, pause, running)
    if due is not None:
        work.after.timer(due)


@dataclass(frozen=True, slots=True)
class Before:
    """Where the schedule of the version stands that was started until now."""

    schedule: Schedule
    due: datetime | None
    running: str | None


def _rhythm(schedule: Schedule) -> tuple[object, ...]:
    return schedule.every, schedule.cron, schedule.after


async def begin_next(work: Work, number: int) -> float:
    """Start what is due and say when the next one is; how many seconds it is too early."""
    found = await schedules.lock(work.tx, number)
    version = await workflows.deployed_of(work.tx, number, hold=True) if found else None
    if found is None or version is None or found[0] is None:
        return 0.0
    due, now = found
    assert due is not None
    if due > now:
        return (due - now).total_seconds()
    schedule = (await work.plans.get(work.tx, number)).schedule
    assert schedule is not None, "only versions with a schedule are registered"
    following = next_due(schedule, due, now)
    try:
        started = await start(work, version, None, now, dedupe=hashed("schedule", due.isoformat()))
    except (LimitReached, InvalidInput) as refused:
        log.warning("the schedule of %s/%s starts nothing at %s: %s", version.namespace, version.name, due, refused)
        await schedules.move(work.tx, number, following or now + _AGAIN)
    else:
        await schedules.move(work.tx, number, following, None if following else started.execution.id)
    if following is not None:
        work.after.timer(following)
    return 0.0


def next_due(schedule: Schedule, due: datetime, now: datetime) -> datetime | None:
    """The first moment after ``now`` in the rhythm that ``due`` belongs to; ``None`` where an end must come first."""
    if schedule.every is not None:
        period = timedelta(milliseconds=max(1, schedule.every))
        return due + period * (max(timedelta(), now - due) // period + 1)
    if schedule.cron is not None:
        return _next_cron(schedule.cron, now)
    return None


def _next_cron(text: str, now: datetime) -> datetime | None:
    """UTC unless ``CRON_TZ=`` stands in front; ``None`` where the day never comes."""
    zone, fields = UTC, text.split()
    if fields and fields[0].startswith(("CRON_TZ=", "TZ=")):
        zone = ZoneInfo(fields.pop(0).partition("=")[2])  # type: ignore[assignment]
    try:
        moment: datetime = next(CronSim(" ".join(fields).replace("?", "*"), now.astimezone(zone)))
    except StopIteration:
        return None
    return moment.astimezone(UTC)
