"""Task spans, from the facts of one invocation."""

from __future__ import annotations

import pytest

from functions.execute.tracing import Traced
from lowtide.dsl import plan
from lowtide.engine import begin
from lowtide.expressions import JqHost
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.state import Seed
from lowtide.runtime.chance import digits
from lowtide.telemetry.tracing import Span, Tracer
from lowtide.wire.traces import derived
from lowtide.wire.types import Dispatch

DOCUMENT = """
document: {dsl: '1.0.3', namespace: tests, name: sample, version: '1.0.0'}
do:
  - never: {if: '${ false }', set: {x: 1}}
  - each:
      for: {in: '${ [1, 2] }'}
      do:
        - inner: {set: {y: 1}}
  - rest: {wait: {hours: 1}}
"""
EXECUTION = ExecutionId("0190a6e0-0000-7000-8000-000000000000")


@pytest.fixture
def spans() -> dict[str, list[Span]]:
    """Of the second epoch, by name, in the order of their ends; its time stands still."""
    kept: list[Span] = []
    seed = Seed(execution=EXECUTION, input={}, at=Millis(1000), random=0.5)
    made = plan(DOCUMENT, "sample.yaml")
    dispatch = Dispatch(
        execution=EXECUTION, namespace="tests", workflow="sample", version="1.0.0", epoch=2, at=Millis(0), plan=made
    )
    traced = Traced(Tracer(kept.append, lambda: 1_000_000_000, digits), dispatch, None)
    host = JqHost()
    turn = begin(made, seed, host)
    host.close()
    with traced.span:
        traced.tasks.tell(turn.facts)
        traced.tasks.cut(turn.state)
    return {span.name: [one for one in kept if one.name == span.name] for span in kept}


def test_a_task_is_below_the_task_around_it(spans: dict[str, list[Span]]) -> None:
    (each,), (invocation,) = spans["for each"], spans["invocation sample"]
    assert each.parent == invocation.trace.span
    assert [span.parent for span in spans["set inner"]] == [each.trace.span] * 2


def test_what_is_under_way_in_the_end_is_cut_off_and_says_so(spans: dict[str, list[Span]]) -> None:
    (rest,) = spans["wait rest"]
    assert rest.attributes["lowtide.status"] == "under way"
    assert rest.trace.span == derived(EXECUTION, 2, rest.attributes["lowtide.task"])


def test_what_began_here_is_linked_to_nothing(spans: dict[str, list[Span]]) -> None:
    """A skipped task begins and ends with one fact."""
    (never,) = spans["set never"]
    assert never.attributes["lowtide.status"] == "skipped"
    assert not never.links
    assert not spans["wait rest"][0].links


def test_without_a_context_the_trace_is_called_as_the_execution(spans: dict[str, list[Span]]) -> None:
    (invocation,) = spans["invocation sample"]
    assert invocation.trace.trace == EXECUTION.replace("-", "")
    assert not invocation.parent
    assert [link.span for link in invocation.links] == [derived(EXECUTION, 1)]
