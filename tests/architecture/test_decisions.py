"""Each decision about the language is told to users, and held by a scenario or a test that carries its number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_ROWS: Final = re.findall(r"^\| (\d+) \| \S.*\S \| \S.*\S \|$", (_ROOT / "docs" / "dsl.md").read_text(), re.MULTILINE)


def test_every_decision_is_told_to_users() -> None:
    assert [int(number) for number in _ROWS] == list(range(1, len(_ROWS) + 1))
    assert len(_ROWS) >= 20


def test_every_decision_is_held_by_a_scenario_or_a_test() -> None:
    features = (path.read_text() for path in (_ROOT / "tests" / "conformance" / "features").glob("*.feature"))
    tagged = {number for text in features for number in re.findall(r"@decision-(\d+)\b", text)}
    tests = (path.read_text() for path in (_ROOT / "tests").rglob("test_*.py"))
    named = {str(int(number)) for text in tests for number in re.findall(r"def test_decision_(\d+)_", text)}
    unheld = set(_ROWS) - tagged - named
    assert not unheld, f"nothing holds {sorted(unheld, key=int)}"
    assert not (tagged | named) - set(_ROWS), f"the users' table has no {sorted((tagged | named) - set(_ROWS))}"
