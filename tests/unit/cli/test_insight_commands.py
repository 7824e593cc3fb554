"""``lowtide logs``, ``timeline``, ``graph`` and ``compare``, on a server that answers as the analytics API does."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lowtide.clients import analytics
from tests.unit.cli.test_server_commands import _lowtide, _Server, server

__all__ = ["server"]

_BASE = "GET /analytics/v1/namespaces/default"
_ID = "0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e5f"


def _line(message: str, **given: Any) -> dict[str, Any]:
    about = {"execution": _ID, "workflow": "order", "version": "1.0.0", "fields": None}
    return {
        "at": "2026-11-23T12:00:00.000Z",
        "level": "info",
        "message": message,
        "task": "/do/0/pay@1.1",
        **about,
        **given,
    }


def _events(*messages: str) -> str:
    return "".join(f"id: {one}-id\nevent: line\ndata: {json.dumps(_line(one))}\n\n" for one in messages)


def _asked(server: _Server, number: int = 0) -> dict[str, list[str]]:
    return parse_qs(urlsplit(server.asked[number][0]).query)


def test_logs_are_the_newest_lines_oldest_first_over_as_many_pages_as_it_takes(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = {"items": [_line("third")], "next": "c"}, {"items": [_line("second", fields={"n": 1})], "next": "d"}
    server.answers[f"{_BASE}/logs"] = [(200, page) for page in pages]
    assert (
        _lowtide("logs", _ID, "--task", "pay", "--level", "info", "--text", "a b", "--since", "PT1H", "--limit", "2")
        == 0
    )
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        '2026-11-23T12:00:00.000Z INFO    /do/0/pay  second  {"n":1}',
        "2026-11-23T12:00:00.000Z INFO    /do/0/pay  third",
    ]
    first, second = _asked(server), _asked(server, 1)
    assert {name: first[name] for name in ("execution", "task", "level", "text", "limit")} == {
        **{"execution": [_ID], "task": ["pay"], "level": ["info"], "text": ["a b"], "limit": ["2"]}
    }
    assert "from" in first
    assert (second["cursor"], second["limit"]) == (["c"], ["1"])


def test_lines_of_several_executions_say_whose_they_are_and_json_says_all(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers[f"{_BASE}/logs"] = [(200, {"items": [_line("hello")], "next": None})]
    assert _lowtide("logs", "--workflow", "order") == 0
    assert f" order {_ID} /do/0/pay  hello" in capsys.readouterr().out
    assert _lowtide("logs", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out) == _line("hello")


def test_a_stream_that_breaks_is_gone_on_with_until_the_execution_has_ended(
    server: _Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("_SETTLE", 0.5), ("_LOOK", 0.05)):
        monkeypatch.setattr(import_module("lowtide.cli.logs"), name, seconds)
    monkeypatch.setattr(analytics, "_AGAIN", 0.01)
    server.answers[f"{_BASE}/logs/stream"] = [
        (200, _events("one", "two")),
        (503, {}),
        (200, _events("three")),
        (200, ""),
    ]
    server.answers[f"{_BASE}/executions/{_ID}"] = [(404, {}), (200, {"phase": "completed"})]
    assert _lowtide("logs", _ID, "--follow", "--output", "json") == 0
    assert [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()] == ["one", "two", "three"]
    streams = [headers for asked, headers, _ in server.asked if "/logs/stream" in asked]
    known = [{name.lower(): value for name, value in headers.items()}.get("last-event-id") for headers in streams]
    assert known[:4] == [None, "two-id", "two-id", "three-id"]


def test_a_wrong_question_is_not_asked_again(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[f"{_BASE}/logs/stream"] = [(400, {"title": "No", "detail": "odd", "code": "input.invalid"})]
    assert _lowtide("logs", "--follow") == 2
    assert "odd" in capsys.readouterr().err
    assert _lowtide("logs", "--since", "yesterday") == 2
    assert "--since yesterday: write a duration as PT10M" in capsys.readouterr().err
    assert _lowtide("logs", "--after", "x") == 2
    assert len(server.asked) == 1


_ENTRY = {
    **{"task": "/do/0/pay@1.1", "name": "pay", "reference": "/do/0/pay", "kind": "call", "attempt": 1},
    **{"status": "completed", "startedAt": "2026-11-23T12:00:00.000Z", "endedAt": "2026-11-23T12:00:02.000Z"},
    **{"durationMs": 2000.0, "error": None, "attempts": [], "waits": [], "keys": {}, "effect": "http"},
    **{"activeMs": 1500.0, "bytesIn": 1, "bytesOut": 2},
}
_TRY = {
    **_ENTRY,
    **{"name": "again", "reference": "/do/1/again", "kind": "try", "effect": "", "error": {"type": "t", "status": 503}},
    "attempts": [
        {
            **{"number": 1, "startedAt": "2026-11-23T12:00:00.000Z", "endedAt": "2026-11-23T12:00:01.000Z"},
            **{"error": {"type": "x/timeout", "status": 408, "title": "Late"}, "backoffMs": 500.0},
        },
        {
            **{"number": 2, "startedAt": "2026-11-23T12:00:01.500Z", "endedAt": "2026-11-23T12:00:02.000Z"},
            **{"error": None, "backoffMs": None},
        },
    ],
}
_WAIT = {
    **_ENTRY,
    **{"name": "paid", "reference": "/do/2/paid", "status": "waiting", "endedAt": None, "durationMs": None},
    "waits": [{"what": {"kind": "events", "need": "any", "filters": [{"with": {"type": "paid"}}]}}],
}
_INVOCATION = {
    **{"epoch": 1, "startedAt": "2026-11-23T12:00:00.100Z", "activeMs": 2000.0, "queueingMs": 12.0},
    **{"coldStart": True, "coldStartMs": 320.0, "effectKinds": {"http": 2}},
}
_CHILD = {"id": "c-1", "workflow": "ship", "version": "1", "phase": "running", "durationMs": None}


def test_a_timeline_shows_attempts_waits_invocations_and_children(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = {"invocations": [_INVOCATION], "children": [_CHILD]}
    pages = {"items": [_ENTRY, _TRY], "next": "c", **rest}, {"items": [_WAIT], "next": None, **rest}
    about = {"workflow": "order", "version": "1.0.0", "phase": "waiting", "id": _ID, "durationMs": None}
    server.answers[f"{_BASE}/executions/{_ID}/timeline"] = [(200, page) for page in pages]
    server.answers[f"{_BASE}/executions/{_ID}"] = [(200, about)]
    assert _lowtide("timeline", _ID) == 0
    shown = capsys.readouterr().out
    assert "✓ pay" in shown
    assert "http 1.5 s" in shown
    assert "timeout 408 Late; again after 500 ms" in shown
    assert "attempt 2" in shown
    assert "listened for any of paid" in shown
    assert "320 ms" in shown
    assert "c-1" in shown


def test_a_graph_is_a_tree_on_the_terminal_and_text_in_other_forms(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    blank = {"runs": 0, "retries": 0, "durationMs": 0.0, "error": None, "child": None, "detail": "", "parent": None}
    nodes = [
        {**blank, "id": "/do/0/pay", "kind": "call", "name": "pay [now]", "status": "completed", "runs": 3},
        {**blank, "id": "/do/1/never", "kind": "set", "name": "never", "status": None},
        {**blank, "id": "c-1", "kind": "execution", "name": "ship", "status": "running", "child": {"execution": "c-1"}},
    ]
    edges = [{"from": "/do/0/pay", "to": "c-1", "kind": "child", "label": "", "taken": 1}]
    found = {"source": "definition", "nodes": nodes, "edges": edges}
    server.answers[f"{_BASE}/executions/{_ID}/graph"] = [(200, found), (200, found), (200, "digraph {}\n")]
    assert _lowtide("graph", _ID) == 0
    shown = capsys.readouterr().out
    assert "✓ pay [now] call completed 0 ms 3 runs" in shown
    assert shown.index("ship") < shown.index("never")
    assert _lowtide("graph", _ID, "--output", "json") == 0
    assert json.loads(capsys.readouterr().out) == found
    assert _lowtide("graph", _ID, "--format", "dot") == 0
    assert capsys.readouterr().out == "digraph {}\n"
    assert _asked(server, 2)["format"] == ["dot"]


def test_a_comparison_says_where_paths_part_and_by_how_much(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    side = {"reference": "/do/0/pay", "status": "completed", "runs": 1, "retries": 0, "durationMs": 100.0}
    a: dict[str, Any] = {"workflow": "order", "version": "1", "phase": "completed", "id": "a"}
    a["quantities"] = {"durationMs": 1000.0}
    found: dict[str, Any] = {
        **{"a": a, "b": {**a, "version": "2", "id": "b", "quantities": {"durationMs": 3500.0}}, "prices": "ours"},
        "difference": {"durationMs": 2500.0, "price": -0.5},
        "diverged": {"a": {"reference": "/do/1/x", "status": "completed", "after": "/do/0/pay"}, "b": None},
        "tasks": [{"name": "pay", "a": side, "b": None, "difference": {"durationMs": -100.0}}],
        "definition": {"added": ["/do/1/new"], "removed": [], "moved": [["/do/1/x", "/do/2/x"]], "changed": []},
    }
    server.answers[f"{_BASE}/executions/a/compare/b"] = [(200, found)]
    assert _lowtide("compare", "a", "b", "--prices", "aws-lambda") == 0
    shown = capsys.readouterr().out
    for text in (
        "+2.5 s",
        "-0.5",
        "/do/1/x completed, after /do/0/pay",
        "did not run",
        "-100 ms",
        "/do/1/x -> /do/2/x",
    ):
        assert text in shown
    assert _asked(server)["prices"] == ["aws-lambda"]
