"""Admission: one process at a time looks at the lanes where something may have changed, and lets through what fits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .admission import Book, Conditions, Whose, buckets_of, conditions_of, decide
from .store import gates, lanes, rates
from .store.lanes import Waiting, slot_of
from .work import Work

__all__ = ["Round", "admit"]

_LANES: Final = 500
_ROWS: Final = 5_000
_OF_EACH: Final = 200


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found. ``again``: there may be more to do now; ``seconds``: until somebody should look again."""

    admitted: int
    again: bool
    seconds: float | None


async def admit(work: Work, slots: Collection[str]) -> Round:
    """Let through what there is room for, where it is due or one of these slots has become free."""
    now = await lanes.lock(work.tx)
    due = await lanes.due(work.tx, now, _LANES)
    looked_at = list(dict.fromkeys([*due, *await lanes.beside(work.tx, slots, _LANES)]))
    if not looked_at:
        return Round(0, again=False, seconds=await lanes.next_look(work.tx, now))
    most = min(_OF_EACH, max(8, _ROWS // len(looked_at)))
    waiting = await lanes.waiting_in(work.tx, looked_at, now, most)
    conditions = await _conditions(work, {(one.namespace, one.workflow) for one in waiting})
    book = await _book(work, waiting, conditions, now)
    decision = decide(waiting, conditions, book, now, most)
    await lanes.admit(work.tx, decision.admitted)
    await lanes.set_aside(work.tx, set(looked_at) - decision.more, now, decision.later)
    await rates.remember(
        work.tx,
        {name: (book.moments[name], now + timedelta(milliseconds=rate.period)) for name, rate in book.changed.items()},
    )
    if any(one.ramps for one in conditions.values()):
        await gates.end_ramps(work.tx)
    work.after.publish = bool(decision.admitted)
    for _, moment in decision.later:
        work.after.look(moment)
    again = len(due) >= _LANES or bool(decision.more)
    return Round(len(decision.admitted), again, await lanes.next_look(work.tx, now))


async def _conditions(work: Work, named: Collection[Whose]) -> dict[Whose, Conditions]:
    rules = await gates.rules_of(work.tx, sorted(named))
    found = {}
    for whose, rule in rules.items():
        limits = await work.plans.limits(work.tx, rule.version, rule.limits)
        found[whose] = conditions_of(whose, rule, limits)
    return found


async def _book(work: Work, waiting: Collection[Waiting], conditions: dict[Whose, Conditions], now: datetime) -> Book:
    """Where the clock was set back, what was admitted later than now counts, and is remembered, as admitted now."""
    limited = {slot_of(one.lane) for one in waiting if conditions[one.namespace, one.workflow].slots is not None}
    buckets = {
        name: rate
        for one in waiting
        if one.rank
        for name, rate in buckets_of(one.lane, conditions[one.namespace, one.workflow])
    }
    moments, ahead = await rates.moments_of(work.tx, buckets, now)
    taken = await lanes.count_admitted(work.tx, limited)
    return Book(taken, moments, changed={name: buckets[name] for name in ahead})
