"""The commands that operators use: repeat, explain, do to many, look after dead letters; on a server that answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lowtide.runtime.clock import SystemClock
from tests.unit.cli.test_server_commands import _EXECUTION, _lowtide, _Server, server

__all__ = ["server"]

_NEW = {**_EXECUTION, "id": "e-2", "origin": {"execution": "e-1", "kind": "retry", "task": "/do/1/charge@1.2"}}
_OPERATION = {
    "id": "o-1",
    "action": "retry",
    "phase": "running",
    "matched": 3,
    "done": 1,
    "skipped": 0,
    "failed": 1,
    "problems": [{"id": "e-1", "code": "conflict", "detail": "it was retried"}],
    "createdAt": "2026-01-01",
}
_LETTER = {
    "id": "17",
    "type": "dev.lowtide.execution.dispatch.v1",
    "execution": "e-1",
    "code": "400",
    "verdict": "suspended",
    "open": True,
    "at": "2026-01-01",
}


def test_a_retry_prints_the_new_execution_and_says_where_it_goes_on(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers["POST /v1/namespaces/default/executions/e-1/retry"] = [(202, _NEW)]
    assert _lowtide("executions", "retry", "e-1", "--version", "latest") == 0
    shown = capsys.readouterr()
    assert shown.out == "e-2\n"
    assert "from /do/1/charge@1.2; lowtide executions watch e-2" in shown.err
    assert server.asked[0][2] == {"version": "latest"}


def test_a_fork_sends_what_is_changed_and_nothing_else(server: _Server) -> None:
    server.answers["POST /v1/namespaces/default/executions/e-1/fork"] = [(202, _NEW)]
    assert _lowtide("executions", "fork", "e-1", "--task", "charge", "--context", "null") == 0
    assert server.asked[0][2] == {"task": "charge", "context": None}
    assert _lowtide("executions", "fork", "e-1", "--task", "charge", "--task-input", "{") == 2


def test_a_restart_may_have_a_key(server: _Server) -> None:
    server.answers["POST /v1/namespaces/default/executions/e-1/restart"] = [(202, {**_NEW, "origin": None})]
    assert _lowtide("executions", "restart", "e-1", "--idempotency-key", "k") == 0
    _, headers, body = server.asked[0]
    assert ({name.lower(): value for name, value in headers.items()}["idempotency-key"], body) == ("k", {})


def test_explain_says_it_in_sentences(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    said = {"execution": "e-1", "phase": "waiting", "since": "2026-01-01", "sentences": ["It waits.", "/do/0 waits."]}
    server.answers["GET /v1/namespaces/default/executions/e-1/explanation"] = [(200, said)]
    assert _lowtide("executions", "explain", "e-1") == 0
    assert capsys.readouterr().out.splitlines() == ["waiting since 2026-01-01  e-1", "  It waits.", "  /do/0 waits."]
    assert _lowtide("executions", "explain", "e-1", "--json") == 0
    assert json.loads(capsys.readouterr().out) == said


def test_bulk_sends_the_filter_that_the_options_mean(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    path = "POST /v1/namespaces/default/operations"
    server.answers[path] = [(200, {"action": "retry", "matched": 3}), (202, _OPERATION)]
    given = ("executions", "bulk", "retry", "--workflow", "order", "--error-type", "timeout", "--phase", "faulted")
    assert _lowtide(*given, "--dry-run") == 0
    assert "3 would be meant; nothing was done" in capsys.readouterr().err
    assert server.asked[0][2] == {
        "action": "retry",
        "filter": {"workflow": "order", "errorType": "timeout", "phase": ["faulted"]},
        "rate": 10.0,
        "dryRun": True,
    }
    assert _lowtide(*given, "--rate", "5") == 0
    assert capsys.readouterr().out == "o-1\n"


def test_bulk_delete_means_what_ended_so_long_ago(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers["POST /v1/namespaces/default/operations"] = [(202, {**_OPERATION, "action": "delete"})]
    given = ("executions", "bulk", "delete", "--older-than", "P30D")
    assert _lowtide(*given) == 0
    before = datetime.fromisoformat(server.asked[0][2]["filter"]["endedBefore"])
    assert timedelta(days=29) < datetime.fromtimestamp(SystemClock().now() / 1000, UTC) - before < timedelta(days=31)
    for wrong, told in (
        (("--older-than", "a month"), "--older-than: 'a month' is not a duration"),
        (("--older-than", "P1D", "--ended-before", "2026-01-01T00:00:00Z"), "write one of them"),
    ):
        assert _lowtide("executions", "bulk", "delete", *wrong) == 2
        assert told in capsys.readouterr().err


def test_each_that_can_be_deleted_is_and_each_that_cannot_is_told(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "DELETE /v1/namespaces/default/executions"
    detail = "execution e-2 has not ended: it is waiting; cancel it first"
    server.answers[f"{path}/e-1"] = [(204, None)]
    server.answers[f"{path}/e-2"] = [(409, {"title": "Conflict", "code": "conflict", "detail": detail})]
    server.answers[f"{path}/e-3"] = [
        (404, {"title": "Not Found", "code": "not_found", "detail": "there is no execution e-3"})
    ]
    server.answers[f"{path}/e-4"] = [(204, None)]
    assert _lowtide("executions", "delete", "e-1", "e-2", "e-3", "e-4") == 2
    assert capsys.readouterr().err.splitlines() == [
        "e-1 is deleted",
        f"e-2 is not deleted: Conflict: {detail}",
        "e-3 is not deleted: Not Found: there is no execution e-3",
        "e-4 is deleted",
    ]
    assert _lowtide("executions", "delete") == 2


def test_an_operation_is_followed_to_its_end(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    ended = {**_OPERATION, "phase": "completed", "done": 2}
    path = "/v1/namespaces/default/operations/o-1"
    server.answers[f"GET {path}"] = [(200, _OPERATION), (200, ended)]
    assert _lowtide("operations", "watch", "o-1") == 3, "one has failed"
    assert capsys.readouterr().out.splitlines()[-1] == "retry completed: 2 done, 0 skipped, 1 failed of 3"
    assert _lowtide("operations", "show", "o-1") == 0
    assert "e-1  it was retried" in capsys.readouterr().out
    server.answers[f"POST {path}/stop"] = [(200, {**_OPERATION, "phase": "stopped"})]
    assert _lowtide("operations", "stop", "o-1") == 0
    server.answers["GET /v1/namespaces/default/operations"] = [(200, {"items": [_OPERATION], "next": None})]
    assert _lowtide("operations", "list") == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["o-1", "retry", "running", "3"]


def test_dead_letters_are_listed_shown_and_dealt_with(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    path = "/v1/namespaces/default/deadletters"
    server.answers[f"GET {path}"] = [(200, {"items": [_LETTER], "next": "c"})]
    assert _lowtide("deadletters", "list", "--open") == 0
    assert "open=true" in server.asked[0][0]
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "17"
    server.answers[f"GET {path}/17"] = [(200, {**_LETTER, "event": {"type": "t"}})]
    assert _lowtide("deadletters", "show", "17") == 0
    assert "suspended  open" in capsys.readouterr().out
    server.answers[f"POST {path}/17/redrive"] = [(200, {**_LETTER, "verdict": "again"})]
    assert _lowtide("deadletters", "redrive", "17") == 0
    assert capsys.readouterr().err == "17: again\n"


def test_many_dead_letters_are_named_by_options_or_not_at_all(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers["POST /v1/namespaces/default/operations"] = [(202, {**_OPERATION, "action": "discard"})]
    assert _lowtide("deadletters", "discard", "--verdict", "suspended", "--rate", "2") == 0
    assert server.asked[0][2]["filter"] == {"verdict": "suspended"}
    for wrong in ([], ["17", "--open"]):
        assert _lowtide("deadletters", "redrive", *wrong) == 2
    assert "name one dead letter, or else many" in capsys.readouterr().err


_COMMANDS = (
    *("executions retry", "executions restart", "executions fork", "executions bulk", "executions explain"),
    "executions delete",
    *("operations watch", "deadletters redrive", "deadletters list"),
)


@pytest.mark.parametrize("command", _COMMANDS)
def test_each_command_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _lowtide(*command.split(), "--help") == 0
    assert f"lowtide {command}" in capsys.readouterr().out.partition("Examples:")[2]
