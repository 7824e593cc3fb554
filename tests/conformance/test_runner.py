"""The runner itself: a conformance suite that cannot fail proves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.comparing import contains, equal
from tests.conformance.gherkin import BadFeature, Scenario, Step, read
from tests.conformance.steps import perform, phrase_of
from tests.conformance.world import World

KIT = """
Feature: A workflow of three tasks
  Scenario: It runs
    Given a workflow with definition:
    \"\"\"yaml
    document: {dsl: '1.0.3', namespace: default, name: three, version: '1.0.0'}
    do:
      - one: {set: {n: 1, list: [a, b]}}
      - two: {set: '${ . }'}
      - three: {if: .go, raise: {error: {type: 'https://example.com/e', status: 400}}}
    \"\"\"
    And given the workflow input is:
    \"\"\"yaml
    unused: true
    \"\"\"
    When the workflow is executed
    Then %s
"""

TRUE = [
    "the workflow should complete",
    'the workflow should complete with output:\n"""yaml\n{n: 1, list: [a, b]}\n"""',
    "the workflow output should have properties 'n', 'list'",
    'the workflow output should have a \'n\' property with value:\n"""yaml\n1\n"""',
    "the workflow output should have a 'list' property containing 2 items",
    "one should run first",
    "two should run last",
    "two should run after one",
    "one should run before two",
    "two should complete",
    'one should complete with output:\n"""yaml\n{n: 1, list: [a, b]}\n"""',
    "the tasks should run in order one, two",
    "three should be skipped",
    "the workflow should take PT0S",
]
FALSE = [
    "the workflow should fault",
    'the workflow should fault with error:\n"""yaml\nstatus: 400\n"""',
    "the workflow should cancel",
    "the workflow should still wait",
    'the workflow should complete with output:\n"""yaml\n{n: true, list: [a, b]}\n"""',
    "the workflow output should have properties 'n', 'more'",
    'the workflow output should have a \'n\' property with value:\n"""yaml\n2\n"""',
    "the workflow output should have a 'list' property containing 1 items",
    "two should run first",
    "one should run last",
    "one should run after two",
    "two should run before one",
    "one should cancel",
    "one should fault",
    'one should fault with error:\n"""yaml\nstatus: 400\n"""',
    "three should complete",
    'one should complete with output:\n"""yaml\n{n: 1}\n"""',
    "the tasks should run in order two, one",
    "the tasks should run in order one",
    "no task should run",
    "one should be skipped",
    "one should be retried 1 time",
    "the workflow should take PT1S",
    "the workflow should take between PT1S and PT2S",
]


def written(folder: Path, text: str) -> list[Scenario]:
    path = folder / "sample.feature"
    path.write_text(text, encoding="utf-8")
    return read(path)


@pytest.mark.parametrize("phrase", TRUE)
def test_what_is_so_passes(phrase: str, world: World, tmp_path: Path) -> None:
    (scenario,) = written(tmp_path, KIT % phrase)
    perform(scenario, world)


@pytest.mark.parametrize("phrase", FALSE)
def test_what_is_not_so_fails(phrase: str, world: World, tmp_path: Path) -> None:
    (scenario,) = written(tmp_path, KIT % phrase)
    with pytest.raises((AssertionError, ValueError)):
        perform(scenario, world)


def test_a_phrase_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(AssertionError, match="line 3: no phrase fits"):
        phrase_of(Step("the workflow should compleet", 3))


def test_a_line_that_is_no_step_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadFeature, match=r"sample\.feature:4"):
        written(tmp_path, "Feature: F\nScenario: S\n  Given x\n  Than y\n")
    with pytest.raises(BadFeature, match="never closed"):
        written(tmp_path, 'Feature: F\nScenario: S\n  Given x:\n  """\n  y\n')


def test_an_outline_gives_one_scenario_for_each_row(tmp_path: Path) -> None:
    outline = (
        'Scenario Outline: S\n Given <a>:\n """\n  <b>\n """\n Examples:\n | a | b |\n | 1 | x\\|y |\n | 2 | z |\n'
    )
    found = written(tmp_path, "Feature: F\nBackground:\n Given first\n" + outline)
    assert [scenario.name for scenario in found] == [r"S (1, x|y)", "S (2, z)"]
    assert [[step.text for step in scenario.steps] for scenario in found] == [["first", "1:"], ["first", "2:"]]
    assert found[0].steps[1].document == " x|y\n"


def test_comparing_is_strict_about_kinds_and_lenient_about_order() -> None:
    assert equal({"a": 1, "b": [None]}, {"b": [None], "a": 1.0})
    assert not equal(1, True)
    assert not equal({"a": 1}, {"a": 1, "b": 2})
    assert contains({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}})
    assert not contains([1, 2], [1])


def test_time_stands_still_while_an_expression_is_evaluated(world: World) -> None:
    """Whatever is computed beside the event loop takes none of the time that a scenario measures."""
    world.definition = """
document: {dsl: '1.0.3', namespace: default, name: slow, version: '1.0.0'}
do:
  - bounded:
      timeout: {after: PT1H}
      do:
        - first: {wait: PT1S}
        - slow: {set: '${ [range(2000)] | length }'}
        - second: {wait: PT1S}
        - slower: {set: '${ [range(2000)] | add }'}
"""
    world.execute()
    assert world.output == 1999000
    assert abs(world.took - 2.0) < 0.05
