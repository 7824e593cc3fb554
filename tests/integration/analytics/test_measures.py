"""Measures over time, read from rollups: any step, any grouping, percentiles that were added up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from analytics_api.answers import MeasurePoint
from tests.integration.analytics.reports import NOON, Reports

_WINDOW = {"from": "2026-11-23T12:00:00Z", "to": "2026-11-23T14:00:00Z"}


@pytest.fixture(scope="module", autouse=True)
def happened(reports: Reports) -> None:
    """Two workflows for two hours: each minute one of `a` completes, in as many seconds; in the first `b` faults."""
    for minute in range(120):
        at = NOON + timedelta(minutes=minute)
        reports.rollup("executions.completed", at, [1000.0 * (minute + 1)], namespace="over", workflow="a")
    reports.rollup("executions.faulted", NOON, [5.0, 7.0], namespace="over", workflow="b")
    reports.rollup("invocations.active_ms", NOON, [30_000.0, 90_000.0], namespace="over", workflow="b")
    reports.rollup("invocations.gb_seconds", NOON, [2.0, 3.0], namespace="over", workflow="b")


def _asked(api: httpx.Client, measure: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = api.get(f"/v1/namespaces/over/series/{measure}", params={**_WINDOW, **query})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        query["cursor"] = answer.json()["next"]


def test_an_hour_adds_up_its_minutes(api: httpx.Client) -> None:
    first, second = _asked(api, "ended", step="1h")
    assert (first["at"], first["count"], first["group"]) == ("2026-11-23T12:00:00.000Z", 62, {})
    assert (first["smallest"], first["largest"]) == (5.0, 60_000.0)
    assert first["successRate"] == pytest.approx(60 / 62)
    assert second["count"] == 60
    assert second["p50"] == pytest.approx(90_000, rel=0.01)
    assert second["p99"] == pytest.approx(120_000, rel=0.01)
    assert second["perSecond"] == pytest.approx(60 / 3600)


def test_a_point_has_the_members_that_the_openapi_tells(api: httpx.Client) -> None:
    (point, _) = _asked(api, "ended", step="1h")
    assert list(point) == list(MeasurePoint.model_json_schema(mode="serialization")["properties"])
    MeasurePoint.model_validate(point)


def test_minutes_and_hours_say_the_same(api: httpx.Client) -> None:
    of_minutes = _asked(api, "ended", step="40m", workflow="a")
    assert [point["count"] for point in of_minutes] == [40, 40, 40]
    assert of_minutes[2]["p95"] == pytest.approx(118_000, rel=0.01)


def test_groups_are_apart_and_pages_go_on_where_they_ended(api: httpx.Client) -> None:
    points = _asked(api, "ended", step="1h", by=["workflow", "status"], limit=1)
    groups = [tuple(point["group"].items()) for point in points]
    completed, faulted = (("workflow", "a"), ("status", "completed")), (("workflow", "b"), ("status", "faulted"))
    assert groups == [completed, faulted, completed]
    assert all(point["successRate"] is None for point in points)
    assert len(_asked(api, "ended", by="workflow", limit=7)) == 121


def test_a_status_is_chosen(api: httpx.Client) -> None:
    (point,) = _asked(api, "ended", status="faulted", step="1d")
    assert (point["count"], point["total"]) == (2, 12.0)


def test_concurrency_is_what_was_active_over_the_step(api: httpx.Client) -> None:
    assert [point["concurrency"] for point in _asked(api, "active")] == [2.0]
    (cost,) = _asked(api, "cost", step="1d")
    assert (cost["total"], cost["concurrency"]) == (5.0, None)


@pytest.mark.parametrize(
    "question",
    [
        "series/ended?step=1s",
        "series/ended?step=0m",
        "series/weather",
        "series/ended?by=moon",
        "series/ended?step=1m&from=2026-01-01T00:00:00Z&to=2026-11-23T12:00:00Z",
        "series/ended?from=2026-11-23T12:00:00Z&to=2026-11-23T11:00:00Z",
        "series/ended?cursor=W10",
    ],
)
def test_a_wrong_question_is_refused(api: httpx.Client, question: str) -> None:
    answer = api.get(f"/v1/namespaces/over/{question}")
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")
