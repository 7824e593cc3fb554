"""The commands that talk to a server, against a real one that answers as orchestrate does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lowtide.cli import main

_EXECUTION = {"id": "e-1", "workflow": "order", "version": "1.0.0", "phase": "waiting", "createdAt": "2026-01-01"}


class _Server(ThreadingHTTPServer):
    """Answers what ``answers`` says for ``METHOD path``, and keeps what it was asked. A text is a stream of events."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append((f"{self.command} {self.path}", dict(self.headers), json.loads(body or b"null")))
        found = self.server.answers.get(f"{self.command} {self.path.partition('?')[0]}") or [
            (404, {"title": "There is no such thing", "code": "not_found", "detail": f"no {self.path}"})
        ]
        status, answer = found.pop(0) if len(found) > 1 else found[0]
        streamed = isinstance(answer, str)
        content = answer.encode() if streamed else b"" if status == 204 else json.dumps(answer).encode()
        kind = "text/event-stream" if streamed else "application/json" if status < 400 else "application/problem+json"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("LOWTIDE_SERVER", server.url)
        yield server
        server.shutdown()
        thread.join()


def _lowtide(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return code


def test_start_prints_the_execution(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers["POST /v1/namespaces/default/workflows/order/executions"] = [(202, _EXECUTION)]
    assert _lowtide("start", "order", "--input", '{"id": 7}', "--idempotency-key", "k") == 0
    assert json.loads(capsys.readouterr().out) == _EXECUTION
    _, headers, body = server.asked[0]
    assert body == {"id": 7}
    assert {name.lower(): value for name, value in headers.items()}["idempotency-key"] == "k"


@pytest.mark.parametrize(("phase", "code"), [("completed", 0), ("faulted", 3), ("cancelled", 4), ("running", 5)])
def test_a_start_that_waits_tells_the_outcome_by_its_exit_code(server: _Server, phase: str, code: int) -> None:
    server.answers["POST /v1/namespaces/shop/workflows/order/executions"] = [(200, _EXECUTION | {"phase": phase})]
    assert _lowtide("start", "order", "--namespace", "shop", "--wait", "2s") == code
    assert server.asked[0][0].endswith("/executions?wait=2s")


def test_an_unknown_workflow_is_told_with_the_servers_reason(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _lowtide("start", "nothing") == 2
    assert capsys.readouterr().err.startswith("lowtide: There is no such thing: no /v1/namespaces/default/workflows")


def test_no_server_is_told_with_the_mend(capsys: pytest.CaptureFixture[str]) -> None:
    assert _lowtide("executions", "list", "--server", "http://127.0.0.1:1") == 1
    assert "is `lowtide up` running?" in capsys.readouterr().err


def test_list_is_a_table_that_says_how_to_go_on(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers["GET /v1/namespaces/default/executions"] = [(200, {"items": [_EXECUTION], "next": "c2"})]
    assert _lowtide("executions", "list", "--phase", "waiting") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split() == ["e-1", "order", "1.0.0", "waiting", "2026-01-01"]
    assert "--cursor c2" in shown.err


def test_show_goes_on_without_a_timeline_where_analytics_is_down(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = _EXECUTION | {"waitingFor": [{"command": "/do/3/pause@4", "kind": "sleep", "until": "2026-01-02"}]}
    server.answers["GET /v1/namespaces/default/executions/e-1"] = [(200, waiting)]
    assert _lowtide("executions", "show", "e-1") == 0
    shown = capsys.readouterr()
    assert "sleep until 2026-01-02 (/do/3/pause)" in shown.out
    assert "no timeline" in shown.err


def test_watch_follows_until_the_end(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    ended = _EXECUTION | {"phase": "completed", "output": {"a": 1}}
    server.answers["GET /v1/namespaces/default/executions/e-1"] = [(200, _EXECUTION), (200, ended)]
    assert _lowtide("executions", "watch", "e-1") == 0
    assert capsys.readouterr().out.splitlines() == ["waiting", "completed", '{"a":1}']


def test_watch_gives_up_with_its_own_code(server: _Server) -> None:
    server.answers["GET /v1/namespaces/default/executions/e-1"] = [(200, _EXECUTION)]
    assert _lowtide("executions", "watch", "e-1", "--timeout", "0.1s") == 5


def test_cancel_carries_the_reason(server: _Server) -> None:
    server.answers["POST /v1/namespaces/default/executions/e-1/cancel"] = [(202, _EXECUTION)]
    assert _lowtide("executions", "cancel", "e-1", "--reason", "wrong order") == 0
    assert server.asked[0][2] == {"reason": "wrong order"}


def test_suspend_says_whether_it_is_suspended_already(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    running = {**_EXECUTION, "phase": "running"}
    answers = [(202, running), (202, {**running, "phase": "suspended"})]
    server.answers["POST /v1/namespaces/default/executions/e-1/suspend"] = answers
    assert _lowtide("executions", "suspend", "e-1", "--reason", "stocktaking") == 0
    assert server.asked[0][2] == {"reason": "stocktaking"}
    assert "still runs" in capsys.readouterr().err
    assert _lowtide("executions", "suspend", "e-1") == 0
    assert "lowtide executions resume e-1" in capsys.readouterr().err


def test_show_says_why_it_is_suspended(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    suspended = {**_EXECUTION, "phase": "suspended", "reason": "stocktaking"}
    server.answers["GET /v1/namespaces/default/executions/e-1"] = [(200, suspended)]
    assert _lowtide("executions", "show", "e-1") == 0
    assert "reason   stocktaking" in capsys.readouterr().out


def test_resume_says_how_it_goes_on(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers["POST /v1/namespaces/default/executions/e-1/resume"] = [(202, {**_EXECUTION, "phase": "waiting"})]
    assert _lowtide("executions", "resume", "e-1") == 0
    assert "e-1 goes on: waiting" in capsys.readouterr().err


def test_resuming_what_has_ended_says_so(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    problem = {"code": "conflict", "detail": "execution e-1 has completed", "title": "It conflicts", "status": 409}
    server.answers["POST /v1/namespaces/default/executions/e-1/resume"] = [(409, problem)]
    assert _lowtide("executions", "resume", "e-1") != 0
    assert "has completed" in capsys.readouterr().err


def test_an_event_of_flags_is_complete(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers["POST /v1/namespaces/default/events"] = [(202, {})]
    assert _lowtide("events", "send", "--type", "paid", "--data", '{"id": 1}', "--extension", "Tenant=a") == 0
    event = server.asked[0][2]
    assert event["id"] == capsys.readouterr().out.strip()
    assert (event["type"], event["data"], event["tenant"], event["specversion"]) == ("paid", {"id": 1}, "a", "1.0")


def test_an_event_needs_a_file_or_a_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert _lowtide("events", "send") == 2
    assert "--type" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("run",),
        ("validate",),
        ("draw",),
        ("deploy",),
        ("start",),
        ("events", "send"),
        ("up",),
        ("status",),
        ("logs",),
        ("timeline",),
        ("graph",),
        ("compare",),
        ("migrate",),
    ]
    + [("executions", name) for name in ("list", "show", "watch", "cancel")],
    ids=" ".join,
)
def test_every_command_has_help_with_examples(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert _lowtide(*command, "--help") == 0
    assert "Examples:\n    " in capsys.readouterr().out


def test_an_unknown_flag_is_a_mistake_of_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert _lowtide("run", "x.yaml", "--nonsense") == 2
    assert "--nonsense" in capsys.readouterr().err
