"""Rollups add up by minutes and hours of UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from functions.ingest.rollups import Rollups
from functions.ingest.totals import Turn


def test_an_hour_is_one_of_utc_whatever_the_store_s_time_zone() -> None:
    """PostgreSQL answers in the time zone of the session, and India's hours begin at half past."""
    at = datetime(2026, 5, 4, 10, 20, 30, tzinfo=UTC)
    rollups = Rollups()
    for zone in (timezone(timedelta(hours=5, minutes=30)), UTC):
        rollups.turns([Turn("default", "order", "1.0.0", "created", at.astimezone(zone), None)])
    (_, minutes), (_, hours) = rollups.statements()
    assert [(row[2], row[6]) for row in minutes] == [(datetime(2026, 5, 4, 10, 20, tzinfo=UTC), 2)]
    assert [(row[2], row[6]) for row in hours] == [(datetime(2026, 5, 4, 10, tzinfo=UTC), 2)]
