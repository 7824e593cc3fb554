"""Every example that the standard's authors published runs, with an outcome that we stand by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cases import give, try_case
from tests.conformance.comparing import contains
from tests.conformance.kit import EXAMPLES
from tests.conformance.world import World, value_of

pytestmark = pytest.mark.skipif(not EXAMPLES, reason="the specification's examples are not beside this checkout")

_HERE = Path(__file__).parent
CASES: dict[str, Any] = value_of((_HERE / "cases.yaml").read_text(encoding="utf-8"))
UNAVAILABLE: dict[str, str] = value_of((_HERE / "unavailable.yaml").read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("name", UNAVAILABLE)
def test_an_example_that_cannot_run_here_says_so_clearly(name: str, world: World) -> None:
    give(world, TEXTS[name], {"input": {"token": "t", "pet": {"id": 1}}})
    world.execute()
    assert contains(world.error, {"status": 400, "title": "Configuration Error"}), world.error
    assert UNAVAILABLE[name] in str(world.error["detail"])


def test_each_example_is_in_one_of_the_two_tables() -> None:
    assert len(TEXTS) == 68
    assert not CASES.keys() & UNAVAILABLE.keys()
    assert CASES.keys() | UNAVAILABLE.keys() == TEXTS.keys()
