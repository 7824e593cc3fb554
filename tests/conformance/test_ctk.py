"""The standard's conformance kit, all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.gherkin import Scenario, read
from tests.conformance.kit import FEATURES
from tests.conformance.steps import perform
from tests.conformance.world import World, value_of

pytestmark = pytest.mark.skipif(not FEATURES, reason="the standard's conformance kit is not beside this checkout")

SCENARIOS = [scenario for path in FEATURES for scenario in read(path)]
EXCLUDED = value_of((Path(__file__).parent / "exclusions.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario.feature}: {scenario.name}")
def test_conformance_kit(scenario: Scenario, world: World) -> None:
    if scenario.name in EXCLUDED.get(scenario.feature, {}):
        pytest.xfail(EXCLUDED[scenario.feature][scenario.name])
    perform(scenario, world)


def test_all_of_the_kit_is_here_and_nothing_is_excluded() -> None:
    assert (len(FEATURES), len(SCENARIOS)) == (11, 21)
    assert EXCLUDED == {}
