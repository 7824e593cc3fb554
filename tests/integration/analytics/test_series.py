"""Counts and durations per workflow per minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.analytics.reports import NOON, Reports

_WINDOW = {"from": "2026-11-23T12:00:00Z", "to": "2026-11-23T12:10:00Z"}


def _series(api: httpx.Client, namespace: str, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/v1/namespaces/{namespace}/series", params=_WINDOW | query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def _execution(reports: Reports, *, created: datetime, lasted: float | None = None, **given: str) -> None:
    """Counted as ingest counts it."""
    phase = given.pop("phase", "completed")
    reports.rollup("executions.created", created, [0.0], **given)
    if lasted is not None:
        reports.rollup(f"executions.{phase}", created + timedelta(seconds=lasted), [lasted * 1000], **given)


def _minute(minute: int, second: float = 0) -> datetime:
    return NOON + timedelta(minutes=minute, seconds=second)


def test_an_execution_is_counted_in_the_minute_it_began_and_in_the_minute_it_ended(
    api: httpx.Client, reports: Reports
) -> None:
    _execution(reports, namespace="counts", created=_minute(0, 30), lasted=60)
    _execution(reports, namespace="counts", created=_minute(0, 31), lasted=62, phase="faulted")
    _execution(reports, namespace="counts", created=_minute(0, 32), lasted=61, phase="cancelled")
    _execution(reports, namespace="counts", created=_minute(3))
    nothing = {"started": 0, "completed": 0, "faulted": 0, "cancelled": 0, "p50Ms": None, "p95Ms": None, "p99Ms": None}
    lasted = dict.fromkeys(("p50Ms", "p95Ms", "p99Ms"), pytest.approx(60_000, rel=0.01))
    assert _series(api, "counts") == [
        {"minute": "2026-11-23T12:00:00.000Z", "workflow": "order", **nothing, "started": 3},
        {
            "minute": "2026-11-23T12:01:00.000Z",
            "workflow": "order",
            **nothing,
            **lasted,
            "completed": 1,
            "faulted": 1,
            "cancelled": 1,
        },
        {"minute": "2026-11-23T12:03:00.000Z", "workflow": "order", **nothing, "started": 1},
    ]


def test_percentiles_are_of_the_durations_of_what_completed(api: httpx.Client, reports: Reports) -> None:
    for second in range(1, 22):
        _execution(reports, namespace="percentiles", created=_minute(2), lasted=second)
    _execution(reports, namespace="percentiles", created=_minute(2), lasted=59, phase="faulted")
    (point,) = _series(api, "percentiles")
    assert [point[name] for name in ("p50Ms", "p95Ms", "p99Ms")] == pytest.approx([11_000, 20_000, 21_000], rel=0.01)
    assert (point["completed"], point["faulted"]) == (21, 1)


def test_workflows_are_apart_and_may_be_chosen(api: httpx.Client, reports: Reports) -> None:
    for workflow in ("a", "b", "b"):
        _execution(reports, namespace="apart", workflow=workflow, created=_minute(1), lasted=1)
    assert [(point["workflow"], point["started"]) for point in _series(api, "apart")] == [("a", 1), ("b", 2)]
    assert [point["workflow"] for point in _series(api, "apart", workflow="b")] == ["b"]


def test_a_window_covers_whole_minutes_and_ends_before_its_end(api: httpx.Client, reports: Reports) -> None:
    for minute in range(4):
        _execution(reports, namespace="window", created=_minute(minute, 10))
    found = _series(api, "window", **{"from": "2026-11-23T12:01:30Z", "to": "2026-11-23T12:02:05Z"})
    assert [point["minute"][14:16] for point in found] == ["01", "02"]
    found = _series(api, "window", **{"from": "2026-11-23T12:01:00Z", "to": "2026-11-23T12:03:00Z"})
    assert [point["minute"][14:16] for point in found] == ["01", "02"]


def test_the_last_hour_is_shown_when_nothing_else_is_asked_for(api: httpx.Client, reports: Reports) -> None:
    _execution(reports, namespace="now", created=datetime.now(NOON.tzinfo) - timedelta(minutes=5))
    _execution(reports, namespace="now", created=datetime.now(NOON.tzinfo) - timedelta(hours=5))
    found = api.get("/v1/namespaces/now/series").json()["items"]
    assert [point["started"] for point in found] == [1]


def test_points_are_read_page_by_page(api: httpx.Client, reports: Reports) -> None:
    for minute in range(2):
        for workflow in ("a", "b", "c"):
            _execution(reports, namespace="points", workflow=workflow, created=_minute(minute))
    seen: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get("/v1/namespaces/points/series", params=_WINDOW | {"limit": "4"} | cursor).json()
        seen += [point["minute"][15] + point["workflow"] for point in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == ["0a", "0b", "0c", "1a", "1b", "1c"]
