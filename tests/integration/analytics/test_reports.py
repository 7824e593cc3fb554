"""Daily reports: sums of days and their bills; series and reports of all namespaces, for nobody but the operator."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from analytics_api.answers import MeasurePoint
from lowtide.cli import main
from lowtide.errors import Misconfigured
from lowtide.model.cost import PRESETS, Quantities, always_on, price
from lowtide.settings import AnalyticsSettings
from tests.integration.analytics.reports import NOON, Reports, mounted

_TOKEN = "an-operator's-token-of-a-test"
_PRICES = PRESETS["google-cloud-run"]
_DAYS = {"from": "2026-11-22", "to": "2026-11-23"}
_FORMULA = "=HYPERLINK(1)|<b>"


@pytest.fixture(scope="module")
def server(store_url: str) -> Iterator[str]:
    with mounted(AnalyticsSettings(analytics_url=store_url, operator_token=_TOKEN.encode())) as url:
        yield url


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server}/analytics", timeout=30) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def happened(reports: Reports) -> None:
    """One workflow on two days, from the last hour of the one to the first of the other, and one of another tenant."""
    for at in (NOON - timedelta(hours=12, minutes=1), NOON - timedelta(hours=12)):
        reports.rollup("executions.created", at, [0.0, 0.0], namespace="shop")
        reports.rollup("executions.completed", at, [10.0], namespace="shop")
        reports.rollup("executions.faulted", at, [10.0], namespace="shop")
        reports.rollup("invocations.active_ms", at, [60_000_000.0, 30_000_000.0], namespace="shop")
        reports.rollup("invocations.cold_start_ms", at, [400.0], namespace="shop")
        reports.rollup("invocations.cpu_ms", at, [2000.0, 500.0], namespace="shop")
        reports.rollup("invocations.gb_seconds", at, [1.5], namespace="shop")
        reports.rollup("invocations.input_tokens", at, [3.0, 4.0], namespace="shop")
    reports.rollup("executions.created", NOON, [0.0], namespace="bank", workflow=_FORMULA)


def _report(api: httpx.Client, path: str = "namespaces/shop/", **query: Any) -> dict[str, Any]:
    shown = {} if path else {"authorization": f"Bearer {_TOKEN}"}
    answer = api.get(f"/v1/{path}reports/daily", params={**_DAYS, **query}, headers=shown)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_day_is_what_its_hours_add_up_to_and_its_bill(api: httpx.Client) -> None:
    sunday, monday = _report(api)["items"]
    assert (sunday["day"], monday["day"]) == ("2026-11-22", "2026-11-23"), "days are in UTC"
    of = Quantities(
        invocations=2, cold_starts=1, active_ms=9e7, cold_start_ms=400, cpu_ms=2500, gb_seconds=1.5, input_tokens=7
    )
    paid, beside = price(of, _PRICES), always_on(25, 86_400, _PRICES)
    assert beside.instances == 2, "25 hours of activity in one hour are more than one instance serves"
    assert sunday == {
        **{"day": "2026-11-22", "namespace": "shop", "workflow": "order"},
        **{"started": 2, "completed": 1, "faulted": 1, "cancelled": 0, "invocations": 2, "coldStarts": 1},
        **{"activeSeconds": 90_000.0, "cpuSeconds": 2.5, "gbSeconds": 1.5, "inputTokens": 7, "outputTokens": 0},
        **{"cost": pytest.approx(paid), "alwaysOn": pytest.approx(beside.price)},
        "saving": pytest.approx(beside.price - paid),
    }
    assert {**monday, "day": "2026-11-22"} == sunday


def test_the_total_pays_for_a_service_that_is_on_also_when_nothing_runs(api: httpx.Client) -> None:
    two, four = _report(api), _report(api, **{"from": "2026-11-20"})
    assert four["items"] == two["items"]
    assert four["total"]["cost"] == two["total"]["cost"] == pytest.approx(2 * two["items"][0]["cost"])
    idle = always_on(0, 86_400, _PRICES).price
    assert four["total"]["alwaysOn"] == pytest.approx(two["total"]["alwaysOn"] + 2 * idle)


def test_the_future_is_not_counted_as_always_on(api: httpx.Client) -> None:
    found = _report(api, **{"from": "2100-01-01", "to": "2100-02-01"})
    assert (found["items"], found["total"]["alwaysOn"]) == ([], 0.0)


def test_a_tenant_sees_its_own_namespace_alone(api: httpx.Client) -> None:
    for by in ("workflow", "namespace"):
        assert {one["namespace"] for one in _report(api, by=by)["items"]} == {"shop"}
    assert _report(api, "namespaces/nobody/")["items"] == []


def test_the_operator_sees_all_namespaces(api: httpx.Client) -> None:
    found = _report(api, "", by="namespace")
    assert [(one["day"][-2:], one["namespace"], one["workflow"], one["started"]) for one in found["items"]] == [
        ("22", "shop", None, 2),
        ("23", "bank", None, 1),
        ("23", "shop", None, 2),
    ]
    assert found["total"]["started"] == 5
    assert {one["workflow"] for one in _report(api, "")["items"]} == {"order", _FORMULA}
    assert _report(api, "", workflow="order")["total"]["started"] == 4


def _series(api: httpx.Client, measure: str, **query: Any) -> list[dict[str, Any]]:
    """All pages of it."""
    found: list[dict[str, Any]] = []
    window = {"from": "2026-11-22T00:00:00Z", "to": "2026-11-24T00:00:00Z", "step": "1d"}
    while True:
        shown = {"authorization": f"Bearer {_TOKEN}"}
        answer = api.get(f"/v1/series/{measure}", params={**window, **query}, headers=shown)
        assert answer.status_code == 200, answer.text
        found += [MeasurePoint.model_validate(point).model_dump() for point in answer.json()["items"]]
        if answer.json()["next"] is None:
            return found
        query["cursor"] = answer.json()["next"]


@pytest.mark.parametrize("step", ["1d", "12h", "720m"])
def test_the_operator_asks_for_a_series_of_all_namespaces_together_or_of_each(api: httpx.Client, step: str) -> None:
    def counted(**query: Any) -> list[tuple[str, dict[str, str], int]]:
        return [(one["at"][8:10], one["group"], one["count"]) for one in _series(api, "started", step=step, **query)]

    bank, shop = {"namespace": "bank"}, {"namespace": "shop"}
    assert counted(by=["namespace"], limit=1) == [
        ("22", shop, 2),
        *([("23", bank, 1), ("23", shop, 2)] if step == "1d" else [("23", shop, 2), ("23", bank, 1)]),
    ]
    assert sum(count for _, _, count in counted()) == 5
    assert counted(namespace="bank") == [("23", {}, 1)]
    assert {group["workflow"] for _, group, _ in counted(by=["workflow", "namespace"])} == {"order", _FORMULA}
    assert [count for _, _, count in counted(workflow="order")] == [2, 2]
    assert counted(namespace="nobody") == []


def test_percentiles_of_all_namespaces_are_merged(api: httpx.Client) -> None:
    (_, monday) = _series(api, "ended", by=["status"], status="completed")
    assert (monday["p95"], monday["group"]) == (pytest.approx(10, rel=0.01), {"status": "completed"})


@pytest.mark.parametrize(
    "shown",
    [
        *(None, "", "Bearer", "Bearer wrong", f"Bearer {_TOKEN[:-1]}", f"Bearer {_TOKEN}x", f"Basic {_TOKEN}", _TOKEN),
        "Bearer " + 16 * "\xe4",
    ],
)
def test_nobody_else_is_told_of_all_namespaces(api: httpx.Client, shown: str | None) -> None:
    headers = {} if shown is None else {b"authorization": shown.encode("latin-1")}
    for path in (
        *("/v1/reports/daily", "/v1/reports/daily?format=csv", "/v1/reports/daily?by=moon"),
        *("/v1/series/started?by=namespace", "/v1/series/started?namespace=bank", "/v1/series/moon"),
    ):
        refused = api.get(path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "auth.required")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "bank" not in refused.text


def test_where_no_token_is_set_there_is_nobody_to_be_told(store_url: str) -> None:
    with mounted(AnalyticsSettings(analytics_url=store_url)) as url:
        for shown in ("Bearer", "Bearer x", ""):
            refused = httpx.get(f"{url}/analytics/v1/reports/daily", headers={"authorization": shown})
            assert refused.status_code == 401
            assert "set LOWTIDE_OPERATOR_TOKEN" in refused.json()["detail"]
    with (
        pytest.raises(Misconfigured, match="openssl rand"),
        mounted(AnalyticsSettings(analytics_url=store_url, operator_token=b"guess")),
    ):
        pass


@pytest.mark.parametrize(
    "question",
    ["from=yesterday", "from=2026-11-24", "from=2020-01-01", "to=0001-01-01", "to=9999-12-31", "by=moon", "format=pdf"],
)
def test_a_wrong_question_is_refused(api: httpx.Client, question: str) -> None:
    last = "" if question.startswith("to=") else "to=2026-11-23&"
    answer = api.get(f"/v1/namespaces/shop/reports/daily?{last}{question}")
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")


def test_csv_is_what_json_says_and_no_spreadsheet_computes_it(api: httpx.Client) -> None:
    answer = api.get(
        "/v1/reports/daily", params={**_DAYS, "format": "csv"}, headers={"authorization": f"Bearer {_TOKEN}"}
    )
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    items = _report(api, "")["items"]
    assert [row["workflow"] for row in rows] == ["order", f"'{_FORMULA}", "order"]
    assert [float(row["cost"]) for row in rows] == [one["cost"] for one in items]
    assert list(rows[0]) == ["day", "namespace", "workflow", *list(items[0])[:-3]]


def _printed(server: str, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["report", *arguments, "--server", server])
    assert ended.value.code == code
    shown = capsys.readouterr()
    return shown.err if code else shown.out


def test_the_command_prints_a_report_that_can_be_read(
    server: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    days = ("--from", _DAYS["from"], "--to", _DAYS["to"])
    told = _printed(server, capsys, *days, "--namespace", "shop")
    assert "# Usage and cost, 2026-11-22 to 2026-11-23 (UTC)" in told
    assert "| 2026-11-22 | shop | order | 2 | 1 | 1 | 0 | 2 | 90000.000 | 2.500 | 1.500 |" in told
    assert "| total |" in told
    file = tmp_path / "operator-token"
    file.write_text(f"{_TOKEN}{os.linesep}")
    told = _printed(server, capsys, *days, "--all-namespaces", "--operator-token-file", str(file))
    assert "=HYPERLINK(1)\\|&lt;b>" in told, "a name makes no column and no tag"
    assert _printed(server, capsys, *days, "--format", "csv", "--namespace", "shop").startswith(
        "day,namespace,workflow,"
    )
    assert "set LOWTIDE_OPERATOR_TOKEN" in _printed(server, capsys, "--all-namespaces", code=2)
    wrong = _printed(server, capsys, "--all-namespaces", "--operator-token", "wrong", code=2)
    assert "show the operator's token" in wrong
