"""Days say what their hours say: each question is asked of both, and where days are enough, hours are not looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from lowtide.model.cost import PRESETS, always_on
from lowtide.settings import AnalyticsSettings
from tests.databases import database
from tests.integration.analytics.reports import Reports, mounted

_TOKEN = "an-operator's-token-of-a-test"
_DAY = datetime(2026, 11, 20, tzinfo=UTC)
"""The first of four; the second and third are whole in every window."""

_WHOLE = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-24T00:00:00Z"}
_WITHIN = {"from": "2026-11-20T05:30:00Z", "to": "2026-11-23T17:10:00Z"}

# What days are kept of is hours under another name: then a question for days is one for hours.
_HOURS_AS_DAYS = """
DROP TABLE rollups_day CASCADE;
CREATE VIEW rollups_day AS
SELECT namespace, measure, date_trunc('day', at, 'UTC') AS at, workflow, version, task, count, total, smallest, largest,
       sketch
  FROM rollups_hour
"""

# How busy the busiest hour of a day was, hours alone can tell. Of an old day they are gone.
_WITHOUT_HOURS = """
DELETE FROM rollups_hour WHERE at >= '2026-11-21T00:00:00Z' AND at < '2026-11-23T00:00:00Z'
   AND measure <> 'invocations.active_ms';
INSERT INTO rollups_day VALUES
  ('old', 'invocations.active_ms', '2026-10-01T00:00:00Z', 'a', '1', '', 9, 24.1 * 24 * 3600000, 1, 1e9, '{}')
"""


def _happened(reports: Reports) -> None:
    moments = [(0, 4), (0, 6), (1, 0), (1, 12), (2, 10), (2, 23), (3, 17), (3, 18)]
    for number, (day, hour) in enumerate(moments, 1):
        at = _DAY + timedelta(days=day, hours=hour, minutes=7 * number)
        for workflow, namespace in (("a", "shop"), ("b", "shop"), ("a", "bank")):
            whom = {"workflow": workflow, "namespace": namespace, "version": str(number % 2)}
            reports.rollup("executions.completed", at, [1000.0 * number, 3.0 * number], **whom)
            reports.rollup("invocations.active_ms", at, [50_000_000.0 * number, 8.0], **whom)
            if namespace == "bank":
                continue
            reports.rollup("executions.created", at, [0.0] * number, **whom)
            reports.rollup("invocations.gb_seconds", at, [2.0 * number], **whom)
            reports.rollup("tasks.completed", at, [7.0 * number], task="/do/0/pay", **whom)
            reports.rollup("effects.http", at, [5.0 * number], task="/do/0/pay", **whom)
        reports.rollup("executions.faulted", at, [17.0, 0.0, number], namespace="shop", workflow="b")
        reports.rollup("invocations.memory_bytes", at, [512.0 * number], namespace="shop", workflow="b")


@pytest.fixture(scope="module")
def asked(postgres: str, migrated_analytics: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Whom to ask: one who has days, and nearly no hours where they are whole; one who has hours alone."""
    with database(postgres, like=migrated_analytics) as days:
        reports = Reports(days)
        _happened(reports)
        reports.close()
        with database(postgres, like=days) as hours:
            for url, change in ((days, _WITHOUT_HOURS), (hours, _HOURS_AS_DAYS)):
                with psycopg.connect(url) as connection:
                    connection.execute(change.encode())
            settings = [AnalyticsSettings(analytics_url=url, operator_token=_TOKEN.encode()) for url in (days, hours)]
            with mounted(settings[0]) as one, mounted(settings[1]) as other:
                shown = {"authorization": f"Bearer {_TOKEN}"}
                with (
                    httpx.Client(base_url=f"{one}/analytics/v1/", headers=shown, timeout=30) as of_days,
                    httpx.Client(base_url=f"{other}/analytics/v1/", headers=shown, timeout=30) as of_hours,
                ):
                    yield of_days, of_hours


def _same(asked: tuple[httpx.Client, httpx.Client], path: str, **query: Any) -> Any:
    answers = [client.get(path, params=query) for client in asked]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    found = answers[0].json()
    assert found == answers[1].json(), (path, query)
    assert found["items"]
    return found["items"]


@pytest.mark.parametrize("window", [_WHOLE, _WITHIN])
def test_a_series_by_days_is_the_one_that_hours_make(
    asked: tuple[httpx.Client, httpx.Client], window: dict[str, str]
) -> None:
    of = "namespaces/shop/series"
    points = _same(asked, f"{of}/ended", step="1d", **window)
    assert [(point["at"][:10], point["count"]) for point in points] == [
        (f"2026-11-{day}", 2 * 7) for day in (20, 21, 22, 23)
    ], "a window of days begins and ends at midnight"
    assert points[3]["p99"] == pytest.approx(8000, rel=0.01)
    for query in ({"by": ["workflow", "status"]}, {"by": "version"}, {"version": "1", "limit": 2}, {"workflow": "b"}):
        _same(asked, f"{of}/ended", step="2d", **window, **query)
    for measure in ("started", "active", "cost"):
        _same(asked, f"{of}/{measure}", step="1d", by="workflow", **window)
    _same(asked, f"{of}/tasks", step="7d", by="task", **window)


def test_a_measure_without_days_is_read_by_the_hour(asked: tuple[httpx.Client, httpx.Client]) -> None:
    found = asked[1].get("namespaces/shop/series/memory", params={"step": "1d", **_WHOLE}).json()["items"]
    assert [point["largest"] for point in found] == [1024.0, 2048.0, 3072.0, 4096.0]


@pytest.mark.parametrize("window", [_WHOLE, _WITHIN])
@pytest.mark.parametrize("what", ["top/workflows", "top/tasks"])
def test_what_is_worth_a_look_is_the_same_whole_days_and_the_hours_beside_them(
    asked: tuple[httpx.Client, httpx.Client], window: dict[str, str], what: str
) -> None:
    for by in ("slowest", "dearest") if what == "top/tasks" else ("slowest", "dearest", "failing", "failure-rate"):
        first, *_ = _same(asked, f"namespaces/shop/{what}", by=by, **window)
    moments = 8 if window is _WHOLE else 6
    assert first["completed"] == moments * (1 if what == "top/tasks" else 2)


def test_what_was_paid_is_the_same(asked: tuple[httpx.Client, httpx.Client]) -> None:
    for by in ("workflow", "version", "day"):
        for window in (_WHOLE, _WITHIN):
            _same(asked, "namespaces/shop/cost", by=by, **window)


def test_a_report_is_the_same_for_a_tenant_and_for_the_operator(asked: tuple[httpx.Client, httpx.Client]) -> None:
    days = {"from": "2026-11-20", "to": "2026-11-23"}
    for path in ("namespaces/shop/reports/daily", "reports/daily"):
        for query in ({"by": "namespace"}, {"by": "workflow"}, {"workflow": "b"}):
            _same(asked, path, **days, **query)
            totals = [client.get(path, params={**days, **query}).json()["total"] for client in asked]
            assert totals[0] == totals[1]


def test_where_no_hours_are_left_always_on_needs_what_the_mean_of_the_day_does(
    asked: tuple[httpx.Client, httpx.Client],
) -> None:
    path = "namespaces/old/reports/daily"
    (found,) = asked[0].get(path, params={"from": "2026-10-01", "to": "2026-10-01"}).json()["items"]
    beside = always_on(25, 86_400, PRESETS["google-cloud-run"])
    assert (beside.instances, found["alwaysOn"]) == (2, pytest.approx(beside.price))
