"""Starts of workflows that have limits, or are held: their place in line, which are refused, which are replaced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lowtide.engine import ExpressionFailed, Host
from lowtide.errors import InvalidInput, LimitReached, LowtideError
from lowtide.model.base import JSON
from lowtide.model.limits import PRIORITIES, Limits, Rate
from lowtide.wire import json

from .admission import Conditions, buckets_of, moment_of_next
from .nouns import Deployed, Execution, millis
from .store import debounces, gates, groups, lanes, rates
from .store.keys import hashed
from .store.lanes import Held, slot_of
from .waking import end
from .work import Work

__all__ = ["Place", "Start", "hold", "place_of", "refusals"]

_FIRST: Final = 101
"""The rank of a start without a priority; 0 goes on after a park."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a start stands in line. ``held``: by an operator, so that it waits however many do already."""

    lane: str
    rank: int
    limits: Limits
    held: bool
    debounce: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """A start with a place, as refusals see it."""

    version: Deployed
    place: Place | LowtideError
    dedupe: str | None


async def place_of(work: Work, version: Deployed, given: JSON, now: datetime) -> Place | LowtideError | None:
    """``None`` where nothing keeps it waiting: the common case costs no statement."""
    limits = await work.plans.limits(work.tx, version.id, version.limits)
    if limits is None:
        return Place(_lane(version, None, None), _FIRST, Limits(), held=True) if version.held else None
    try:
        asked = _Asked(work.host, given, now)
        at_once = None if limits.concurrency is None else asked.key(limits.concurrency.key, "concurrency.key")
        rate = None if limits.rate is None else asked.key(limits.rate.key, "rate.key")
        lane = _lane(version, at_once, rate)
        mark = None
        if limits.debounce is not None:
            mark = hashed(version.namespace, version.name, asked.key(limits.debounce.key, "debounce.key"))
        return Place(lane, _FIRST - asked.priority(limits.priority), limits, version.held, mark)
    except InvalidInput as error:
        return error


def _lane(version: Deployed, at_once: str | None, rate: str | None) -> str:
    return f"{version.namespace}/{version.name}/{at_once or ''}/{rate or ''}"


class _Asked:
    """Asks the expressions of limits about one input."""

    def __init__(self, host: Host, given: JSON, now: datetime) -> None:
        self._host, self._given, self._now = host, given, now

    def key(self, source: str | None, what: str) -> str | None:
        """A short name for the key's value; ``None`` where there is no key."""
        return None if source is None else hashed(json.encode(self._value(source, what)).decode())[:32]

    def priority(self, given: int | str) -> int:
        if isinstance(given, int):
            return given
        value = self._value(given, "priority")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInput(
                f"limits.priority ({given}) gives {json.encode(value).decode()[:100]} for this input, which is no "
                "number; send an input that it fits, or mend the expression"
            )
        least, most = PRIORITIES
        return int(min(max(value, least), most))

    def _value(self, source: str, what: str) -> JSON:
        try:
            return self._host.evaluate(source, self._given, {}, millis(self._now))
        except ExpressionFailed as error:
            raise InvalidInput(
                f"limits.{what} ({source}) fails on this input: {error}; send an input that it fits, or mend it"
            ) from error


async def refusals(work: Work, starts: Sequence[Start], now: datetime) -> list[LowtideError | None]:
    """Which of these starts are refused. Workflows that limit them are locked, one after the other.

    A start whose key came before is none, and not refused.
    """
    await gates.lock_starts(work.tx, {(one.version.namespace, one.version.name) for one in starts if _is_ordered(one)})
    known = await groups.known(
        work.tx, [(one.version.namespace, one.version.name, one.dedupe) for one in starts if one.dedupe is not None]
    )
    fresh = [one for one in starts if (one.version.namespace, one.version.name, one.dedupe) not in known]
    bounded = [start for start in fresh if _is_bounded(start)]
    room = await _Room.of(work, bounded, now) if bounded else None
    answers: list[LowtideError | None] = []
    for start in starts:
        repeated = (start.version.namespace, start.version.name, start.dedupe) in known
        if isinstance(start.place, LowtideError):
            answers.append(None if repeated else start.place)
        elif repeated or room is None or not _is_bounded(start):
            answers.append(None)
        else:
            answers.append(room.enter(start.version, start.place))
    return answers


def _is_bounded(start: Start) -> bool:
    return isinstance(start.place, Place) and not start.place.held


def _is_ordered(start: Start) -> bool:
    """Whether it has to know of the others that start."""
    return isinstance(start.place, Place) and (not start.place.held or start.place.debounce is not None)


class _Room:
    """How many more starts may wait, and which need not wait. What enters is counted."""

    def __init__(self, waiting: dict[str, int], now: datetime) -> None:
        self._waiting: Counter[str] = Counter(waiting)
        self._now = now
        self._taken: Counter[str] = Counter()
        self._in_lane: Counter[str] = Counter()
        self._moments: dict[str, list[datetime]] = {}

    @classmethod
    async def of(cls, work: Work, starts: Sequence[Start], now: datetime) -> _Room:
        places = [(start.version, start.place) for start in starts if isinstance(start.place, Place)]
        queues = {_prefix(version): place.limits.queue + 1 for version, place in places}
        room = cls(await lanes.count_waiting(work.tx, queues), now)
        crowded = [
            place
            for version, place in places
            if room._waiting[_prefix(version)] + len(places) > place.limits.queue and place.debounce is None
        ]
        if crowded:
            slots = {slot_of(place.lane) for place in crowded if place.limits.concurrency is not None}
            buckets = {name for place in crowded for name, _ in _buckets(place)}
            room._taken = Counter(await lanes.count_taken(work.tx, slots))
            room._in_lane = Counter(await lanes.count_lanes(work.tx, {place.lane for place in crowded}))
            room._moments, _ = await rates.moments_of(work.tx, buckets, now)
        return room

    def enter(self, version: Deployed, place: Place) -> LowtideError | None:
        """Count it in, or say why not: one that need not wait is not kept out by those that do."""
        prefix, limits = _prefix(version), place.limits
        if self._waiting[prefix] >= limits.queue and (place.debounce is not None or not self._begins_at_once(place)):
            return self._refusal(version, place)
        self._waiting[prefix] += 1
        self._taken[slot_of(place.lane)] += 1
        self._in_lane[place.lane] += 1
        return None

    def _begins_at_once(self, place: Place) -> bool:
        limits = place.limits
        if limits.concurrency is not None and self._taken[slot_of(place.lane)] >= limits.concurrency.limit:
            return False
        return all(self._has_room(place, name) for name, _ in _buckets(place))

    def _has_room(self, place: Place, bucket: str) -> bool:
        rate = place.limits.rate
        assert rate is not None
        since = self._now - timedelta(milliseconds=rate.period)
        recent = sum(moment > since for moment in self._moments.get(bucket, ()))
        return recent + self._in_lane[place.lane] < rate.limit

    def _refusal(self, version: Deployed, place: Place) -> LimitReached:
        named, limits = f"{version.namespace}/{version.name}", place.limits
        what = f"{limits.queue} of its starts wait, as many as may" if limits.queue else "none of its starts may wait"
        after = 1.0
        for bucket, rate in _buckets(place):
            moment = moment_of_next(rate, self._moments.get(bucket, ()))
            if moment is not None:
                after = max(after, (moment - self._now).total_seconds())
        return LimitReached(
            f"workflow {named} has reached its limits, and {what}; try again later, or raise limits.queue", after=after
        )


def _prefix(version: Deployed) -> str:
    return gates.prefix_of(version.namespace, version.name)


def _buckets(place: Place) -> list[tuple[str, Rate]]:
    return buckets_of(place.lane, Conditions(rate=place.limits.rate))


async def hold(work: Work, begun: Sequence[tuple[Execution, Place]], now: datetime) -> None:
    """Let executions that begin wait in line. Where one takes the place of others, these are cancelled."""
    replaced = await debounces.waiting(work.tx, {place.debounce for _, place in begun if place.debounce is not None})
    since = {one.mark: one.since for one in sorted(replaced, key=lambda one: one.since, reverse=True)}
    newest = {place.debounce: execution for execution, place in begun}
    await lanes.hold(work.tx, [_held(execution, place, since, now) for execution, place in begun])
    work.after.queued = True
    for one in replaced:
        await _replace(work, one.execution, newest[one.mark], now)
    for execution, place in begun:
        if place.debounce is None:
            continue
        if newest[place.debounce].id == execution.id:
            work.after.look(_first_look(place, since.get(place.debounce, now), now))
        else:
            await _replace(work, execution.id, newest[place.debounce], now)


def _held(execution: Execution, place: Place, since: Mapping[str, datetime], now: datetime) -> Held:
    """What takes the place of another waits since that one did."""
    at = now if place.debounce is None else since.get(place.debounce, now)
    lasting = place.limits.concurrency is not None
    return execution.id, place.lane, lasting, place.debounce, place.rank, at, _first_look(place, at, now)


def _first_look(place: Place, since: datetime, now: datetime) -> datetime:
    debounce = place.limits.debounce
    if debounce is None:
        return now
    calm = now + timedelta(milliseconds=debounce.period)
    return calm if debounce.at_most is None else min(calm, since + timedelta(milliseconds=debounce.at_most))


async def _replace(work: Work, execution_id: str, by: Execution, now: datetime) -> None:
    """A later start came before this one began: the last one wins."""
    found = await debounces.lock_waiting(work.tx, execution_id)
    if found is not None:
        await end(
            work, found, now, "cancelled", reason=f"execution {by.id} was started in its place (debounce)", ran=False
        )
