"""Data without end, times without dates: an execution faults or goes on, and its state can always be written."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.engine.depth import DEEPEST_DATA, Depths, is_too_deep
from lowtide.engine.host import ExpressionFailed
from lowtide.engine.matching import matches
from lowtide.errors import TaskFailed
from lowtide.expressions.schema import Validators
from lowtide.model.base import LATEST
from lowtide.model.command import AwaitFilter
from lowtide.model.state import Faulted
from lowtide.wire.states import read, write
from tests.plays import HOST, NOW, Play, document, play


def deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


def assert_too_deep(made: Play) -> None:
    assert isinstance(made.outcome, Faulted)
    assert f"nested more than {DEEPEST_DATA} levels" in (made.error.detail or "")
    assert made.error.type.endswith("/validation")
    assert read(write(made.state)) == made.state == read(write(made.state, 1))


@pytest.mark.parametrize(
    "body",
    [
        'do: [{a: {set: {inner: "${ . }"}, then: a}}]',
        'do: [{a: {set: "${ [.] }", then: a}}]',
        "do: [{a: {fork: {branches: [{b: {do: []}}]}, then: a}}]",
        'do: [{a: {do: [], then: a, export: {as: "[$context]"}}}]',
    ],
)
def test_a_loop_that_deepens_its_data_faults_before_the_state_cannot_be_written(body: str) -> None:
    assert_too_deep(play(body))


def test_what_comes_from_outside_may_be_as_deep_as_the_rest() -> None:
    assert play("do: []", deep(DEEPEST_DATA)).output == deep(DEEPEST_DATA)
    assert_too_deep(play("do: []", deep(DEEPEST_DATA + 1)))
    assert_too_deep(play("do: []", deep(5_000)))
    assert_too_deep(play("do: [{c: {call: step}}]", answer=lambda command: deep(5_000)))


def test_an_event_that_is_too_deep_is_nobody_s() -> None:
    made = Play(document("do: [{l: {listen: {to: {any: []}}}}]")).begin().receive({"data": deep(5_000)})
    assert made.outcome is None
    assert made.receive({"data": 1}).output == [1]


@pytest.mark.parametrize("levels", [DEEPEST_DATA, DEEPEST_DATA + 1, 100_000])
def test_depth_is_measured_without_recursion(levels: int) -> None:
    assert is_too_deep(deep(levels)) == (levels > DEEPEST_DATA)
    assert is_too_deep({"a": [1, {"b": deep(levels - 3)}]}) == (levels > DEEPEST_DATA)


def test_an_execution_that_waits_past_the_year_9999_still_has_dates() -> None:
    body = """do:
  - l:
      for: {in: "[range(12)]"}
      do:
        - w: {wait: P1000Y, timeout: {after: P1000Y}}
        - e: {emit: {event: {with: {type: a}}}}
        - s: {set: {at: "${ $task.startedAt.iso8601 }"}}
"""
    made = play(body)
    assert made.output["at"].startswith("9999-12-31T23:59:59")
    assert made.state.now == LATEST
    assert made.state.started == NOW


def test_an_uncountable_repetition_matches_nothing() -> None:
    filter_ = AwaitFilter(index=0, with_={"type": "regex:a{99999999999}"})
    assert not matches(filter_, {"type": "a"}, HOST, now=NOW)


def test_a_number_beyond_all_floats_does_not_fit_where_it_cannot_be_checked() -> None:
    assert "too large" in Validators().violations({"multipleOf": 0.1}, 10**400)[0]


def test_an_expression_whose_input_is_too_deep_fails_as_one() -> None:
    with pytest.raises(ExpressionFailed, match="nested too deeply"):
        HOST.evaluate("map(. + 1)", deep(5_000), {}, NOW)


def test_what_is_known_of_a_large_collection_holds_wherever_it_stands() -> None:
    depths = Depths()
    large = [deep(100)] * 100
    depths.check(large, "list")
    depths.check(nested(large, 149), "value")
    with pytest.raises(TaskFailed):
        depths.check(nested(large, 150), "value")
    depths.check(nested(large, 149), "value")


def nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = {"inner": value}
    return value
