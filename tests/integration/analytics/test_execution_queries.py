"""Which executions there are, and one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.integration.analytics.reports import NOON, Reports


def _page(api: httpx.Client, namespace: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"/v1/namespaces/{namespace}/executions", params=query)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def _ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["items"]]


def test_an_execution_is_shown_with_its_times_and_its_cost(api: httpx.Client, reports: Reports) -> None:
    error = {"type": "https://example.com/no-stock", "status": 409, "title": "No stock"}
    cost: dict[str, Any] = {
        "invocations": 2,
        "active_ms": 42.5,
        "cpu_ms": 10.0,
        "gb_seconds": 0.25,
        "cold_starts": 1,
        "effects": 4,
    }
    known: dict[str, Any] = {"epoch": 2, "started_at": NOON, "tags": {"team": "red"}, "correlation": {"order": "A-1"}}
    execution = reports.execution(namespace="one", lasted=61.5, phase="faulted", error=error, **known, **cost)
    assert api.get(f"/v1/namespaces/one/executions/{execution}").json() == {
        "id": str(execution),
        "namespace": "one",
        "workflow": "order",
        "version": "1.0.0",
        "phase": "faulted",
        "epoch": 2,
        "createdAt": "2026-11-23T12:00:00.000Z",
        "startedAt": "2026-11-23T12:00:00.000Z",
        "endedAt": "2026-11-23T12:01:01.500Z",
        "durationMs": 61500.0,
        "parent": None,
        "error": error,
        "tags": {"team": "red"},
        "reason": None,
        "correlation": {"order": "A-1"},
        "gbSeconds": 0.25,
        "usage": {
            **{"invocations": 2, "activeMs": 42.5, "cpuMs": 10.0, "gbSeconds": 0.25, "queueingMs": 0.0},
            **{"coldStarts": 1, "coldStartMs": 0.0, "effects": 4, "bytesIn": 0, "bytesOut": 0},
        },
    }


def test_pages_show_every_execution_once_and_the_newest_first(api: httpx.Client, reports: Reports) -> None:
    # Five of the same moment: the id must break the tie, also across the border of two pages.
    moments = [NOON] * 5 + [NOON + timedelta(seconds=second) for second in range(1, 5)]
    made = {str(reports.execution(namespace="pages", created=moment)): moment for moment in moments}
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = _page(api, "pages", limit=2, **cursor)
        seen += _ids(page)
        # What arrives while somebody turns pages is newer, and does not shift the rest.
        reports.execution(namespace="pages", created=NOON + timedelta(hours=1))
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == sorted(made, key=lambda key: (made[key], key), reverse=True)


def test_filters_narrow_the_list_and_combine(api: httpx.Client, reports: Reports) -> None:
    parent = reports.execution(namespace="filters", workflow="parent")
    child = reports.execution(namespace="filters", workflow="child", parent=parent, phase="waiting")
    failed = reports.execution(namespace="filters", workflow="child", lasted=1, phase="faulted")
    late = reports.execution(namespace="filters", workflow="parent", created=NOON + timedelta(minutes=1))
    reports.execution(namespace="elsewhere", workflow="child")
    for query, expected in (
        ({}, {parent, child, failed, late}),
        ({"workflow": "child"}, {child, failed}),
        ({"phase": "faulted"}, {failed}),
        ({"phase": ["faulted", "waiting"], "workflow": "child"}, {child, failed}),
        ({"parent": str(parent)}, {child}),
        ({"from": "2026-11-23T12:01:00Z"}, {late}),
        ({"to": "2026-11-23T13:01:00+01:00"}, {parent, child, failed}),
        ({"from": "2026-11-23T12:00:00Z", "to": "2026-11-23T12:00:30Z", "phase": "running"}, {parent}),
        ({"workflow": "nobody"}, set()),
    ):
        found = _page(api, "filters", **query)
        assert set(_ids(found)) == {str(execution) for execution in expected}, query


def test_one_tenant_does_not_see_the_executions_of_another(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution(namespace="ours")
    reports.fact(execution, "pay", "running", namespace="ours")
    reports.log(execution, "secret", namespace="ours")
    assert _page(api, "theirs")["items"] == []
    for path in ("", "/timeline", "/logs"):
        answer = api.get(f"/v1/namespaces/theirs/executions/{execution}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "condition",
    ["", "AND workflow = 'order'", "AND phase = 'faulted'", "AND workflow = 'order' AND phase = 'faulted'"],
)
def test_every_filter_walks_an_index_in_order(store_url: str, condition: str) -> None:
    """A page of a large store must not sort it: the plan has no Sort where sequential scans are discouraged."""
    query = f"""EXPLAIN SELECT * FROM executions WHERE namespace = 'pages' {condition}
                AND (created_at, execution) < (now(), '0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e5f')
                ORDER BY created_at DESC, execution DESC LIMIT 50"""
    engine = create_engine(make_url(store_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off"))
        plan = "\n".join(connection.scalars(text(query)))
    engine.dispose()
    assert "Index Scan using executions_default_namespace_" in plan
    assert "Sort" not in plan
