"""Rollups add up by minutes, hours and days of UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from functions.ingest.rollups import Rollups
from functions.ingest.totals import Turn


def test_hours_and_days_are_those_of_utc_whatever_the_store_s_time_zone() -> None:
    """PostgreSQL answers in the time zone of the session, and India's hours begin at half past."""
    at = datetime(2026, 5, 4, 20, 20, 30, tzinfo=UTC)
    rollups = Rollups()
    for zone in (timezone(timedelta(hours=5, minutes=30)), UTC):
        rollups.turns([Turn("default", "order", "1.0.0", "created", at.astimezone(zone), None)])
    (_, minutes), (_, hours), (_, days) = rollups.statements()
    assert [(row[2], row[6]) for row in minutes] == [(datetime(2026, 5, 4, 20, 20, tzinfo=UTC), 2)]
    assert [(row[2], row[6]) for row in hours] == [(datetime(2026, 5, 4, 20, tzinfo=UTC), 2)]
    assert [(row[2], row[6]) for row in days] == [(datetime(2026, 5, 4, tzinfo=UTC), 2)]


def test_a_batch_with_nothing_that_days_are_kept_of_writes_none() -> None:
    rollups = Rollups()
    rollups.logs([(None, datetime(2026, 5, 4, tzinfo=UTC), "1", "default", "order", "1.0.0", "info", "said")])
    assert [statement.split()[2] for statement, _ in rollups.statements()] == ["rollups_minute", "rollups_hour"]
