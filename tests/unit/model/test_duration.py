"""Durations as the standard writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.model.base import JSON
from lowtide.model.duration import LONGEST, to_millis, write


@pytest.mark.parametrize(
    ("value", "millis"),
    [
        ("PT0S", 0),
        ("PT1S", 1_000),
        ("PT0.25S", 250),
        ("PT0,5S", 500),
        ("PT1.5M", 90_000),
        ("PT1H30M", 5_400_000),
        ("P1D", 86_400_000),
        ("P1DT12H", 129_600_000),
        ("P2W", 14 * 86_400_000),
        ("P1M", 30 * 86_400_000),
        ("P1Y", 365 * 86_400_000),
        ("P1Y2M3W4DT5H6M7.008S", ((365 + 60 + 21 + 4) * 24 * 3600 + 5 * 3600 + 6 * 60 + 7) * 1000 + 8),
        ({"seconds": 3}, 3_000),
        ({"days": 1, "hours": 2, "minutes": 3, "seconds": 4, "milliseconds": 5}, 93_784_005),
        ({"seconds": 0.1}, 100),
    ],
)
def test_a_duration_is_read_as_milliseconds(value: JSON, millis: int) -> None:
    assert to_millis(value) == millis


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("", "PT30S"),
        ("P", "PT30S"),
        ("PT", "PT30S"),
        ("P1DT", "PT30S"),
        ("5m", "PT30S"),
        ("PT5", "PT30S"),
        ("P1H", "PT30S"),
        ("-PT5S", "PT30S"),
        ("PT5S\n", "PT30S"),
        ("PT٣S", "PT30S"),
        (5, "{minutes: 5}"),
        (None, "{minutes: 5}"),
        (True, "{minutes: 5}"),
        ([], "{minutes: 5}"),
        ({}, "at least one of days"),
        ({"second": 5}, "use days, hours, minutes, seconds"),
        ({"seconds": "5"}, "write seconds: 5"),
        ({"seconds": True}, "write seconds: 5"),
        ({"seconds": -1}, "between 0"),
        ({"seconds": float("nan")}, "between 0"),
        ({"days": 10**6}, "1,000 years"),
        ("P2000Y", "1,000 years"),
    ],
)
def test_what_is_not_a_duration_is_refused_with_a_mend(value: JSON, hint: str) -> None:
    with pytest.raises(ValueError) as refused:
        to_millis(value)
    assert hint in str(refused.value)


@given(st.integers(0, LONGEST))
def test_a_written_duration_reads_as_the_same_length(millis: int) -> None:
    assert to_millis(write(millis)) == millis


def test_a_written_duration_is_short() -> None:
    assert [write(m) for m in (0, 250, 90_000, 86_400_000, 90_061_000)] == [
        "PT0S",
        "PT0.25S",
        "PT1M30S",
        "P1D",
        "P1DT1H1M1S",
    ]
