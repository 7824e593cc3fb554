"""Every example that the standard's authors published runs, with an outcome that we stand by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cases import try_case
from tests.conformance.kit import EXAMPLES
from tests.conformance.world import World, value_of

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="the specification's examples are not beside this checkout")

_HERE = Path(__file__).parent
CASES: dict[str, Any] = value_of((_HERE / "cases.yaml").read_text(encoding="utf-8"))
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in EXAMPLES}


def _cases() -> Iterator[Any]:
    for name, given in CASES.items():
        cases = given if isinstance(given, list) else [given]
        for number, case in enumerate(cases, 1):
            yield pytest.param(name, case, id=name if len(cases) == 1 else f"{name} {number}")


@pytest.mark.parametrize(("name", "case"), list(_cases()))
def test_an_example_runs(name: str, case: dict[str, Any], world: World, tmp_path: Path) -> None:
    assert "ran" in case
    try_case(world, TEXTS[name], case, tmp_path)


def test_each_example_has_its_cases() -> None:
    assert len(TEXTS) == 68
    assert CASES.keys() == TEXTS.keys()
