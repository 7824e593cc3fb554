"""`lowtide validate` and `lowtide draw`, as their users type them."""

from __future__ import annotations

import io
import json
import sys
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
