"""The commands that talk to a server, against `lowtide up` as its users start it."""

from __future__ import annotations

import base64
import hmac
import io
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from lowtide.cli import main
from tests.peers import Request, peer
from tests.ports import free_port

pytestmark = [pytest.mark.platform, pytest.mark.timeout(180)]

_LOWTIDE = str(Path(sys.executable).with_name("lowtide"))

_GREET = """\
document: {dsl: 1.0.3, namespace: default, name: greet, version: 1.0.0}
do:
  - greet: {set: {greeting: "Hello ${ .name }!"}}
"""

_LISTEN = """\
document: {dsl: 1.0.3, namespace: default, name: listen, version: 1.0.0}
do:
  - await: {listen: {to: {one: {with: {type: go}}}}}
"""

_WATCHED = """\
document: {dsl: 1.0.3, namespace: default, name: watched, version: 1.0.0}
do:
  - tell: {set: {number: "${ .number }"}}
"""

_AUDIT = """\
document: {dsl: 1.0.3, namespace: default, name: audit, version: 1.0.0}
schedule:
  on: {one: {with: {type: io.serverlessworkflow.workflow.completed.v1, source: /lowtide/default/watched}}}
do:
  - note: {set: {heard: "${ .[0].output.number }"}}
"""

_NAP = """\
document: {dsl: 1.0.3, namespace: default, name: nap, version: 1.0.0}
do:
  - nap: {wait: {milliseconds: 100}}
  - tell: {set: {woken: true}}
"""


_FRAGILE = """\
document: {dsl: 1.0.3, namespace: default, name: fragile, version: 1.0.0}
do:
  - wait: {wait: {milliseconds: 1}}
  - ask: {call: http, with: {method: get, endpoint: "${ .url }"}}
  - tell: {set: {status: "${ .ready }"}}
"""


class _Platform:
    """A running `lowtide up`, and the commands typed beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        ports = ["--port", self.url.rpartition(":")[2], "--grpc-port", str(free_port())]
        command = [_LOWTIDE, "up", "--data-dir", str(folder / "data"), *ports, "--idle", "20"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "ready" in line:
                return
        raise AssertionError("lowtide up did not start:\n" + "".join(said))

    def end(self) -> int:
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=60)
        return self._process.returncode

    def typed(self, *arguments: str, code: int = 0) -> str:
        """What a command says on stdout; it ran as the console script runs it, in this process."""
        ended, said, complained = self._run(*arguments)
        assert ended == code, said + complained
        return said

    def refused(self, *arguments: str, code: int = 2) -> str:
        ended, said, complained = self._run(*arguments)
        assert (ended, said) == (code, ""), said + complained
        return complained

    def shell(self, *arguments: str) -> str:
        """What the command says on stdout as a process of its own."""
        command = [_LOWTIDE, *arguments, "--server", self.url]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout

    def show(self, execution: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.typed("executions", "show", execution, "--json"))
        return shown

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def _run(self, *arguments: str) -> tuple[int, str, str]:
        said, complained = io.StringIO(), io.StringIO()
        with redirect_stdout(said), redirect_stderr(complained), pytest.raises(SystemExit) as ended:
            main([*arguments, "--server", self.url])
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.getvalue(), complained.getvalue()


@pytest.fixture(scope="module")
def up() -> Iterator[_Platform]:
    with tempfile.TemporaryDirectory(prefix="lowtide-test-", ignore_cleanup_errors=True) as folder:
        platform = _Platform(Path(folder))
        try:
            yield platform
        finally:
            code = platform.end()
        assert code == 0


def _started(up: _Platform, *arguments: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(up.typed("start", *arguments, code=code))
    return found


def test_what_is_deployed_can_be_started_waited_for_and_shown(up: _Platform) -> None:
    document = up.file("greet.yaml", _GREET)
    assert up.shell("deploy", document) == "default/greet 1.0.0\n"
    assert up.shell("deploy", document) == "default/greet 1.0.0\n", "the same again changes nothing"
    told = up.shell("start", "greet", "--input", '{"name": "Ada"}', "--wait", "30s", "--idempotency-key", "ada")
    execution = json.loads(told)
    assert (execution["phase"], execution["output"]) == ("completed", {"greeting": "Hello Ada!"})
    again = _started(up, "greet", "--input", '{"name": "Ada"}', "--idempotency-key", "ada")
    assert again["id"] == execution["id"]
    assert execution["id"] in up.typed("executions", "list", "--workflow", "greet", "--phase", "completed")
    assert up.show(execution["id"]) == execution
    assert up.shell("executions", "watch", execution["id"]).startswith("completed\n")


def test_an_execution_is_woken_by_an_event_and_another_is_cancelled(up: _Platform) -> None:
    up.typed("deploy", up.file("listen.yaml", _LISTEN))
    cancelled = _started(up, "listen")["id"]
    assert _started_and_waited(up)["phase"] in ("running", "waiting")
    up.typed("executions", "cancel", cancelled, "--reason", "a test")
    assert up.typed("executions", "watch", cancelled, "--timeout", "30s", code=4).endswith("cancelled\n")
    woken = _started(up, "listen")["id"]
    up.typed("events", "send", "--type", "go", "--data", '{"answer": 42}')
    assert up.typed("executions", "watch", woken, "--timeout", "30s").endswith('completed\n[{"answer":42}]\n')


def test_what_faulted_is_retried_restarted_and_forked(up: _Platform) -> None:
    up.typed("deploy", up.file("fragile.yaml", _FRAGILE))
    nowhere = json.dumps({"url": f"http://127.0.0.1:{free_port()}/"})
    failed = _started(up, "fragile", "--input", nowhere)["id"]
    up.typed("executions", "watch", failed, "--timeout", "60s", code=3)
    retried = up.typed("executions", "retry", failed).strip()
    up.typed("executions", "watch", retried, "--timeout", "60s", code=3)
    restarted = up.typed("executions", "restart", failed, "--version", "latest").strip()
    up.typed("executions", "watch", restarted, "--timeout", "60s", code=3)
    there = json.dumps({"url": f"{up.url}/status"})
    forked = up.typed("executions", "fork", failed, "--task", "ask", "--task-input", there).strip()
    assert '{"status":true}' in up.typed("executions", "watch", forked, "--timeout", "60s")
    assert up.show(forked)["origin"]["execution"] == failed
    replayed = up.typed("replay", forked)
    assert f"what stands before happened to {failed}" in replayed
    assert "never entered" in up.refused("executions", "fork", failed, "--task", "tell")


def test_an_execution_that_waits_is_suspended_and_hears_what_came_meanwhile_when_it_is_resumed(up: _Platform) -> None:
    up.typed("deploy", up.file("listen.yaml", _LISTEN))
    execution = _started_and_waited(up)["id"]
    up.typed("executions", "suspend", execution, "--reason", "a test")
    _until(lambda: up.show(execution)["phase"] == "suspended")
    up.typed("events", "send", "--type", "go", "--data", "1")
    shown = up.show(execution)
    assert (shown["phase"], shown["reason"]) == ("suspended", "a test")
    up.typed("executions", "resume", execution)
    assert up.typed("executions", "watch", execution, "--timeout", "60s").endswith("completed\n[1]\n")


def test_a_workflow_is_started_once_by_each_end_of_another(up: _Platform) -> None:
    for name, text in (("watched", _WATCHED), ("audit", _AUDIT)):
        up.typed("deploy", up.file(f"{name}.yaml", text))
    for number in (1, 2):
        _started(up, "watched", "--input", json.dumps({"number": number}), "--wait", "60s")
    _until(lambda: len(_of(up, "audit", "completed")) == 2)
    heard = [up.show(one)["output"]["heard"] for one in _of(up, "audit")]
    assert sorted(heard) == [1, 2]


def _until(condition: Callable[[], bool], within: float = 60) -> None:
    ends = time.monotonic() + within
    while not condition():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.2)


def _of(up: _Platform, workflow: str, *phase: str) -> list[str]:
    chosen = ["--phase", *phase] if phase else []
    page = json.loads(up.typed("executions", "list", "--workflow", workflow, *chosen, "--json"))
    return [item["id"] for item in page["items"]]


def _started_and_waited(up: _Platform) -> dict[str, Any]:
    """One that does not end in time: exit code 5, and the execution as it is then."""
    return _started(up, "listen", "--wait", "1s", code=5)


def test_mistakes_are_told_in_a_sentence(up: _Platform) -> None:
    up.typed("deploy", up.file("greet.yaml", _GREET))
    changed = up.file("changed.yaml", _GREET.replace("Hello", "Goodbye"))
    assert "raise document.version" in up.refused("deploy", changed)
    assert ":3:" in up.refused("deploy", up.file("broken.yaml", _GREET.replace("set:", "ste:")))
    assert "default/nothing" in up.refused("start", "nothing")
    assert "ids are UUIDs" in up.refused("executions", "show", "7")
    assert "cursor" in up.refused("executions", "list", "--cursor", "nonsense")


def test_status_counts_the_processes(up: _Platform) -> None:
    told = json.loads(up.typed("status", "--json"))
    assert set(told["services"]) == {"execute", "ingest", "orchestrate", "analytics"}
    assert "AT ZERO SINCE" in up.typed("status")


def test_an_execution_is_replayed_from_its_journal(up: _Platform) -> None:
    up.typed("deploy", up.file("nap.yaml", _NAP))
    execution = _started(up, "nap", "--wait", "60s")
    told = up.typed("replay", execution["id"])
    assert "/do/0/nap: its time has come" in told
    assert told.endswith('outcome    {"status":"completed","output":{"woken":true}}\n')


def test_what_has_ended_is_deleted_with_its_journal_and_its_data(up: _Platform) -> None:
    up.typed("deploy", up.file("greet.yaml", _GREET))
    up.typed("deploy", up.file("nap.yaml", _NAP))
    large = up.file("large.json", json.dumps({"name": "A" * 600_000}))
    given = ("greet", "--input-file", large, "--wait", "60s", "--idempotency-key", "deleted")
    naps, execution = [_started(up, "nap", "--wait", "60s")["id"] for _ in range(2)], _started(up, *given)["id"]
    assert _kept(up, "payloads", execution) > 0
    assert _kept(up, "journal", naps[0]) > 0
    assert "there is no execution" in up.refused("executions", "delete", execution, str(UUID(int=0)))
    assert "there is no execution" in up.refused("executions", "show", execution)
    operation = up.typed("executions", "bulk", "delete", "--workflow", "nap", "--older-than", "PT0S").strip()
    assert "0 failed" in up.typed("operations", "watch", operation)
    assert _of(up, "nap") == []
    _until(lambda: not any(_kept(up, what, one) for what in ("payloads", "journal") for one in (execution, *naps)))
    assert _started(up, *given)["id"] != execution


def _kept(up: _Platform, what: str, execution: str) -> int:
    """How many rows of an execution the journal's store has."""
    with psycopg.connect(host=str(up.folder / "data" / "postgres"), dbname="lowtide_journal", user="postgres") as store:
        found = store.execute(f"SELECT count(*) FROM {what} WHERE execution = %s".encode(), [execution]).fetchone()
    assert found is not None
    return int(found[0])


_REFUND = """\
document: {dsl: 1.0.3, namespace: default, name: refund, version: 1.0.0}
do:
  - create:
      call: create-callback:1.0.0@default
      export: {as: '${ $context + {callback: .} }'}
  - check:
      call: http
      with: {method: post, endpoint: '${ $context.bank }', body: {notify: '${ $context.callback.url }'}}
  - checked: {call: 'await-callback:1.0.0@default', with: {callback: '${ $context.callback }'}}
  - approve:
      call: human-task:1.0.0@default
      with:
        title: Refund ${ .amount }
        form: {type: object, required: [ok], properties: {ok: {type: boolean}}}
        assignee: {group: finance}
        deadline: P2D
"""


def test_another_system_and_a_person_answer_an_execution(up: _Platform) -> None:
    """A bank is given a URL by a call and posts to it later; then a person fills in a form."""
    up.typed("deploy", up.file("refund.yaml", _REFUND))
    with peer(lambda _: (202, {})) as bank:
        execution = _started(up, "refund", "--input", json.dumps({"bank": bank.url}))["id"]
        _until(lambda: bool(bank.requests))
        notify = bank.requests[0].json["notify"]
        assert notify.startswith(f"{up.url}/v1/callbacks/")
        _until_waiting(up, execution, "callback")
        assert httpx.get(notify).status_code == 405
        assert httpx.post(notify, json={"amount": 250}).status_code == 202
        assert httpx.post(notify, json={"amount": 0}).status_code == 409
    _until_waiting(up, execution, "task")
    (task,) = json.loads(up.typed("tasks", "list", "--status", "open", "--execution", execution, "--json"))["items"]
    said = up.typed("executions", "explain", execution)
    assert f"lowtide tasks complete {task['id']} -n default --by NAME --data JSON" in said
    assert "Refund 250" in up.typed("tasks", "show", task["id"])
    up.typed("tasks", "claim", task["id"], "--by", "ann")
    assert "/ok: 'yes' is not of type 'boolean'" in up.refused(
        "tasks", "complete", task["id"], "--by", "ann", "--data", '{"ok": "yes"}'
    )
    up.typed("tasks", "complete", task["id"], "--by", "ann", "--data", '{"ok": true}')
    assert "completed\n" in up.typed("executions", "watch", execution, "--timeout", "60s")
    output = up.show(execution)["output"]
    assert (output["status"], output["data"], output["by"]) == ("completed", {"ok": True}, "ann")
    assert httpx.post(notify, json={"amount": 0}).status_code == 409


def _until_waiting(up: _Platform, execution: str, kind: str) -> None:
    ends = time.monotonic() + 60
    while True:
        shown = up.show(execution)
        if shown["phase"] == "waiting" and shown["waitingFor"][0]["kind"] == kind:
            return
        assert time.monotonic() < ends, shown
        time.sleep(0.2)


_CHECK = """\
document: {dsl: 1.0.3, namespace: default, name: check, version: 1.0.0}
do:
  - fail: {if: "${ .fail }", raise: {error: {type: https://example.com/bad, status: 500, title: Bad}}}
"""

_REACT = """\
document: {dsl: 1.0.3, namespace: default, name: react, version: 1.0.0}
schedule: {on: {one: {with: {type: dev.lowtide.alert.fired.v1, subject: checks-fail}}}}
do:
  - note: {set: {heard: "${ .[0].rule }"}}
"""

_RULE = """\
name: checks-fail
measure: ended
value: successRate
workflow: check
every: PT1S
condition: {{kind: threshold, below: 0.6}}
webhooks: [{{url: "{url}", secret: whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD}}]
"""


def test_an_alert_reaches_a_workflow_and_a_webhook_and_so_does_its_end(up: _Platform) -> None:
    for name, text in (("check", _CHECK), ("react", _REACT)):
        up.typed("deploy", up.file(f"{name}.yaml", text))
    with peer(lambda _: (204, b"")) as pager:
        up.typed("alerts", "apply", up.file("rules.yaml", _RULE.format(url=pager.url)))
        _started(up, "check", "--input", '{"fail": true}', "--wait", "60s", code=3)
        _until(lambda: _ticked(up) and bool(pager.requests))
        assert "checks-fail" in up.typed("alerts", "list", "--state", "firing")
        _until(lambda: len(_of(up, "react", "completed")) == 1)
        for _ in range(2):
            _started(up, "check", "--input", '{"fail": false}', "--wait", "60s")
        _until(lambda: _ticked(up) and len(pager.requests) > 1)
        fired, resolved = pager.requests
        assert [told.json["data"]["state"] for told in (fired, resolved)] == ["firing", "resolved"]
        for told in (fired, resolved):
            assert told.headers["webhook-signature"] == _signed(told)
    assert up.show(_of(up, "react")[0])["output"] == {"heard": "checks-fail"}
    up.typed("alerts", "delete", "checks-fail")


def _ticked(up: _Platform) -> bool:
    """A tick, which else comes each minute."""
    headers = {"ce-specversion": "1.0", "ce-type": "dev.lowtide.tick.v1", "ce-source": "/test", "ce-id": "tick"}
    return httpx.post(f"{up.url}/broker", headers=headers).status_code == 202


def _signed(told: Request) -> str:
    """As the specification of Standard Webhooks says."""
    key = base64.b64decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    signed = f"{told.headers['webhook-id']}.{told.headers['webhook-timestamp']}.".encode() + told.body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
