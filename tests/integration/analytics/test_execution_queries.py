"""Which executions there are, one of them, what it went through as a graph, and what differs between two."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import create_engine, make_url, text

from lowtide.dsl.draw import graph as outline
from tests.integration.analytics.reports import NOON, Reports
from tests.plays import document


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
            **{
                "coldStarts": 1,
                "coldStartMs": 0.0,
                "effects": 4,
                "bytesIn": 0,
                "bytesOut": 0,
                "inputTokens": 0,
                "outputTokens": 0,
            },
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


_SHOP = """
do:
  - choose: {switch: [{big: {when: .total > 9, then: review}}, {small: {then: pay}}]}
  - review: {call: http, with: {method: get, endpoint: 'http://x'}}
  - pay:
      for: {each: item, in: .items}
      do: [{charge: {call: http, with: {method: get, endpoint: 'http://x'}}}]
"""


def _ran(reports: Reports, execution: UUID, *entries: tuple[str, str, float], last: str = "completed") -> None:
    """Entries of tasks, each running for so many seconds; the last one ends as said."""
    at = 0.0
    for number, (reference, path, seconds) in enumerate(entries, start=1):
        name = reference.rpartition("/")[2]
        about: dict[str, Any] = {"task": f"{reference}@{path}", "name": name, "reference": reference}
        reports.fact(execution, name, "running", at=at, **about)
        at += seconds
        status = last if number == len(entries) else "completed"
        error = {"type": "t", "status": 500, "title": "No"} if status == "faulted" else None
        reports.fact(execution, name, status, at=at, error=error, **about)


_SMALL = (
    ("/do/0/choose", "1.1", 0.0),
    ("/do/2/pay", "1.2", 0.0),
    ("/do/2/pay/do/0/charge", "1.2.1.1", 1.0),
    ("/do/2/pay/do/0/charge", "1.2.2.1", 2.0),
)
_BIG = (("/do/0/choose", "1.1", 0.0), ("/do/1/review", "1.2", 5.0))


def test_a_graph_is_the_version_that_ran_with_what_happened(api: httpx.Client, reports: Reports) -> None:
    reports.outline(outline(document(_SHOP)), NOON - timedelta(days=1))
    reports.outline({"nodes": [], "edges": []}, NOON + timedelta(days=1))  # removed, and deployed again since
    execution = reports.execution(lasted=9.0)
    child = reports.execution(parent=execution, parent_task="/do/2/pay@1.2", workflow="ship")
    _ran(reports, execution, *_SMALL)
    path = f"/v1/namespaces/shop/executions/{execution}/graph"
    found = api.get(path).json()
    nodes = {node["id"]: node for node in found["nodes"]}
    charge, review = nodes["/do/2/pay/do/0/charge"], nodes["/do/1/review"]
    assert found["source"] == "definition"
    assert (charge["runs"], charge["durationMs"], charge["statuses"]) == (2, 3000.0, {"completed": 2})
    assert (charge["parent"], review["status"], review["detail"]) == ("/do/2/pay", None, "GET http://x")
    assert nodes[str(child)]["child"]["link"] == f"/v1/namespaces/shop/executions/{child}"
    taken = {(edge["from"], edge["to"]): edge["taken"] for edge in found["edges"]}
    assert (taken["/do/0/choose", "/do/2/pay"], taken["/do/0/choose", "/do/1/review"]) == (1, 0)
    assert (taken["/do/2/pay", "end_"], taken["/do/2/pay", str(child)]) == (1, 1)
    for asked, begins, kind in (
        ({"params": {"format": "mermaid"}}, "flowchart TD", "text/vnd.mermaid; charset=utf-8"),
        ({"headers": {"accept": "text/vnd.graphviz, */*;q=0.1"}}, "digraph", "text/vnd.graphviz; charset=utf-8"),
    ):
        drawn = api.get(path, **asked)  # type: ignore[arg-type]
        assert drawn.text.startswith(begins)
        assert drawn.headers["content-type"] == kind


def test_without_a_definition_the_history_is_drawn_and_a_fork_has_no_order(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution(workflow="unheard of")
    branches = [(f"/do/0/f/fork/branches/{index}/{name}", "1.1.1", 1.0) for index, name in enumerate("ab")]
    _ran(reports, execution, ("/do/0/f", "1.1", 0.0), *branches, ("/do/1/g", "1.2", 0.0), last="faulted")
    found = api.get(f"/v1/namespaces/shop/executions/{execution}/graph").json()
    assert found["source"] == "history"
    assert [(node["id"], node["parent"]) for node in found["nodes"]] == [
        ("/do/0/f", None),
        ("/do/0/f/fork/branches/0/a", "/do/0/f"),
        ("/do/0/f/fork/branches/1/b", "/do/0/f"),
        ("/do/1/g", None),
    ]
    assert found["nodes"][3]["error"]["title"] == "No"
    assert [(edge["from"], edge["to"]) for edge in found["edges"]] == [("/do/0/f", "/do/1/g")]


def test_a_graph_of_nothing_is_refused_or_empty(api: httpx.Client, reports: Reports) -> None:
    reported = reports.execution(workflow="silent")
    assert api.get(f"/v1/namespaces/shop/executions/{reported}/graph").json()["nodes"] == []
    assert api.get(f"/v1/namespaces/other/executions/{reported}/graph").status_code == 404
    assert api.get(f"/v1/namespaces/shop/executions/{reported}/graph?format=png").status_code == 400


def test_two_executions_differ_in_path_tasks_usage_and_cost(api: httpx.Client, reports: Reports) -> None:
    one = reports.execution(lasted=3.0, active_ms=10.0, invocations=1)
    two = reports.execution(lasted=5.0, active_ms=30.0, invocations=2)
    _ran(reports, one, *_SMALL)
    _ran(reports, two, *_BIG, last="faulted")
    for execution, epochs in ((one, 1), (two, 2)):
        for epoch in range(1, epochs + 1):
            reports.usage(execution, epoch)
    base = "/v1/namespaces/shop/executions"
    there = api.get(f"{base}/{one}/compare/{two}").json()
    assert (there["difference"]["durationMs"], there["difference"]["invocations"]) == (2000.0, 1)
    assert there["difference"]["price"] > 0
    assert there["diverged"]["a"]["reference"] == "/do/2/pay"
    assert there["diverged"]["b"] == {
        **{"reference": "/do/1/review", "task": "/do/1/review@1.2", "status": "faulted", "after": "/do/0/choose"}
    }
    tasks = {task["name"]: task for task in there["tasks"]}
    assert set(tasks) == {"pay", "charge", "review"}
    assert (tasks["review"]["a"], tasks["review"]["b"]["error"]["title"]) == (None, "No")
    assert tasks["charge"]["difference"] == {"runs": -2.0, "durationMs": -3000.0}
    back = api.get(f"{base}/{two}/compare/{one}").json()
    assert back["difference"] == {name: -value for name, value in there["difference"].items()}
    same = api.get(f"{base}/{one}/compare/{one}").json()
    assert (same["difference"], same["diverged"], same["tasks"], same["definition"]) == ({}, None, [], None)


def test_versions_are_compared_by_their_definitions(api: httpx.Client, reports: Reports) -> None:
    before, after = "do: [{a: {set: {x: 1}}}, {b: {set: {x: 1}}}]", "do: [{a: {set: {x: 1}}}, {c: {set: {y: 1}}}]"
    executions = []
    for version, body in (("7", before), ("8", after)):
        reports.outline(outline(document(body)), NOON, version=version)
        executions.append(reports.execution(version=version))
    found = api.get(f"/v1/namespaces/shop/executions/{executions[0]}/compare/{executions[1]}").json()
    assert found["definition"] == {"added": ["/do/1/c"], "removed": ["/do/1/b"], "moved": [], "changed": []}
    unknown = reports.execution(version="9")
    found = api.get(f"/v1/namespaces/shop/executions/{executions[0]}/compare/{unknown}").json()
    assert found["definition"] is None


def test_what_is_not_there_is_not_compared(api: httpx.Client, reports: Reports) -> None:
    known = reports.execution()
    for other in ("nonsense", "0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e5f"):
        assert api.get(f"/v1/namespaces/shop/executions/{known}/compare/{other}").status_code == 404
    refused = api.get(f"/v1/namespaces/shop/executions/{known}/compare/{known}?prices=dear")
    assert (refused.status_code, refused.json()["code"]) == (400, "input.invalid")


def test_lines_are_found_by_the_name_and_the_reference_of_their_task(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution(namespace="named")
    for entry in ("/do/0/pay@1.1", "/do/0/pay@1.2", "/do/0/payment@1.3", "/do/1/in_/do/0/pay@1.4.1"):
        reports.log(execution, entry, namespace="named", task=entry)
    for task, expected in (("pay", 3), ("/do/0/pay", 2), ("/do/0/pay@1.1", 1), ("p_y", 0), ("/do", 0)):
        found = api.get("/v1/namespaces/named/logs", params={"task": task}).json()["items"]
        assert len(found) == expected, task
