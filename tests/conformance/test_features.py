"""Our own features: what the standard's kit leaves untested. They are the reference of the language by example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.gherkin import Scenario, read
from tests.conformance.steps import perform
from tests.conformance.world import World

FILES = sorted((Path(__file__).parent / "features").glob("*.feature"))
SCENARIOS = [scenario for path in FILES for scenario in read(path)]

_SCHEDULED = re.compile(r"the executions should be:|after \S+ it should start at \S+")
_ENDS = re.compile(r"the workflow should (complete with output:|fault with error:|cancel|still wait)")
_ORDER = re.compile(r"the tasks should run in order .+|no task should run")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario.feature}: {scenario.name}")
def test_feature(scenario: Scenario, world: World) -> None:
    perform(scenario, world)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario.feature}: {scenario.name}")
def test_a_scenario_says_how_it_ends_and_which_tasks_ran(scenario: Scenario) -> None:
    texts = [step.text for step in scenario.steps]
    if "the document is checked" in texts:
        assert any(text.startswith("the document should be refused") for text in texts)
    elif not any(_SCHEDULED.fullmatch(text) for text in texts):
        assert any(_ENDS.fullmatch(text) for text in texts)
        assert any(_ORDER.fullmatch(text) for text in texts)


def test_scenarios_have_names_of_their_own() -> None:
    names = [(scenario.feature, scenario.name) for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    assert len(names) >= 150
