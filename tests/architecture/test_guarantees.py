"""What is promised is proven by a test that exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_TESTS: Final = Path(__file__).parents[1]
_PAGE: Final = (_TESTS.parent / "docs" / "guarantees.md").read_text()
_NAMED: Final = re.findall(r"`([\w/]+\.py)::(\w+)`", _PAGE)


def test_every_test_that_the_guarantees_name_exists() -> None:
    missing = [f"{file}::{name}" for file, name in _NAMED if f"def {name}(" not in _text(file)]
    assert not missing, missing
    assert len(_NAMED) >= 40


def test_every_claim_of_a_table_names_its_proof() -> None:
    claims = [line for line in _PAGE.splitlines() if line.startswith("| ") and line != "| claim | proof |"]
    unproven = [line for line in claims if not re.fullmatch(r"\| .+ \| `[\w/]+\.py::\w+` \|", line)]
    assert not unproven, unproven


def _text(file: str) -> str:
    path = _TESTS / file
    return path.read_text() if path.exists() else ""
