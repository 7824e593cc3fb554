"""What is said of an outage is what happened."""

from __future__ import annotations

import math

from tests.outages.figures import Span, p99, recovered

BEFORE = Span(0.0, 10.0)


def steady(first: float, last: float, rate: float) -> list[float]:
    return [first + n / rate for n in range(int((last - first) * rate))]


def test_throughput_is_normal_from_the_first_moment_on_at_which_it_is_as_before() -> None:
    ends = steady(0, 10, 4) + steady(30, 40, 1) + steady(40, 60, 4)
    assert recovered(ends, BEFORE, back=20.0, until=60.0) == 20.0
    assert recovered(steady(0, 10, 4) + steady(20, 60, 4), BEFORE, back=20.0, until=60.0) == 0.0


def test_throughput_that_stays_low_has_not_recovered() -> None:
    assert recovered(steady(0, 10, 4) + steady(20, 60, 2), BEFORE, back=20.0, until=60.0) is None


def test_without_a_duration_there_is_no_percentile() -> None:
    assert math.isnan(p99([]))
    assert p99([1.0] * 98 + [2.0, 3.0]) == 2.0
