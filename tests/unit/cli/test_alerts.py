"""``lowtide alerts``, on a server that answers."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from analytics_api.alerts.rules import Rule
from lowtide.cli.alert_rules import rules_of
from lowtide.errors import InvalidInput
from tests.unit.cli.test_server_commands import _lowtide, _Server, server

__all__ = ["server"]

_ROOT = Path(__file__).parents[3]
_EXAMPLES = _ROOT / "examples" / "alerts" / "rules.yaml"
_PAGE = _ROOT / "docs" / "alerts.md"
_SIGNED = {"webhooks": [{"url": "https://pager.example.com", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}]}
_PATH = "/analytics/v1/namespaces/default/alerts"
_ALERT = {
    **{"id": "a-1", "rule": "faults", "group": {"workflow": "order"}, "state": "firing", "since": "2026-01-01"},
    **{"why": "7 is above 5", "acknowledgedBy": None},
}
_RULE = """
name: faults
measure: ended
condition: {kind: threshold, above: 5}
webhooks: [{url: https://pager.example.com, secret: "${PAGER}"}]
---
- {name: quiet, measure: ended, condition: {kind: absence}}
"""


def test_alerts_are_a_table(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[f"GET {_PATH}"] = [(200, {"items": [_ALERT], "next": None})]
    assert _lowtide("alerts", "list", "--state", "firing", "--state", "pending") == 0
    assert "a-1  faults  workflow=order  firing  2026-01-01  7 is above 5" in capsys.readouterr().out
    assert server.asked[0][0] == f"GET {_PATH}?state=firing&state=pending&limit=20"
    assert _lowtide("alerts", "list", "--state", "loud") == 2


def test_rules_of_a_file_are_put_each_with_its_secret(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(_RULE)
    for name in ("faults", "quiet"):
        server.answers[f"PUT {_PATH}/rules/{name}"] = [(201, {"name": name})]
    assert _lowtide("alerts", "apply", str(file)) == 2
    assert "PAGER is not set" in capsys.readouterr().err
    monkeypatch.setenv("PAGER", "whsec_x")
    assert _lowtide("alerts", "apply", str(file)) == 0
    assert capsys.readouterr().out == "default/faults\ndefault/quiet\n"
    first, second = (asked[2] for asked in server.asked)
    assert first["webhooks"] == [{"url": "https://pager.example.com", "secret": "whsec_x"}]
    assert second == {"measure": "ended", "condition": {"kind": "absence"}}


@pytest.mark.parametrize("text", ["[", "measure: ended", "name: a\n---\nname: a", "", "- 7"])
def test_a_file_without_sound_rules_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=r"rules\.yaml"):
        rules_of(str(file), {})


def test_a_silence_says_until_when_why_and_by_whom(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[f"POST {_PATH}/silences"] = [(201, {"id": "s-1"})]
    options = ("--reason", "a test", "--by", "ann", "--group", "workflow=order", "--rule", "faults")
    assert _lowtide("alerts", "silence", *options, "--for", "2h") == 0
    assert capsys.readouterr().out == "s-1\n"
    body = server.asked[0][2]
    assert (body["rule"], body["group"], body["by"]) == ("faults", {"workflow": "order"}, "ann")
    assert body["until"].endswith("Z")
    assert _lowtide("alerts", "silence", *options) == 2
    assert _lowtide("alerts", "silence", *options, "--for", "soon") == 2


def test_an_alert_is_acknowledged(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[f"POST {_PATH}/a-1/acknowledge"] = [(200, _ALERT | {"acknowledgedBy": "ann"})]
    assert _lowtide("alerts", "ack", "a-1", "--by", "ann", "--note", "on it") == 0
    assert capsys.readouterr().err == "faults workflow=order: acknowledged by ann\n"
    assert server.asked[0][2] == {"by": "ann", "note": "on it"}


def test_the_examples_are_sound_rules() -> None:
    found = rules_of(str(_EXAMPLES), {})
    assert [Rule.model_validate(rule).condition.kind for rule in found.values()] == [
        *("threshold", "threshold", "absence", "burnRate")
    ]


def test_the_pages_example_is_one_too() -> None:
    page = _PAGE.read_text()
    example = page.partition("`rules.yaml`:\n")[2].partition("\n\nWhat would")[0]
    file = dedent(example).strip()
    rule = Rule.model_validate(
        {name: value for name, value in yaml.safe_load(file).items() if name != "name"} | _SIGNED
    )
    assert rule.terms.lasting == 120_000
