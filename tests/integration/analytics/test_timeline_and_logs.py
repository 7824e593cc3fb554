"""The tasks, invocations and log lines of one execution."""

from __future__ import annotations

from typing import Any

import httpx

from tests.integration.analytics.reports import Reports


def test_the_timeline_folds_facts_into_tasks_in_the_order_in_which_they_began(
    api: httpx.Client, reports: Reports
) -> None:
    execution = reports.execution()
    error = {"type": "https://example.com/flaky", "status": 503, "title": "Flaky"}
    reports.fact(execution, "reserve", "running", at=0)
    reports.fact(execution, "charge", "running", at=1)
    reports.fact(execution, "charge", "retried", at=2, error=error)
    reports.fact(execution, "reserve", "completed", at=3, effect="http", active_ms=2.5, bytes_in=7, input_tokens=3)
    reports.fact(execution, "charge", "running", at=4, attempt=2)
    reports.fact(execution, "charge", "completed", at=5, attempt=2)
    reports.fact(execution, "ship", "waiting", at=6, kind="listen")
    found = api.get(f"/v1/namespaces/shop/executions/{execution}/timeline").json()
    reserve, charge, ship = found["items"]
    assert reserve == {
        **{"task": "/do/reserve@reserve", "name": "reserve", "reference": "/do/reserve", "kind": "call"},
        **{"status": "completed", "attempt": 1, "error": None, "attempts": [], "waits": [], "keys": {}},
        **{"startedAt": "2026-11-23T12:00:00.000Z", "endedAt": "2026-11-23T12:00:03.000Z", "durationMs": 3000.0},
        **{"effect": "http", "activeMs": 2.5, "bytesIn": 7, "bytesOut": 0, "inputTokens": 3, "outputTokens": 0},
    }
    assert (charge["status"], charge["attempt"], charge["error"]) == ("completed", 2, error)
    assert (ship["status"], ship["kind"], ship["endedAt"], ship["durationMs"]) == ("waiting", "listen", None, None)
    assert found["next"] is None


def test_a_retried_try_tells_its_attempts_and_a_listener_what_it_waited_for(
    api: httpx.Client, reports: Reports
) -> None:
    execution = reports.execution()
    until = {"kind": "timer", "purpose": "retry", "until": "2026-11-23T12:00:04.000Z"}
    what = {"kind": "events", "need": "any", "filters": [{"with": {"type": "paid"}}]}
    error = {"type": "https://example.com/flaky", "status": 503}
    reports.fact(execution, "charge", "running", at=0, kind="try")
    reports.fact(execution, "charge", "retried", at=1, kind="try", error=error, wait=until)
    reports.fact(execution, "paid", "waiting", at=2, kind="listen", wait=what)
    reports.fact(execution, "charge", "completed", at=6, kind="try")
    reports.fact(execution, "paid", "completed", at=7, kind="listen", keys={"order": 7})
    reports.fact(execution, "odd", "waiting", at=8, kind="listen", wait=["not what we write"])
    charge, paid, odd = api.get(f"/v1/namespaces/shop/executions/{execution}/timeline").json()["items"]
    times = [(one["number"], one["startedAt"][17:19], one["endedAt"][17:19]) for one in charge["attempts"]]
    assert times == [(1, "00", "01"), (2, "04", "06")]
    failed = [(one["error"] and one["error"]["status"], one["backoffMs"]) for one in charge["attempts"]]
    assert failed == [(503, 3000.0), (None, None)]
    (wait,) = paid["waits"]
    assert (wait["what"], wait["since"][17:19], wait["over"][17:19], wait["durationMs"]) == (what, "02", "07", 5000.0)
    assert (paid["keys"], odd["waits"][0]["what"], odd["waits"][0]["over"]) == ({"order": 7}, {}, None)


def test_children_are_shown_with_the_task_that_runs_them_wherever_they_run(api: httpx.Client, reports: Reports) -> None:
    parent = reports.execution()
    one = reports.execution(parent=parent, parent_task="/do/0/ship@1.1", lasted=2.0, workflow="ship")
    other = reports.execution(parent=parent, namespace="next door", phase="faulted", lasted=3.0)
    reports.execution(parent=one)
    found = api.get(f"/v1/namespaces/shop/executions/{parent}/timeline").json()["children"]
    assert sorted((child["id"], child["workflow"], child["phase"], child["durationMs"]) for child in found) == sorted(
        [(str(one), "ship", "completed", 2000.0), (str(other), "order", "faulted", 3000.0)]
    )
    tasks = {child["id"]: (child["task"], child["link"]) for child in found}
    assert tasks[str(one)] == ("/do/0/ship@1.1", f"/v1/namespaces/shop/executions/{one}")
    assert tasks[str(other)] == (None, f"/v1/namespaces/next%20door/executions/{other}")
    grandparent = api.get(f"/v1/namespaces/shop/executions/{one}/timeline").json()["children"]
    assert len(grandparent) == 1


def test_facts_that_arrived_out_of_order_give_the_same_timeline(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution()
    reports.fact(execution, "charge", "completed", at=9, number=12)
    reports.fact(execution, "charge", "running", at=8, number=11)
    reports.fact(execution, "reserve", "running", at=7, number=10)
    items = api.get(f"/v1/namespaces/shop/executions/{execution}/timeline").json()["items"]
    assert [(item["name"], item["status"]) for item in items] == [("reserve", "running"), ("charge", "completed")]


def test_invocations_are_shown_with_their_usage(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution()
    reports.usage(execution, 2, active_ms=8.0, effect_kinds={"http": 2, "odd": "report"})
    reports.usage(execution, 1, active_ms=40.5, cold_start=True, cold_start_ms=210.0)
    found = api.get(f"/v1/namespaces/shop/executions/{execution}/timeline").json()
    shown = [(row["epoch"], row["activeMs"], row["coldStart"], row["coldStartMs"]) for row in found["invocations"]]
    assert shown == [(1, 40.5, True, 210.0), (2, 8.0, False, 0.0)]
    assert [row["effectKinds"] for row in found["invocations"]] == [{}, {"http": 2}]
    assert found["invocations"][1]["startedAt"] == "2026-11-23T11:59:59.992Z"


def test_a_long_timeline_is_read_page_by_page_without_splitting_a_task(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution()
    for number in range(5):
        reports.fact(execution, f"step{number}", "running")
    for number in range(5):
        reports.fact(execution, f"step{number}", "completed")
    seen: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get(f"/v1/namespaces/shop/executions/{execution}/timeline", params={"limit": 2, **cursor}).json()
        seen += [(item["name"], item["status"]) for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [(f"step{number}", "completed") for number in range(5)]


def test_an_odd_report_does_not_hide_the_rest(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution()
    reports.fact(execution, "charge", "faulted", error={"message": "not an error as we write them"})
    reports.fact(execution, "refund", "completed")
    items = api.get(f"/v1/namespaces/shop/executions/{execution}/timeline").json()["items"]
    assert [item["name"] for item in items] == ["charge", "refund"]
    assert "not an error as we write them" in items[0]["error"]["detail"]


def test_a_timeline_can_be_read_before_control_has_told_of_the_execution(api: httpx.Client, reports: Reports) -> None:
    elsewhere = reports.execution(namespace="other")
    reports.fact(elsewhere, "early", "running")
    found = api.get(f"/v1/namespaces/shop/executions/{elsewhere}/timeline").json()
    assert [item["name"] for item in found["items"]] == ["early"]


def test_an_execution_without_reports_has_an_empty_timeline_and_no_logs(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution()
    assert api.get(f"/v1/namespaces/shop/executions/{execution}/timeline").json()["items"] == []
    assert api.get(f"/v1/namespaces/shop/executions/{execution}/logs").json() == {"items": [], "next": None}


def test_log_lines_come_oldest_first_and_page_by_page(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution()
    for number in (3, 1, 2):
        reports.log(execution, f"line {number}", at=number, task="/do/0/x@1", fields={"n": number})
    reports.log(execution, "line 2b", at=2)
    first = api.get(f"/v1/namespaces/shop/executions/{execution}/logs", params={"limit": 3}).json()
    rest = api.get(
        f"/v1/namespaces/shop/executions/{execution}/logs", params={"limit": 3, "cursor": first["next"]}
    ).json()
    messages = [line["message"] for line in first["items"] + rest["items"]]
    assert (messages, rest["next"]) == (["line 1", "line 2", "line 2b", "line 3"], None)
    assert first["items"][0] == {
        "at": "2026-11-23T12:00:01.000Z",
        "level": "info",
        "message": "line 1",
        "task": "/do/0/x@1",
        "fields": {"n": 1},
    }


def test_a_level_shows_that_level_and_what_is_worse(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution()
    for second, level in enumerate(("debug", "info", "warning", "error", "unheard-of")):
        reports.log(execution, level, level=level, at=second)
    for level, expected in (
        ("debug", ["debug", "info", "warning", "error", "unheard-of"]),
        ("warning", ["warning", "error", "unheard-of"]),
    ):
        found = api.get(f"/v1/namespaces/shop/executions/{execution}/logs", params={"level": level}).json()
        assert [line["message"] for line in found["items"]] == expected


def test_lines_of_a_whole_namespace_are_found_by_what_they_say(api: httpx.Client, reports: Reports) -> None:
    one, other = reports.execution(namespace="lines"), reports.execution(namespace="lines", workflow="refund")
    reports.log(one, "card refused by bank", namespace="lines", level="error", at=3, task="/do/0/pay@1")
    reports.log(one, "goods reserved", namespace="lines", at=2)
    reports.log(other, "bank asked again", namespace="lines", at=1, workflow="refund", fields={"bank": 7})
    reports.log(other, "card refused", namespace="elsewhere", at=1)
    three, two, first = "card refused by bank", "goods reserved", "bank asked again"
    for query, expected in (
        ({}, [three, two, first]),
        ({"order": "asc"}, [first, two, three]),
        ({"text": "bank"}, [three, first]),
        ({"text": '"refused by" bank'}, [three]),
        ({"text": "bank -card"}, [first]),
        ({"level": "warning"}, [three]),
        ({"workflow": "refund"}, [first]),
        ({"execution": str(one)}, [three, two]),
        ({"task": "/do/0/pay@1"}, [three]),
        ({"from": "2026-11-23T12:00:02Z", "to": "2026-11-23T12:00:03Z"}, [two]),
    ):
        found: list[str] = []
        asked: dict[str, str] = {"limit": "1", **query}
        while True:
            answer = api.get("/v1/namespaces/lines/logs", params=asked)
            assert answer.status_code == 200, answer.text
            found += [item["message"] for item in answer.json()["items"]]
            if answer.json()["next"] is None:
                break
            asked["cursor"] = answer.json()["next"]
        assert found == expected, query


def test_a_cursor_of_the_newest_lines_continues_no_list_of_the_oldest(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution(namespace="turned")
    for line in ("a", "b"):
        reports.log(execution, line, namespace="turned")
    cursor = api.get("/v1/namespaces/turned/logs?limit=1").json()["next"]
    refused = api.get("/v1/namespaces/turned/logs", params={"order": "asc", "cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (400, "input.invalid")
