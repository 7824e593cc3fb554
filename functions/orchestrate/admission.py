"""Which of those that wait are admitted, as a pure function.

What goes on after a park comes before all that start: it holds what it has done so far, and somebody waits for it.
Then priority decides, then age. A pause, a ramp and a rate hold starts alone; slots are needed by both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor
from typing import Final

from lowtide.model.limits import Limits, Rate

from .store.gates import Rule
from .store.lanes import Waiting, slot_of

__all__ = [
    "Admission",
    "Book",
    "Conditions",
    "Whose",
    "buckets_of",
    "conditions_of",
    "decide",
    "moment_of_next",
]

Whose = tuple[str, str]
"""Namespace and workflow."""

_STEPS: Final = 10
"""A ramp lets through what is due in a tenth of a second together, so that it needs no wake-up for each."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a workflow's starts go by. ``ramps``: buckets of ramps, by name."""

    slots: int | None = None
    rate: Rate | None = None
    paused: bool = False
    ramps: tuple[tuple[str, Rate], ...] = ()


@dataclass(slots=True)
class Book:
    """What is known of the lanes: slots taken, and when starts were admitted, by bucket. It is written in."""

    taken: dict[str, int] = field(default_factory=dict)
    moments: dict[str, list[datetime]] = field(default_factory=dict)
    changed: dict[str, Rate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Admission:
    """``later``: the first of a lane that waits for a moment. Lanes that are not in ``more`` have been served."""

    admitted: tuple[Waiting, ...]
    later: tuple[tuple[Waiting, datetime], ...]
    more: frozenset[str]


def conditions_of(whose: Whose, rule: Rule, limits: Limits | None) -> Conditions:
    namespace, workflow = whose
    ramps = ((f"ramp {namespace}/{workflow}", rule.ramp), (f"ramp {namespace}", rule.ramp_of_namespace))
    return Conditions(
        slots=limits.concurrency.limit if limits and limits.concurrency else None,
        rate=limits.rate if limits else None,
        paused=rule.paused,
        ramps=tuple((name, _as_rate(ramp)) for name, ramp in ramps if ramp is not None),
    )


def _as_rate(per_second: float) -> Rate:
    together = max(1, floor(per_second / _STEPS))
    return Rate(limit=together, period=max(1, round(1000 * together / per_second)))  # type: ignore[arg-type]


def _bucket_of(lane: str) -> str:
    """The bucket of a lane's rate: that of its workflow and rate key."""
    namespace, workflow, _, key = lane.split("/")
    return f"rate {namespace}/{workflow}/{key}"


def buckets_of(lane: str, conditions: Conditions) -> list[tuple[str, Rate]]:
    """All that a start in this lane must have room in."""
    own = [] if conditions.rate is None else [(_bucket_of(lane), conditions.rate)]
    return [*own, *conditions.ramps]


def moment_of_next(rate: Rate, moments: Sequence[datetime]) -> datetime | None:
    """When there is room for one more; ``None`` where there always was."""
    if len(moments) < rate.limit:
        return None
    return moments[-rate.limit] + timedelta(milliseconds=rate.period)


def decide(
    waiting: Iterable[Waiting], conditions: Mapping[Whose, Conditions], book: Book, now: datetime, most: int
) -> Admission:
    """Admit what there is room for. ``most`` is how many of a lane were looked at: there may be more behind them."""
    admitted: list[Waiting] = []
    later: dict[str, tuple[Waiting, datetime]] = {}
    seen: dict[str, int] = {}
    stuck: set[str] = set()
    for one in sorted(waiting, key=lambda one: (one.rank, one.queued_at, one.execution)):
        seen[one.lane] = seen.get(one.lane, 0) + 1
        if one.lane in stuck:
            continue
        obstacle = _obstacle(one, conditions[one.namespace, one.workflow], book, now)
        if obstacle is None:
            _enter(one, conditions[one.namespace, one.workflow], book, now)
            admitted.append(one)
        else:
            stuck.add(one.lane)
            if isinstance(obstacle, datetime):
                later[one.lane] = (one, obstacle)
    more = frozenset(lane for lane, count in seen.items() if count >= most and lane not in stuck)
    return Admission(tuple(admitted), tuple(later.values()), more)


def _obstacle(one: Waiting, conditions: Conditions, book: Book, now: datetime) -> datetime | str | None:
    """What keeps it waiting: something that has to happen, or a moment."""
    if conditions.slots is not None and book.taken.get(slot_of(one.lane), 0) >= conditions.slots:
        return "slots"
    if not one.rank:
        return None
    if conditions.paused:
        return "paused"
    moments = [moment_of_next(rate, book.moments.get(name, ())) for name, rate in buckets_of(one.lane, conditions)]
    return max((moment for moment in moments if moment is not None and moment > now), default=None)


def _enter(one: Waiting, conditions: Conditions, book: Book, now: datetime) -> None:
    slot = slot_of(one.lane)
    book.taken[slot] = book.taken.get(slot, 0) + 1
    if not one.rank:
        return
    for name, rate in buckets_of(one.lane, conditions):
        book.moments[name] = [*book.moments.get(name, ()), now][-rate.limit :]
        book.changed[name] = rate
