"""What a rule looks at is never shorter than it says, and of whole minutes or hours as rollups are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_api.alerts.reading import window_of

_MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@settings(max_examples=30)
@given(st.integers(60_000, 31 * 86_400_000), _MOMENTS, st.integers(-840, 840))
def test_a_window_is_never_shorter_than_the_rule_says_and_hardly_longer(
    length: int, until: datetime, minutes: int
) -> None:
    window = window_of(length, until.astimezone(timezone(timedelta(minutes=minutes))))
    grain = timedelta(hours=1) if window.hourly else timedelta(minutes=1)
    assert window.hourly is (length > 6 * 3_600_000)
    assert window.last == until
    assert timedelta(milliseconds=length) <= until - window.first < timedelta(milliseconds=length) + grain
    assert (window.first - datetime(2026, 1, 1, tzinfo=UTC)) % grain == timedelta(), "as UTC has them"
