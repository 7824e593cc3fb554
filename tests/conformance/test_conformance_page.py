"""What docs/conformance.md says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.conformance.examples.test_examples import CASES
from tests.conformance.test_ctk import EXCLUDED
from tests.conformance.test_features import SCENARIOS
from tests.conformance.test_reference import EXAMPLES
from tests.integration.effects.test_faults import FAULTS

_ROOT: Final = Path(__file__).parents[2]
_PAGE: Final = (_ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")


def _told(where: str) -> list[int]:
    (row,) = [line for line in _PAGE.splitlines() if line.startswith("|") and f"`{where}`" in line]
    return [int(number) for number in re.findall(r"\d+", row.split("|")[2])]


def test_the_kit_is_passed_as_told() -> None:
    assert _told("tests/conformance/test_ctk.py") == [21, 11]  # test_ctk counts them
    assert not EXCLUDED


def test_the_examples_are_passed_as_told() -> None:
    assert _told("tests/conformance/examples") == [len(CASES)]


def test_there_are_at_least_as_many_of_our_own_as_told() -> None:
    """And not many more: who adds a hundred has a reason to boast of them."""
    for where, made in (
        ("tests/conformance/features", SCENARIOS),
        ("tests/conformance/test_reference.py", EXAMPLES),
        ("tests/integration/effects/test_faults.py", FAULTS),
    ):
        (told,) = _told(where)
        assert told < len(made) < told + 150, f"docs/conformance.md says more than {told}, there are {len(made)}"


def test_every_program_that_a_case_needs_is_named() -> None:
    named = set(re.findall(r"^\| `([\w-]+)` \| `[\w-]+` \|", _PAGE, re.MULTILINE))
    cases = [case for given in CASES.values() for case in (given if isinstance(given, list) else [given])]
    assert {case["program"] for case in cases if "program" in case} <= named
