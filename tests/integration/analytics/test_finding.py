"""Executions by what they carry, in every order, page by page, and as files."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.integration.analytics.reports import NOON, Reports

_STANDARD = "https://open-workflow-specification.org/spec/1.0.0/errors/communication"


@pytest.fixture(scope="module")
def names(reports: Reports) -> dict[str, str]:
    """Five executions, by the letter that their tag has."""
    given: dict[str, dict[str, Any]] = {
        "a": {"lasted": 5.0, "gb_seconds": 3.0, "tags": {"team": "red", "retries": 3}},
        "b": {"lasted": 1.0, "gb_seconds": 9.0, "tags": {"team": "blue"}, "version": "2.0.0"},
        "c": {"lasted": 3.0, "phase": "faulted", "error": {"type": _STANDARD, "title": "Payment gateway away"}},
        "d": {"gb_seconds": 1.0, "correlation": {"order": "A-1"}},
        "e": {"lasted": 3.0, "phase": "cancelled", "reason": "=cmd ordered twice"},
    }
    made = {
        name: reports.execution(namespace="find", created=NOON + timedelta(minutes=minute), **more)
        for minute, (name, more) in enumerate(given.items())
    }
    return {str(execution): name for name, execution in made.items()}


def _found(api: httpx.Client, names: dict[str, str], **query: Any) -> str:
    """The letters of all pages."""
    found = ""
    while True:
        answer = api.get("/v1/namespaces/find/executions", params={"limit": 2, **query})
        assert answer.status_code == 200, answer.text
        found += "".join(names[item["id"]] for item in answer.json()["items"])
        if answer.json()["next"] is None:
            return found
        query["cursor"] = answer.json()["next"]


def test_every_order_is_walked_page_by_page_in_both_directions(api: httpx.Client, names: dict[str, str]) -> None:
    for sort, expected in {"created": "edcba", "ended": "ecba", "duration": "aecb", "cost": "badec"}.items():
        assert _found(api, names, sort=sort) == expected
        assert _found(api, names, sort=sort, order="asc") == expected[::-1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"tag": "team=red"}, "a"),
        ({"tag": "retries=3"}, "a"),
        ({"tag": ["team=red", "retries=4"]}, ""),
        ({"correlation": "order=A-1"}, "d"),
        ({"errorType": "communication"}, "c"),
        ({"errorType": _STANDARD}, "c"),
        ({"version": "2.0.0"}, "b"),
        ({"text": "gateway"}, "c"),
        ({"text": "ordered -red"}, "e"),
        ({"text": '"twice ordered"'}, ""),
        ({"text": "') OR 1=1 --"}, ""),
        ({"minDurationMs": 3000, "maxDurationMs": 3000}, "ec"),
        ({"minGbSeconds": 3, "sort": "cost"}, "ba"),
        ({"from": "2026-11-23T12:02:00Z", "to": "2026-11-23T12:04:00Z"}, "dc"),
    ],
)
def test_a_filter_finds_what_it_names(
    api: httpx.Client, names: dict[str, str], query: dict[str, Any], expected: str
) -> None:
    assert _found(api, names, **query) == expected


def test_an_export_has_every_execution_in_the_order_of_the_list(api: httpx.Client, names: dict[str, str]) -> None:
    path = "/v1/namespaces/find/exports/executions"
    lines = api.get(path, params={"format": "jsonl", "sort": "cost"})
    assert lines.headers["content-type"] == "application/jsonl"
    items = [json.loads(line) for line in lines.text.splitlines()]
    assert "".join(names[item["id"]] for item in items) == "badec"
    listed = api.get("/v1/namespaces/find/executions", params={"sort": "cost"}).json()["items"]
    assert items == listed
    table = list(csv.DictReader(io.StringIO(api.get(path, params={"format": "csv"}).text)))
    assert "".join(names[row["id"]] for row in table) == "edcba"
    assert json.loads(table[-1]["tags"]) == {"team": "red", "retries": 3}
    assert table[0]["reason"] == "'=cmd ordered twice"  # no spreadsheet may take it for a formula


def test_an_export_of_nothing_has_a_header_alone(api: httpx.Client) -> None:
    assert api.get("/v1/namespaces/nowhere/exports/executions").text.startswith("id,namespace,")
    assert api.get("/v1/namespaces/nowhere/exports/executions?format=jsonl").text == ""


def test_parquet_is_written_where_its_extra_is_installed_and_else_the_error_names_it(
    api: httpx.Client, names: dict[str, str]
) -> None:
    answer = api.get("/v1/namespaces/find/exports/executions", params={"format": "parquet"})
    if importlib.util.find_spec("pyarrow") is None:
        assert answer.status_code == 400
        assert "lowtide[parquet]" in answer.json()["detail"]
        return
    table = importlib.import_module("pyarrow.parquet").read_table(io.BytesIO(answer.content)).to_pylist()
    assert "".join(names[row["id"]] for row in table) == "edcba"
    assert (table[-1]["createdAt"], table[-1]["durationMs"]) == (NOON, 5000.0)


def test_errors_are_grouped_the_most_frequent_first(api: httpx.Client, reports: Reports) -> None:
    for minute, (title, error_type) in enumerate((("Away", _STANDARD), ("Odd", "about:blank"), ("Away", _STANDARD))):
        error = {"type": error_type, "title": title, "status": 500}
        at = NOON + timedelta(minutes=minute)
        last = reports.execution(namespace="errors", created=at, lasted=1.0, phase="faulted", error=error)
    path = "/v1/namespaces/errors/errors"
    away, odd = api.get(path, params={"to": "2026-11-23T13:00:00Z"}).json()["items"]
    assert (away["type"], away["title"], away["count"], away["newest"]) == (_STANDARD, "Away", 2, str(last))
    assert (away["firstAt"], away["lastAt"]) == ("2026-11-23T12:00:00.000Z", "2026-11-23T12:02:00.000Z")
    assert (odd["title"], odd["count"]) == ("Odd", 1)
    for first in ("2026-11-24T00:00:00Z", "2026-01-01T00:00:00Z"):
        assert api.get(path, params={"from": first, "to": "2026-11-23T00:00:00Z"}).status_code == 400
