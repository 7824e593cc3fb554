"""Events that should not have come, and documents that ask for too much: always an outcome, never a broken engine."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lowtide.expressions import JqHost, Limits
from lowtide.model.command import Perform, Sleep
from lowtide.model.error import standard_error
from lowtide.model.event import ChildEnded, EffectFailed, EffectSucceeded, EventsReceived, TimerFired
from tests.plays import NOW, Play, document, play

DOWN = standard_error("communication", "down", status=503)
CALL = "{call: http, with: {method: get, endpoint: 'http://x'}}"

EVENTS: list[Any] = [
    lambda command: EffectSucceeded(command=command, output=1, at=NOW),
    lambda command: EffectFailed(command=command, error=DOWN, at=NOW),
    lambda command: TimerFired(command=command, at=NOW),
    lambda command: EventsReceived(command=command, events=(), at=NOW),
    lambda command: ChildEnded(command=command, execution="c", at=NOW),
]


@pytest.mark.parametrize(
    ("task", "ends_by"),
    [
        (CALL, (0, 1)),
        ("{call: price}", (0, 1)),
        ("{emit: {event: {with: {type: t}}}}", (0, 1)),
        ("{wait: PT1H}", (2,)),
        ("{listen: {to: {one: {with: {type: t}}}}}", ()),
        ("{run: {workflow: {namespace: tests, name: other, version: '1.0.0'}}}", (0, 1, 4)),
    ],
)
def test_a_command_ends_by_its_own_kinds_of_events_alone(task: str, ends_by: tuple[int, ...]) -> None:
    plan = document(f"do: [{{t: {task}}}]")
    for index, event in enumerate(EVENTS):
        started = Play(plan).begin()
        started.feed(event(started.wanted()[0].id))
        assert (started.outcome is not None) == (index in ends_by), event


def test_an_event_that_comes_twice_counts_once() -> None:
    started = Play(document(f"do: [{{a: {CALL}}}, {{b: {CALL}}}]")).begin()
    (command,) = started.wanted()
    for _ in range(2):
        started.feed(EffectSucceeded(command=command.id, output=1, at=NOW))
    assert [wanted.id for wanted in started.wanted()] == ["/do/1/b@1.2"]


@pytest.mark.parametrize("body", ["{call: f}", "{do: [{g: {call: f}}]}", "{for: {in: '[1]'}, do: [{g: {call: f}}]}"])
def test_a_function_that_calls_itself_for_ever_is_an_error(body: str) -> None:
    done = play(f"use: {{functions: {{f: {body}}}}}\ndo: [{{x: {{call: f}}}}]")
    assert done.error.type.endswith("/runtime")
    assert "calls itself" in (done.error.detail or "")


RETRY = "do: [{t: {try: [{c: %s}], catch: {retry: {delay: PT1S, limit: {attempt: {count: 9%s}}%s}}}}]"


def test_delays_that_grow_beyond_all_numbers_stay_dates() -> None:
    body = RETRY % (CALL, "", ", backoff: {exponential: {multiplier: 1.0e+300}}")
    done = play(body, answer=lambda command: DOWN)
    assert len(done.performed) == 10
    assert done.error.status == 503


def test_an_old_attempts_deadline_that_fires_late_does_not_end_the_next_attempt() -> None:
    started = Play(document(RETRY % (CALL, ", duration: PT5S", "")), answer=lambda command: DOWN).begin()
    (first,) = [command for command in started.wanted(Sleep) if "!attempt" in command.id]
    started.respond(started.wanted(Perform)[0])
    started.respond(started.wanted(Sleep)[0])
    (call,) = started.wanted(Perform)
    started.feed(TimerFired(command=first.id, at=started.state.now))
    assert started.wanted(Perform) == [call]


def test_an_old_delay_that_fires_twice_does_not_shorten_the_next_one() -> None:
    started = Play(document(RETRY % (CALL, "", "")), answer=lambda command: DOWN).begin()
    started.respond(started.wanted(Perform)[0])
    (delay,) = started.wanted(Sleep)
    started.respond(delay)
    started.respond(started.wanted(Perform)[0])
    started.feed(TimerFired(command=delay.id, at=started.state.now))
    assert started.wanted(Perform) == []


def test_a_pattern_that_an_expression_spoiled_matches_nothing() -> None:
    body = "do: [{l: {listen: {to: {one: {with: {type: 'regex:${ .p }'}}}}}}]"
    started = Play(document(body)).begin({"p": "("})
    assert started.receive({"type": "t"}).outcome is None


def test_a_directive_that_ends_the_workflow_still_shapes_its_own_tasks_output() -> None:
    body = "do: [{s: {switch: [{c: {then: end}}], output: {as: .x}}}, {never: {set: {y: 2}}}]"
    assert play(body, {"x": 1}).output == 1
    failing = "{r: {raise: {error: {type: 'https://x/y', status: 400}}}}"
    caught = f"do: [{{t: {{try: [{failing}], catch: {{then: end}}, output: {{as: .x}}}}}}]"
    assert play(caught, {"x": 1}).output == 1


def test_an_end_inside_leaves_the_tasks_around_it_unshaped() -> None:
    body = "do: [{o: {do: [{i: {set: {x: 1}, then: end}}], output: {as: .x}}}, {never: {set: {y: 2}}}]"
    assert play(body).output == {"x": 1}


def test_a_branch_that_makes_true_of_one_is_heard_at_the_join() -> None:
    a, b = "{a: {set: {x: 1}, export: {as: '{k: true}'}}}", "{b: {set: {x: 1}}}"
    done = play(f"do: [{{f: {{fork: {{branches: [{a}, {b}]}}}}}}, {{l: {{set: '${{ $context }}'}}}}]", {"k": 1})
    assert done.output["k"] is True


def test_a_status_that_is_true_is_no_status() -> None:
    done = play("do: [{r: {raise: {error: {type: 'https://x/y', status: '${ true }'}}}}]")
    assert done.error.type.endswith("/configuration")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        (r"com\\.acme\\..*", True),
        (r"com\\.acme", False),
        (r"com\\.(acme|other)\\.(?P<what>[a-z]+)", True),
        (r"acme", False),
        (r"(", False),
    ],
)
def test_a_pattern_must_fit_the_whole_text(pattern: str, fits: bool) -> None:
    started = Play(document('do: [{l: {listen: {to: {one: {with: {type: "regex:${ .p }"}}}}}}]'))
    started.begin({"p": pattern.replace("\\\\", "\\")}).receive({"type": "com.acme.paid"})
    assert (started.outcome is not None) == fits


def test_a_pattern_that_backtracks_without_end_is_stopped() -> None:
    plan = document("do: [{l: {listen: {to: {one: {with: {type: 'regex:(a+)+b'}}}}}}]")
    host = JqHost(limits=Limits(seconds=0.3))
    started = Play(plan, host=host).begin()
    began = time.monotonic()
    assert started.receive({"type": "a" * 40}).outcome is None
    assert time.monotonic() - began < 5
    host.close()
