"""When a schedule is due next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.orchestrate.scheduling import next_due
from lowtide.model.plan import Schedule

NOON = datetime(2026, 3, 27, 12, 0, 30, tzinfo=UTC)


def test_every_goes_on_in_its_rhythm() -> None:
    hourly = Schedule(every=3_600_000)
    assert next_due(hourly, NOON, NOON + timedelta(seconds=1)) == NOON + timedelta(hours=1)


def test_what_was_missed_is_not_made_up_for() -> None:
    hourly = Schedule(every=3_600_000)
    assert next_due(hourly, NOON, NOON + timedelta(hours=5, minutes=3)) == NOON + timedelta(hours=6)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 6 * * *", datetime(2026, 3, 28, 6, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 3, 27, 12, 5, tzinfo=UTC)),
        ("0 6 ? * mon-fri", datetime(2026, 3, 30, 6, tzinfo=UTC)),
        ("CRON_TZ=Europe/Berlin 0 6 * * *", datetime(2026, 3, 28, 5, tzinfo=UTC)),
    ],
)
def test_cron_is_utc_unless_it_names_a_zone(cron: str, expected: datetime) -> None:
    assert next_due(Schedule(cron=cron), NOON, NOON) == expected


def test_summer_time_is_the_zones_own() -> None:
    sunday = datetime(2026, 3, 28, 12, tzinfo=UTC)  # clocks go forward in the night to the 29th
    due = next_due(Schedule(cron="CRON_TZ=Europe/Berlin 0 6 * * *"), sunday, sunday)
    assert due == datetime(2026, 3, 29, 4, tzinfo=UTC)


def test_after_waits_for_an_end() -> None:
    assert next_due(Schedule(after=1000), NOON, NOON) is None
