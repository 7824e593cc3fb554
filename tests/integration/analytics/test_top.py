"""What is slowest, dearest and fails most, from rollups; and `lowtide top`, which prints it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from lowtide.cli import main
from lowtide.model.cost import PRESETS, Quantities, price
from lowtide.settings import AnalyticsSettings
from tests.integration.analytics.reports import NOON, Reports, mounted

_WINDOW = {"from": "2026-11-23T12:00:00Z", "to": "2026-11-23T14:00:00Z"}
_PRICES = PRESETS["google-cloud-run"]


@pytest.fixture(scope="module")
def server(store_url: str) -> Iterator[str]:
    with mounted(AnalyticsSettings(analytics_url=store_url)) as url:
        yield url


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server}/analytics", timeout=30) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def happened(reports: Reports) -> None:
    """`quick` is often and cheap, `slow` seldom and dear, `shaky` fails; what is elsewhere or later is not of this."""

    def rollup(measure: str, values: list[float], workflow: str, task: str = "", minute: int = 0) -> None:
        at = NOON + timedelta(minutes=minute)
        reports.rollup(measure, at, values, namespace="top", workflow=workflow, task=task)

    rollup("executions.completed", [10.0] * 40, "quick")
    rollup("executions.faulted", [20.0] * 2, "quick", minute=70)
    rollup("executions.completed", [5000.0] * 3, "slow")
    rollup("executions.cancelled", [900_000.0], "slow")
    rollup("executions.completed", [100.0], "shaky")
    rollup("executions.faulted", [100.0], "shaky", minute=3)
    rollup("executions.faulted", [9_999_999.0], "later", minute=180)
    reports.rollup("executions.faulted", NOON, [9_999_999.0], namespace="elsewhere", workflow="other")
    rollup("invocations.active_ms", [1.0] * 40, "quick")
    rollup("invocations.active_ms", [2000.0] * 3, "slow")
    rollup("invocations.cold_start_ms", [400.0], "slow")
    rollup("tasks.completed", [1500.0] * 3, "slow", "/do/0/pay")
    rollup("tasks.completed", [3.0] * 3, "slow", "/do/1/tell")
    rollup("tasks.retried", [700.0] * 4, "slow", "/do/0/pay", minute=1)
    rollup("tasks.faulted", [5.0], "shaky", "/do/0/ask")
    rollup("effects.http", [1000.0] * 3, "slow", "/do/0/pay")
    rollup("effects.grpc", [200.0] * 3, "slow", "/do/1/tell")
    reports.execution(namespace="top", workflow="shaky", phase="faulted", error={"type": "x/timeout", "title": "Late"})


def _top(api: httpx.Client, what: str, by: str, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/v1/namespaces/top/top/{what}", params={**_WINDOW, "by": by, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_the_slowest_workflow_is_the_one_whose_p95_is_the_longest(api: httpx.Client) -> None:
    slow, shaky, quick = _top(api, "workflows", "slowest")
    assert [one["workflow"] for one in (slow, shaky, quick)] == ["slow", "shaky", "quick"]
    assert slow["p95Ms"] == pytest.approx(5000, rel=0.01), "what was cancelled says nothing of how long it takes"
    assert (slow["completed"], slow["cancelled"], slow["largestMs"], slow["task"]) == (3, 1, 5000.0, None)
    assert quick["p50Ms"] == pytest.approx(10, rel=0.01)


def test_the_dearest_workflow_has_its_price(api: httpx.Client) -> None:
    slow, quick = _top(api, "workflows", "dearest")
    of = Quantities(invocations=3, cold_starts=1, active_ms=6000, cold_start_ms=400)
    assert (slow["workflow"], slow["activeMs"], slow["price"]) == ("slow", 6000.0, pytest.approx(price(of, _PRICES)))
    assert quick["workflow"] == "quick"
    assert slow["p95Ms"] == pytest.approx(5000, rel=0.01)


def test_what_fails_is_ranked_by_how_many_or_by_which_share(api: httpx.Client) -> None:
    often = _top(api, "workflows", "failing")
    assert [(one["workflow"], one["faulted"]) for one in often] == [("quick", 2), ("shaky", 1)]
    assert often[0]["failureRate"] == pytest.approx(2 / 42)
    shares = _top(api, "workflows", "failure-rate", limit=1)
    assert [(one["workflow"], one["failureRate"]) for one in shares] == [("shaky", 0.5)]


def test_tasks_have_the_part_of_the_price_that_their_effects_were_active_for(api: httpx.Client) -> None:
    pay, tell = _top(api, "tasks", "dearest", workflow="slow")
    whole = price(Quantities(invocations=3, cold_starts=1, active_ms=6000, cold_start_ms=400), _PRICES)
    assert (pay["task"], pay["price"]) == ("/do/0/pay", pytest.approx(whole * 3000 / 6400))
    assert (tell["task"], tell["price"]) == ("/do/1/tell", pytest.approx(whole * 600 / 6400))
    assert pay["retried"] == 4
    assert [one["task"] for one in _top(api, "tasks", "slowest")] == ["/do/0/pay", "/do/0/ask", "/do/1/tell"]
    assert [one["task"] for one in _top(api, "tasks", "failing")] == ["/do/0/ask"]


def test_minutes_and_hours_say_the_same(api: httpx.Client) -> None:
    hours = {"from": "2026-11-23T06:00:00Z", "to": "2026-11-23T14:00:00Z"}
    for what in ("workflows", "tasks"):
        for by in ("slowest", "dearest", "failing", "failure-rate"):
            assert _top(api, what, by, **hours) == _top(api, what, by), (what, by)


def test_a_window_without_anything_is_an_empty_list(api: httpx.Client) -> None:
    nothing = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
    assert _top(api, "workflows", "slowest", **nothing) == []
    assert _top(api, "tasks", "dearest", **nothing) == []


@pytest.mark.parametrize(
    "question",
    [
        "workflows?by=tallest",
        "workflows?limit=0",
        "tasks?prices=moon",
        "workflows?from=2026-11-23T12:00:00Z&to=2026-11-23T12:00:00Z",
        "workflows?from=2025-01-01T00:00:00Z&to=2026-11-23T12:00:00Z",
    ],
)
def test_a_wrong_question_is_refused(api: httpx.Client, question: str) -> None:
    answer = api.get(f"/v1/namespaces/top/top/{question}")
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")


def test_no_fact_table_is_read_however_many_executions_there_were(store_url: str, api: httpx.Client) -> None:
    """Read by any plan, a table counts its scans."""
    counted = "SELECT sum(coalesce(seq_scan, 0) + coalesce(idx_scan, 0)) FROM pg_stat_user_tables WHERE relname ~ %s"
    facts = ["^(executions|task_facts|usage|logs|metric_samples)"]
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        before = connection.execute(counted, facts).fetchone()
        for what in ("workflows", "tasks"):
            _top(api, what, "dearest")
        assert connection.execute(counted, facts).fetchone() == before


def _printed(server: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["top", *arguments, "--namespace", "top", "--server", server])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_command_prints_what_is_worth_a_look(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    window = ("--from", _WINDOW["from"], "--to", _WINDOW["to"])
    assert _printed(server, capsys, "workflows", *window).splitlines()[1].split()[:3] == ["slow", "3", "0"]
    assert "/do/0/ask" in _printed(server, capsys, "tasks", "--by", "failing", *window).splitlines()[1]
    assert "timeout  Late" in _printed(server, capsys, "errors", *window)
    assert '"failureRate":0.5' in _printed(server, capsys, "--by", "failure-rate", "--json", *window)
