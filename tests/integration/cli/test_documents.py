"""`lowtide validate` and `lowtide draw`, as their users type them."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lowtide.cli import main

_ORDER = str(Path(__file__).parents[3] / "examples" / "order-fulfilment" / "order.yaml")

_BROKEN = """\
document: {dsl: 1.0.3, namespace: default, name: broken, version: 1.0.0}
do:
  - first: {set: {a: 1}, then: nowhere}
  - second: {wait: {secnds: 1}}
"""


def _lowtide(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(_BROKEN)
    assert _lowtide("validate", _ORDER, str(file)) == 2
    lines = [line.removeprefix(f"{file}:") for line in capsys.readouterr().out.splitlines()]
    assert {line.split(":")[0] for line in lines} == {"3", "4"}
    assert all("; " in line for line in lines), "each says how to mend it"


def test_warnings_alone_leave_a_document_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "doubtful.yaml"
    file.write_text(_BROKEN.split("do:")[0] + "do:\n  - first: {set: {a: .forgotten}}\n")
    assert _lowtide("validate", str(file)) == 0
    assert "(warning)" in capsys.readouterr().out


def test_a_document_comes_from_stdin_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(_BROKEN))
    assert _lowtide("validate", "-") == 2
    assert capsys.readouterr().out.startswith("stdin:")


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert _lowtide("validate", "nowhere.yaml") == 2
    assert "nowhere.yaml: there is no such file" in capsys.readouterr().err


def test_a_workflow_is_drawn_as_a_tree_as_mermaid_and_as_a_graph(capsys: pytest.CaptureFixture[str]) -> None:
    assert _lowtide("draw", _ORDER) == 0
    assert "awaitPayment" in capsys.readouterr().out
    assert _lowtide("draw", _ORDER, "--format", "mermaid") == 0
    assert capsys.readouterr().out.startswith("flowchart TD\n")
    assert _lowtide("draw", _ORDER, "--format", "json") == 0
    assert {"nodes", "edges"} <= json.loads(capsys.readouterr().out).keys()


def test_a_broken_document_is_not_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(_BROKEN)
    assert _lowtide("draw", str(file)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "broken.yaml:3:" in shown.err


# ---------------------------------------------------------------- what stands elsewhere

_REFERS = """\
document: {dsl: 1.0.3, namespace: default, name: refers, version: 1.0.0}
input: {schema: {resource: {endpoint: 'SITE/order.json'}}}
do:
  - greet: {call: 'greet:1.0.0@default', with: {name: Ada}}
  - shout: {call: 'SITE/functions/shout.yaml', with: {text: '${ . }'}}
"""


def _folder(folder: Path) -> str:
    texts = {
        "order.json": "{}",
        "functions/shout.yaml": "set: ${ .text | ascii_upcase }",
        "functions/greet/1.0.0/function.yaml": 'set: ${ "Hello, " + .name }',
    }
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return str(folder)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The folder ``site`` over HTTP."""
    folder = _folder(tmp_path / "site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def _referring(folder: Path, site: str) -> str:
    file = folder / "refers.yaml"
    file.write_text(_REFERS.replace("SITE", site))
    return str(file)


def test_a_workflow_runs_with_what_it_refers_to(tmp_path: Path, site: str, capfd: pytest.CaptureFixture[str]) -> None:
    file = _referring(tmp_path, site)
    assert _lowtide("run", file, "--catalog", str(tmp_path / "site")) == 0
    assert capfd.readouterr().out == '"HELLO, ADA"\n'
    assert _lowtide("run", file, "--catalog", site) == 0
    assert capfd.readouterr().out == '"HELLO, ADA"\n'


def test_a_workflow_does_not_begin_when_something_is_missing(
    tmp_path: Path, site: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site" / "functions" / "shout.yaml").unlink()
    assert _lowtide("run", _referring(tmp_path, site)) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "refers.yaml:4:19: the function greet:1.0.0@default is of the default catalog" in shown.err
    assert "refers.yaml:5:19: the function" in shown.err
    assert "404" in shown.err


def test_relative_files_stand_beside_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir("/")
    _folder(tmp_path / "site")
    assert _lowtide("run", _referring(tmp_path, "file:site"), "--catalog", str(tmp_path / "site")) == 0
    assert capfd.readouterr().out == '"HELLO, ADA"\n'


def test_validate_looks_at_them_when_it_is_asked_to(
    tmp_path: Path, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site" / "order.json").write_text("type: 7")
    file = _referring(tmp_path, site)
    assert _lowtide("validate", file) == 0
    assert "--fetch" in capsys.readouterr().err
    assert _lowtide("validate", "--fetch", file, "--catalog", site) == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{file}:2:39: the schema {site}/order.json is wrong")
    assert "not a JSON Schema" in line


def test_children_given_by_also_have_theirs_too(tmp_path: Path, site: str, capfd: pytest.CaptureFixture[str]) -> None:
    child = _referring(tmp_path, site)
    main_file = tmp_path / "main.yaml"
    run = "run: {workflow: {namespace: default, name: refers, version: 1.0.0, input: {}}}"
    main_file.write_text(_BROKEN.split("do:")[0] + f"do:\n  - child: {{{run}}}\n")
    assert _lowtide("run", str(main_file), "--also", child, "--catalog", site) == 0
    assert capfd.readouterr().out == '"HELLO, ADA"\n'
