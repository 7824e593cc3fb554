"""``lowtide replay`` of a saved journal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lowtide.cli import main
from lowtide.wire import json as codec
from tests.plays import play
from tests.unit.runtime.test_replay import recording_of

BODY = "do:\n- ask: {call: price, with: {item: 1}}\n- nap: {wait: {hours: 1}}\n- tell: {set: {told: true}}"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "journal.json"
    path.write_bytes(codec.encode(recording_of(play(BODY), phase="completed", output={"told": True}, error=None)))
    return path


def typed(*arguments: str, code: int = 0) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert (ended.value.code or 0) == code


def test_piped_all_steps_are_printed(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed("replay", "--file", str(saved))
    told = capsys.readouterr().out
    assert [line.partition(" ")[0] for line in told.splitlines() if line.startswith("#")] == ["#0", "#1", "#2"]
    assert "/do/0/ask succeeded" in told
    assert "/do/1/nap: its time has come" in told
    assert 'outcome    {"status":"completed","output":{"told":true}}' in told


def test_secrets_are_known_to_a_replay_and_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = "use: {secrets: [token]}\ndo:\n- ask: {call: price, with: {key: '${ $secrets.token }'}}\n"
    body += "- tell: {set: {told: '${ \"with \" + $secrets.token + .said }'}}"
    played = play(body, answer=lambda command: {"said": f", so {command.arguments['with']['key']}"})
    path = tmp_path / "journal.json"
    masked = {"told": "with ***, so ***"}
    path.write_bytes(codec.encode(recording_of(played, phase="completed", output=masked, error=None)))
    for options in ([], ["--json"], ["--at", "1"], ["--at", "0"]):
        typed("replay", "--file", str(path), "--secret", "token=s3cret", *options)
        streams = capsys.readouterr()
        assert "***" in streams.out
        assert "s3cret" not in streams.out + streams.err
    path.write_text(path.read_text().replace("with ***", "without ***"))
    typed("replay", "--file", str(path), code=1)
    assert "give them: --secret token=JSON" in capsys.readouterr().err


def test_one_state_is_printed_whole(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed("replay", "--file", str(saved), "--at", "1")
    assert json.loads(capsys.readouterr().out)["root"]["index"] == 1
    typed("replay", "--file", str(saved), "--at", "7", code=2)
    assert "records 1 to 2" in capsys.readouterr().err


def test_another_end_than_the_recorded_one_fails(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved.write_text(saved.read_text().replace('"told":true},"error"', '"told":false},"error"'))
    typed("replay", "--file", str(saved), "--json", code=1)
    streams = capsys.readouterr()
    assert len(json.loads(streams.out)) == 3
    assert "another end" in streams.err


def test_on_a_terminal_one_walks_forward_and_back(
    saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: Iterator[str] = iter(["", "p", "2", "9", "x", "q"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(keys))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    typed("replay", "--file", str(saved))
    streams = capsys.readouterr()
    shown = [line.partition(" ")[0] for line in streams.out.splitlines() if line.startswith("#")]
    assert shown == ["#0", "#1", "#0", "#2"]
    assert "there are steps 0 to 2" in streams.err


def test_what_is_no_journal_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"plan": 1}')
    typed("replay", "--file", str(broken), code=2)
    assert "this is not a Recording" in capsys.readouterr().err
    typed("replay", code=2)
    assert "name an execution" in capsys.readouterr().err
