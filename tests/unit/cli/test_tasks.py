"""``lowtide tasks``, on a server that answers."""

from __future__ import annotations

import json

import pytest

from tests.unit.cli.test_server_commands import _lowtide, _Server, server

__all__ = ["server"]

_PATH = "/v1/namespaces/default/tasks"
_TASK = {
    "id": "42",
    "title": "Approve",
    "status": "open",
    "assignee": {"group": "finance"},
    "claimedBy": None,
    "deadline": "2026-01-02",
    "workflow": "refund",
    "completedBy": None,
    "escalation": [{"at": "2026-01-01", "assignee": {"user": "eve"}}],
    "form": {"type": "object"},
}


def test_tasks_are_listed_by_what_the_options_say(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[f"GET {_PATH}"] = [(200, {"items": [_TASK], "next": "abc"})]
    assert _lowtide("tasks", "list", "--status", "open", "--group", "finance") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split() == ["42", "Approve", "open", "group", "finance", "2026-01-02", "refund"]
    assert "--cursor abc" in shown.err
    assert server.asked[0][0] == f"GET {_PATH}?status=open&group=finance&limit=20"


def test_a_task_is_shown_with_what_to_do_about_it(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[f"GET {_PATH}/42"] = [(200, _TASK), (200, _TASK)]
    assert _lowtide("tasks", "show", "42") == 0
    shown = capsys.readouterr()
    assert "passes to    user eve at 2026-01-01" in shown.out
    assert "lowtide tasks complete 42 -n default --by NAME --data JSON" in shown.err
    assert _lowtide("tasks", "show", "42", "--json") == 0
    assert json.loads(capsys.readouterr().out) == _TASK


def test_a_task_is_completed_under_a_key_of_its_own(
    server: _Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers[f"POST {_PATH}/42/complete"] = [(200, {**_TASK, "completedBy": "ann"})]
    assert _lowtide("tasks", "complete", "42", "--by", "ann", "--data", '{"ok": true}') == 0
    assert capsys.readouterr().err == "42: completed by ann\n"
    _, headers, body = server.asked[0]
    assert body == {"by": "ann", "data": {"ok": True}}
    assert {name.lower() for name in headers} >= {"idempotency-key"}
    monkeypatch.setenv("LOWTIDE_USER", "eve")
    assert _lowtide("tasks", "complete", "42", "--data", "null") == 0
    assert server.asked[1][2] == {"by": "eve", "data": None}


def test_what_does_not_fit_is_told_with_its_place(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {
        "title": "The answer does not fit the form",
        "code": "answer.invalid",
        "status": 422,
        "detail": "the answer does not fit: /ok: 'x' is not of type 'boolean'",
        "errors": [{"pointer": "/ok", "detail": "'x' is not of type 'boolean'"}],
    }
    server.answers[f"POST {_PATH}/42/complete"] = [(422, problem)]
    assert _lowtide("tasks", "complete", "42", "--by", "ann", "--data", '{"ok": "x"}') == 2
    assert capsys.readouterr().err == "lowtide: the answer does not fit: /ok: 'x' is not of type 'boolean'\n"
    for wrong in ((), ("--data", "{"), ("--data", "1", "--data-file", "x")):
        assert _lowtide("tasks", "complete", "42", "--by", "ann", *wrong) == 2
    assert len(server.asked) == 1


def test_a_task_is_claimed_and_released(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[f"POST {_PATH}/42/claim"] = [(200, {**_TASK, "claimedBy": "ann"})]
    server.answers[f"POST {_PATH}/42/release"] = [(200, _TASK)]
    assert _lowtide("tasks", "claim", "42", "--by", "ann") == 0
    assert _lowtide("tasks", "release", "42", "--by", "ann") == 0
    assert capsys.readouterr().err.splitlines() == ["42: claimed by ann", "42: group finance's again"]
