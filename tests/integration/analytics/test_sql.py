"""SQL of analysts: what can be asked, what it answers, and that its columns are documented."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from analytics_api.analysts.role import provide
from lowtide.cli import main
from lowtide.errors import Misconfigured, Unavailable
from lowtide.model.sketch import bin_of, quantile
from lowtide.settings import AnalyticsSettings
from tests.integration.analytics.reports import NOON, Reports, mounted

_DOCS = Path(__file__).parents[3] / "docs" / "analysts.md"


@pytest.fixture(scope="module")
def server(store_url: str, analysts_url: str) -> Iterator[str]:
    with mounted(AnalyticsSettings(analytics_url=store_url, analysts_url=analysts_url)) as url:
        yield url


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server}/analytics", timeout=30) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def happened(reports: Reports) -> None:
    error = {"type": "x/timeout", "title": "Late", "status": 408}
    for number, workflow in enumerate(("order", "order", "parcel")):
        execution = reports.execution(created=NOON + timedelta(minutes=number), lasted=2.5, workflow=workflow)
        reports.fact(execution, "pay", "running")
        reports.fact(execution, "pay", "completed", duration_ms=12.5)
        reports.log(execution, f"=paid {number}", fields={"n": number})
        reports.usage(execution, 1, memory_bytes=2**30, active_ms=500.0)
    reports.execution(phase="faulted", lasted=1.0, workflow="shaky", error=error)
    reports.rollup("executions.completed", NOON, [10.0, 20.0, 4000.0])
    reports.rollup("executions.completed", NOON + timedelta(hours=1), [0.0, -5.0, 70.0])


def _asked(api: httpx.Client, query: str, limit: int = 1000) -> dict[str, Any]:
    answer = api.post("/v1/namespaces/shop/sql", json={"query": query, "limit": limit})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_query_is_answered_with_columns_and_rows(api: httpx.Client) -> None:
    found = _asked(api, "SELECT workflow, count(*), min(created_at) AS first FROM executions GROUP BY 1 ORDER BY 1;")
    assert found["columns"] == [
        {"name": "workflow", "type": "text"},
        {"name": "count", "type": "int8"},
        {"name": "first", "type": "timestamptz"},
    ]
    assert found["rows"][:2] == [["order", 2, "2026-11-23T12:00:00Z"], ["parcel", 1, "2026-11-23T12:02:00Z"]]
    assert found["truncated"] is False


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT title, status, count(*) FROM errors GROUP BY 1, 2", [["Late", "408", 1]]),
        ("SELECT name, status, duration_ms FROM tasks LIMIT 1", [["pay", "completed", 12.5]]),
        ("SELECT sum(gb_seconds), sum(turns) FROM invocations", [[1.5, 9]]),
        ("SELECT message, fields FROM logs ORDER BY at, message LIMIT 1", [["=paid 0", {"n": 0}]]),
        ("WITH w AS (SELECT DISTINCT workflow FROM executions) SELECT count(*) FROM w -- and a word", [[3]]),
        ("VALUES (1, 'a'), (2, NULL)", [[1, "a"], [2, None]]),
        ("TABLE executions LIMIT 0", []),
        ("SELECT 1 AS a, 2 AS a, 12345678901234567890.123456789 AS n", [[1, 2, 12345678901234567890.123456789]]),
        ("SELECT 'NaN'::float8, '-Infinity'::numeric, true, ARRAY[1,2]", [["NaN", "-Infinity", True, "{1,2}"]]),
        ("SELECT 'infinity'::timestamptz, '0044-03-15 BC'::timestamptz", [["infinity", "0044-03-15 00:00:00+00 BC"]]),
        ("SELECT '{\"a\": 1.50}'::json, '100%', 'ü', '%s'", [[{"a": 1.5}, "100%", "ü", "%s"]]),
        ("SELECT", [[]]),
    ],
)
def test_whatever_is_asked_has_its_json(api: httpx.Client, query: str, answer: list[list[Any]]) -> None:
    assert _asked(api, query)["rows"] == answer


def test_percentiles_are_those_of_the_rest_of_the_api(api: httpx.Client) -> None:
    values = [10.0, 20.0, 4000.0, 0.0, -5.0, 70.0]
    bins: dict[int, int] = {}
    for value in values:
        bins[bin_of(value)] = bins.get(bin_of(value), 0) + 1
    shares = (0.0, 0.1, 0.5, 0.95, 1.0)
    query = f"SELECT {', '.join(f'quantile(merged(sketch), {share})' for share in shares)} FROM hours"
    assert _asked(api, query)["rows"] == [[pytest.approx(quantile(bins, share), abs=1e-9) for share in shares]]
    assert _asked(api, "SELECT p50, p99, quantile('{}', 0.5) FROM minutes ORDER BY at LIMIT 1")["rows"] == [
        [pytest.approx(20, rel=0.01), pytest.approx(4000, rel=0.01), None]
    ]


def test_a_long_answer_ends_where_it_was_told_to_and_says_so(api: httpx.Client) -> None:
    found = _asked(api, "SELECT generate_series(1, 1000000000)", 250)
    assert (len(found["rows"]), found["rows"][-1], found["truncated"]) == (250, [250], True)
    exact = _asked(api, "SELECT n FROM generate_series(1, 250) AS n", 250)
    assert (len(exact["rows"]), exact["truncated"]) == (250, False)
    wide = _asked(api, "SELECT repeat('x', 100000) FROM generate_series(1, 1000)", 1000)
    assert (len(wide["rows"]), wide["truncated"]) == (83, True)


def test_csv_is_asked_for_by_its_media_type(api: httpx.Client) -> None:
    query = {"query": "SELECT message, -1.50 AS n, NULL AS nothing, true AS yes FROM logs ORDER BY 1", "limit": 2}
    answer = api.post("/v1/namespaces/shop/sql", json=query, headers={"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["lowtide-truncated"] == "true"
    heading, first, _ = csv.reader(io.StringIO(answer.text))
    assert heading == ["message", "n", "nothing", "yes"]
    assert first == ["'=paid 0", "-1.50", "", "true"], "no spreadsheet computes what a workflow wrote"
    both = api.post("/v1/namespaces/shop/sql", json=query, headers={"accept": "application/json, text/csv"})
    assert both.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC", at character 1'),
        ("SELECT wrokflow FROM executions", 'column "wrokflow" does not exist, at character 8'),
        ("SELECT 1 FROM runs", "docs/analysts.md lists the views"),
        ("SELECT 1/0", "division by zero"),
        ("SELECT 'a'::int", "invalid input syntax for type integer"),
        ("SELECT $1", "a query takes no parameters"),
        ("   ;", "this is no SQL"),
        ("SELECT 1 \x00", "this is no SQL"),
    ],
)
def test_what_is_wrong_with_a_query_is_said_in_postgresqls_words(api: httpx.Client, query: str, says: str) -> None:
    refused = api.post("/v1/namespaces/shop/sql", json={"query": query})
    assert (refused.status_code, refused.json()["code"]) == (400, "input.invalid")
    assert says in refused.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"SELECT 1", 400),
        (b'{"query": 1}', 400),
        (b'{"query": "SELECT 1", "limit": 0}', 400),
        (b'{"query": "SELECT 1", "namespace": "bank"}', 400),
        (b'{"query": "SELECT \'\\ud800\'"}', 400),
        (b'{"query": "SELECT 1 ' + b"-" * 30_000 + b'"}', 400),
        (b'{"query": "' + b"x" * 1_000_000, 413),
    ],
)
def test_a_body_that_is_no_question_is_refused(api: httpx.Client, body: bytes, status: int) -> None:
    assert api.post("/v1/namespaces/shop/sql", content=body).status_code == status


def test_where_no_role_is_set_the_answer_says_what_to_set(store_url: str) -> None:
    with mounted(AnalyticsSettings(analytics_url=store_url)) as url:
        refused = httpx.post(f"{url}/analytics/v1/namespaces/shop/sql", json={"query": "SELECT 1"})
    assert refused.status_code == 404
    assert "set LOWTIDE_ANALYSTS_URL to postgresql://" in refused.json()["detail"]


def test_many_ask_at_once_and_each_is_answered_or_told_to_come_again(api: httpx.Client) -> None:
    def ask(number: int) -> int:
        path = f"/v1/namespaces/{'shop' if number % 2 else 'bank'}/sql"
        return api.post(path, json={"query": "SELECT count(*) FROM executions, generate_series(1, 20000)"}).status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(ask, range(12)))
    assert set(statuses) <= {200, 429}
    assert statuses.count(200) >= 4
    assert ask(1) == 200


def _printed(server: str, capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["sql", *arguments, "--namespace", "shop", "--server", server])
    assert ended.value.code == code
    shown = capsys.readouterr()
    return shown.err if code else shown.out


def test_the_command_prints_a_table_csv_or_json(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT workflow, count(*) AS n, E'a\\x1b[31m\\nb' AS t FROM tasks GROUP BY 1 ORDER BY 1"
    assert _printed(server, capsys, query) == "workflow  n  t\norder     3  a [31m b\n"
    assert _printed(server, capsys, query, "--format", "csv", "--limit", "1").startswith("workflow,n,t\r\norder,3,")
    assert '"rows":[["order",3,' in _printed(server, capsys, query, "--format", "json")
    assert "syntax error" in _printed(server, capsys, "SELECT FROM WHERE", code=2)


def test_each_column_of_each_view_is_documented(store_url: str) -> None:
    query = """SELECT table_name, column_name, udt_name FROM information_schema.columns
                WHERE table_schema = 'analysts' ORDER BY table_name, ordinal_position"""
    with psycopg.connect(store_url) as connection:
        there = [tuple(map(str, row)) for row in connection.execute(query).fetchall()]
    told = []
    for section in re.split(r"^### ", _DOCS.read_text(), flags=re.MULTILINE)[1:]:
        view = section.split("\n", 1)[0].strip("` ")
        for names, kind in re.findall(r"^\| (`[^|]+`) \| `(\w+)` \| \S", section, re.MULTILINE):
            told += [(view, name, kind) for name in re.findall(r"`(\w+)`", names)]
    assert sorted(told) == sorted(there)
    assert len(there) > 90


def test_the_examples_of_the_documentation_are_answered(api: httpx.Client) -> None:
    examples = re.findall(r"```sql\n(.*?)```", _DOCS.read_text(), re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        assert _asked(api, example)["columns"], example


def test_whoever_is_more_than_a_reader_is_not_made_one(databases: Callable[[], str]) -> None:
    url = databases()
    with pytest.raises(Misconfigured, match="who is more than a reader"):
        provide(url, url)
    with pytest.raises(Misconfigured, match="names no user"):
        provide(url, "postgresql://localhost/analytics")
    with pytest.raises(Unavailable, match="cannot be made"):
        provide("postgresql://nobody@127.0.0.1:1/nothing", "postgresql://a:b@127.0.0.1:1/nothing")
