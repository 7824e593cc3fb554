"""Who is admitted: after a park before starts, then priority, then age; rates, ramps and pauses hold starts alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.admission import Book, Conditions, conditions_of, decide, moment_of_next
from functions.orchestrate.store.gates import Rule
from functions.orchestrate.store.lanes import Waiting
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.limits import Concurrency, Limits, Rate

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WHOSE = ("shop", "charge")
MINUTE = Rate(limit=2, period=Millis(60_000))


def waits(name: str, rank: int = 101, *, key: str = "", rate: str = "", since: float = 0) -> Waiting:
    at = NOW + timedelta(seconds=since)
    return Waiting(ExecutionId(name), 1, *WHOSE, f"shop/charge/{key}/{rate}", rank, at)


def names(admitted: Sequence[Waiting]) -> list[str]:
    return [one.execution for one in admitted]


def look(waiting: Sequence[Waiting], book: Book | None = None, now: datetime = NOW, **conditions: Any) -> Any:
    return decide(waiting, {WHOSE: Conditions(**conditions)}, book or Book(), now, most=100)


def test_what_goes_on_comes_first_then_priority_then_age() -> None:
    line = [waits("old"), waits("new", since=2), waits("urgent", 51, since=1), waits("parked", 0, since=3)]
    assert names(look(line, slots=3).admitted) == ["parked", "urgent", "old"]


def test_slots_that_are_taken_are_not_given_again() -> None:
    line = [waits("a", key="ada"), waits("b", key="bob"), waits("c", key="ada")]
    found = look(line, Book(taken={"shop/charge/ada/": 1}), slots=1)
    assert names(found.admitted) == ["b"]
    assert not found.later, "a slot that becomes free is what it waits for"


def test_a_rate_admits_so_many_and_names_the_moment_of_the_next() -> None:
    book = Book(moments={"rate shop/charge/": [NOW - timedelta(seconds=20)]})
    found = look([waits("a"), waits("b", since=1), waits("c", since=2)], book, rate=MINUTE)
    assert names(found.admitted) == ["a"]
    assert [(one.execution, moment) for one, moment in found.later] == [("b", NOW + timedelta(seconds=40))]
    assert book.moments["rate shop/charge/"][-1] == NOW


def test_each_value_of_a_rates_key_has_a_bucket_of_its_own() -> None:
    line = [waits("a", rate="ada"), waits("b", rate="ada"), waits("c", rate="ada"), waits("d", rate="bob")]
    assert names(look(line, rate=MINUTE).admitted) == ["a", "b", "d"]


def test_a_rate_and_a_pause_do_not_hold_what_goes_on() -> None:
    full = Book(moments={"rate shop/charge/": [NOW, NOW]})
    assert names(look([waits("on", 0), waits("start")], full, rate=MINUTE).admitted) == ["on"]
    assert names(look([waits("on", 0), waits("start")], paused=True).admitted) == ["on"]


@pytest.mark.parametrize(("ramp", "at_once", "seconds"), [(0.5, 1, 2.0), (5, 1, 0.2), (20, 2, 0.1), (1000, 100, 0.1)])
def test_a_ramp_is_spread_over_tenths_of_a_second(ramp: float, at_once: int, seconds: float) -> None:
    conditions = conditions_of(WHOSE, Rule(1, False, ramp, None, None), None)
    line = [waits(f"{number:04}") for number in range(200)]
    found = decide(line, {WHOSE: conditions}, Book(), NOW, most=1000)
    assert len(found.admitted) == at_once
    assert [moment for _, moment in found.later] == [NOW + timedelta(seconds=seconds)]


def test_both_ramps_and_the_limits_hold_together() -> None:
    limits = Limits(concurrency=Concurrency(limit=7), rate=MINUTE)
    conditions = conditions_of(WHOSE, Rule(1, False, 20, 30, None), limits)
    assert [name for name, _ in conditions.ramps] == ["ramp shop/charge", "ramp shop"]
    assert (conditions.slots, conditions.rate) == (7, MINUTE)


def test_a_lane_with_more_behind_those_that_were_looked_at_is_looked_at_again() -> None:
    line = [waits(str(number)) for number in range(4)]
    assert decide(line, {WHOSE: Conditions()}, Book(), NOW, most=4).more == {"shop/charge//"}
    assert not decide(line, {WHOSE: Conditions(slots=2)}, Book(), NOW, most=4).more, "a slot brings somebody back"


@given(st.lists(st.integers(0, 200_000), max_size=40), st.integers(1, 5))
def test_no_stretch_of_the_period_ever_has_more_starts_than_the_rate(arrivals: list[int], limit: int) -> None:
    rate = Rate(limit=limit, period=Millis(60_000))
    book, line, started = Book(), [waits(f"{number:03}") for number in range(len(arrivals))], []
    for at in sorted(arrivals):
        now = NOW + timedelta(milliseconds=at)
        admitted = look(line, book, now, rate=rate).admitted
        started += [at] * len(admitted)
        line = [one for one in line if one not in admitted]
    for first in started:
        assert sum(first <= at < first + 60_000 for at in started) <= limit


def test_a_bucket_with_room_names_no_moment() -> None:
    assert moment_of_next(MINUTE, [NOW]) is None
    assert moment_of_next(MINUTE, [NOW, NOW]) == NOW + timedelta(minutes=1)
