"""`lowtide run`, as its users type it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowtide.cli import main

_HEADER = "document: {dsl: 1.0.3, namespace: default, name: NAME, version: 1.0.0}\n"

_GREET = """
do:
  - greet: {set: {greeting: "Hello ${ .name }!"}}
"""

_FAIL = """
do:
  - fail:
      raise:
        error: {type: https://example.com/errors/broken, status: 507, title: Broken, detail: on purpose}
"""

_THIRTY_DAYS = """
do:
  - sleep: {wait: {days: 30}}
  - wake: {set: {awake: true}}
"""

_LISTEN = """
do:
  - await:
      listen:
        to:
          one:
            with: {type: shop.paid}
            correlate: {order: {from: .data.order, expect: "${ $workflow.input.id }"}}
"""

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a document with a header into the folder that is the working directory; returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def _write(body: str, name: str = "main") -> str:
        (tmp_path / f"{name}.yaml").write_text(_HEADER.replace("NAME", name) + body)
        return f"{name}.yaml"

    return _write


def _lowtide(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def _event(order: int) -> dict[str, Any]:
    data = {"order": order}
    return {"specversion": "1.0", "id": f"e{order}", "source": "/bank", "type": "shop.paid", "data": data}


def test_stdout_holds_the_output_and_nothing_else(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    assert _lowtide("run", write(_GREET), "--input", '{"name": "Ada"}') == 0
    assert capfd.readouterr() == ('{"greeting":"Hello Ada!"}\n', "")


def test_input_comes_from_stdin_or_a_file(
    write: Write, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(_GREET)
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"name": "Grace"}'))
    assert _lowtide("run", file, "-") == 0
    Path("input.json").write_text('{"name": "Alan"}')
    assert _lowtide("run", file, "--input-file", "input.json") == 0
    assert capfd.readouterr().out == '{"greeting":"Hello Grace!"}\n{"greeting":"Hello Alan!"}\n'


def test_json_is_one_object_with_tasks_in_the_order_they_began(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    file = write("\ndo:\n  - first: {set: {a: 1}}\n  - nested:\n      do:\n        - inner: {set: {b: 2}}\n")
    assert _lowtide("run", file, "--json") == 0
    shown = json.loads(capfd.readouterr().out)
    assert (shown["status"], shown["output"], shown["error"]) == ("completed", {"b": 2}, None)
    assert [task["reference"] for task in shown["tasks"]] == ["/do/0/first", "/do/1/nested", "/do/1/nested/do/0/inner"]
    assert set(shown["tasks"][0]) == {"name", "reference", "status", "attempt", "startedAt", "endedAt"}
    assert {task["status"] for task in shown["tasks"]} == {"completed"}


def test_a_fault_is_told_with_its_place_and_has_its_code(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    file = write(_FAIL)
    assert _lowtide("run", file) == 3
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "faulted at /do/0/fail: Broken (507): on purpose" in shown.err
    assert _lowtide("run", file, "--json") == 3
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["type"] == "https://example.com/errors/broken"
    assert set(error) == {"type", "status", "title", "detail", "instance"}


def test_a_broken_document_is_refused_line_by_line(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    file = write("\ndo:\n  - a: {set: {x: 1}, then: nowhere}\n  - b: {wiat: {seconds: 1}}\n")
    assert _lowtide("run", file) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert {line.split(":")[1] for line in shown.err.splitlines()} >= {"4", "5"}


def test_input_that_the_schema_refuses_is_invalid_input(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    file = write("\ninput: {schema: {document: {type: object, required: [name]}}}" + _GREET)
    assert _lowtide("run", file, "--input", "{}", "--json") == 2
    shown = json.loads(capfd.readouterr().out)
    assert (shown["status"], shown["tasks"]) == ("faulted", [])
    assert shown["error"]["type"].endswith("/validation")


def test_thirty_days_pass_in_a_moment_of_virtual_time(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    assert _lowtide("run", write(_THIRTY_DAYS), "--virtual-time") == 0
    assert time.monotonic() - began < 5
    assert json.loads(capfd.readouterr().out) == {"awake": True}


def test_only_the_event_that_correlates_is_taken(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    file = write(_LISTEN)
    Path("events.json").write_text(json.dumps([_event(6), _event(7)]))
    assert _lowtide("run", file, "--input", '{"id": 7}', "--event", "events.json") == 0
    assert json.loads(capfd.readouterr().out) == [{"order": 7}]


def test_a_wait_that_no_event_can_end_times_out_and_says_what_is_missing(
    write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write(_LISTEN)
    Path("event.json").write_text(json.dumps(_event(6)))
    assert _lowtide("run", file, "--input", '{"id": 7}', "--event", "event.json") == 5
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "/do/0/await awaits an event shop.paid; give it with --event FILE" in shown.err


def test_a_child_is_found_in_the_same_folder_by_its_name(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    write(_GREET, "child")
    Path("unrelated.yaml").write_text("a: [broken")
    run = "{namespace: default, name: child, version: 1.0.0, input: {name: Ada}}"
    assert _lowtide("run", write(f"\ndo:\n  - call: {{run: {{workflow: {run}}}}}\n")) == 0
    assert json.loads(capfd.readouterr().out) == {"greeting": "Hello Ada!"}


def test_step_functions_are_found_beside_the_document(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    Path("sums.py").write_text(
        "import lowtide\n\n@lowtide.step('add')\ndef add(left: int, right: int) -> int:\n    return left + right\n"
    )
    file = write("\ndo:\n  - add: {call: add, with: {left: 2, right: 3}}\n")
    assert _lowtide("run", file, "--steps", "sums") == 0
    assert capfd.readouterr().out == "5\n"


def test_secrets_are_seen_by_the_workflows_that_name_them(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    file = write('\nuse: {secrets: [pin]}\ndo:\n  - check: {set: {right: "${ $secrets.pin == 42 }"}}\n')
    assert _lowtide("run", file, "--secret", "pin=42") == 0
    assert json.loads(capfd.readouterr().out) == {"right": True}


def test_what_is_printed_shows_no_secret(write: Write, capfd: pytest.CaptureFixture[str]) -> None:
    given = ("--secret", 'shop={"key": "s3cret-t0ken"}')
    shows = write("\nuse: {secrets: [shop]}\ndo:\n  - take: {set: {bearer: '${ \"Bearer \" + $secrets.shop.key }'}}\n")
    assert _lowtide("run", shows, *given) == 0
    assert capfd.readouterr().out == '{"bearer":"Bearer ***"}\n'
    fails = write("\nuse: {secrets: [shop]}\ndo:\n  - take: {set: {n: '${ $secrets.shop.key | tonumber }'}}\n")
    for options in ([], ["--json"]):
        assert _lowtide("run", fails, *given, *options) == 3
        streams = capfd.readouterr()
        assert "***" in streams.out + streams.err
        assert "s3cret" not in streams.out + streams.err


def test_on_a_terminal_a_timeline_is_drawn_and_the_output_is_indented(write: Write) -> None:
    here, there = pty.openpty()
    command = [str(Path(sys.executable).with_name("lowtide")), "run", write(_GREET), "--input", '{"name": "Ada"}']
    ended = subprocess.run(command, stdin=there, stdout=there, stderr=there, timeout=30, check=False)
    os.close(there)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal whose other side is closed
        while chunk := os.read(here, 65536):
            shown += chunk
    os.close(here)
    assert ended.returncode == 0
    assert "✓ greet" in shown.decode()
    assert b'{\r\n  "greeting": "Hello Ada!"\r\n}' in shown


def test_a_signal_cancels_gracefully(write: Write) -> None:
    command = [str(Path(sys.executable).with_name("lowtide")), "run", write(_THIRTY_DAYS), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while not _catches(Path(f"/proc/{process.pid}/status").read_bytes()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 4, err
    shown = json.loads(out)
    assert (shown["status"], [task["status"] for task in shown["tasks"]]) == ("cancelled", ["cancelled"])


def _catches(status: bytes) -> bool:
    """Whether the process handles SIGTERM by now."""
    mask = next(line for line in status.splitlines() if line.startswith(b"SigCgt")).split()[1]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)
