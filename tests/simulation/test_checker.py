"""The checker can fail: each rule finds the violation that was planted for it, and nothing in a history without one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lowtide.model.base import ExecutionId, Millis
from lowtide.model.event import EffectSucceeded, EventsReceived, Received, TimerFired
from lowtide.model.state import Seed
from lowtide.testing.simulate.checker import REPLAY_RULES, RULES, violations
from lowtide.testing.simulate.history import History, digest
from lowtide.wire import json
from lowtide.wire.records import Entry
from tests.plays import document

_DO = """
do:
- pay: {call: http, with: {method: get, endpoint: http://world/}}
- rest: {wait: {seconds: 5}}
- hear: {listen: {to: {one: {with: {type: heard}, correlate: {order: {from: .data.order, expect: '${ 7 }'}}}}}}
"""
_PAY, _REST, _HEAR = "/do/0/pay@1.1", "/do/1/rest@1.2", "/do/2/hear@1.3"
_AT = 1_000_000
_CANCEL = '{"turn":1,"event":{"kind":"cancel","at":1}}'
_EVENT = {"specversion": "1.0", "source": "/world", "id": "e1", "type": "heard", "data": {"order": 7}}


class _Story:
    """A history in which all went well, until somebody changes it. ``without`` leaves records out."""

    def __init__(self) -> None:
        self.history = History()
        self.seed = Seed(execution=ExecutionId("x"), at=Millis(_AT))
        self.entries = [
            Entry(turn=1, event=EffectSucceeded(command=_PAY, output={"paid": 1}, at=Millis(_AT))),
            Entry(turn=2, event=TimerFired(command=_REST, at=Millis(_AT + 5000))),
            Entry(turn=3, event=EventsReceived(command=_HEAR, events=(Received(_EVENT),), at=Millis(_AT + 6000))),
        ]
        self.row: dict[str, Any] = {
            "execution": "x", "workflow": "w", "phase": "completed", "epoch": 2, "change": 3, "reason": None,
            "seed": json.encode(self.seed).decode(), "output": '[{"order":7}]', "error": None,
            "parent": None, "parent_command": None,
        }  # fmt: skip

    def note(self, kind: str, **about: Any) -> None:
        self.history.note(kind, **about)

    def told(self) -> History:
        plan = json.encode(document(_DO)).decode()
        self.note("deployed", name="w", plan=plan, on=False)
        self.note("started", workflow="w", key="k", execution="x")
        self.note("decided", execution="x", command=_PAY, arguments="a")
        self.note("performed", execution="x", command=_PAY, result=digest({"paid": 1}))
        bodies = [json.encode(entry) for entry in self.entries]
        numbered = [(number, digest(body)) for number, body in enumerate(bodies, 1)]
        self.note("acknowledged", execution="x", epoch=1, entries=numbered[:1], commands=[_PAY])
        self.note("sending", source="/world", id="e1")
        self.note("closed", execution="x", epoch=1, type="parked", body=0)
        self.note("outstanding", count=1, most=1)
        self.note("told", execution="x", number=2, phase="waiting")
        self.note("told", execution="x", number=3, phase="completed")
        self.note("seen", execution="x", phase="completed", outcome="o")
        for number, body in enumerate(bodies, 1):
            about = {"execution": "x", "number": number, "epoch": min(number, 2), "digest": digest(body)}
            self.note("journal", **about, entry=body.decode())
        self.note("execution", **self.row)
        return self.history


def _found(story: _Story, **more: dict[str, Any]) -> set[str]:
    """The rules that a story breaks, after ``more`` was noted at its end, by kind."""
    history = story.told()
    for kind, about in more.items():
        history.note(kind, **about)
    return {what.partition(":")[0] for what in violations(history)}


def test_a_history_in_which_all_went_well_has_no_violations() -> None:
    assert violations(_Story().told()) == []


@pytest.mark.parametrize(
    ("rule", "kind", "about"),
    [
        ("nothing_broke", "broken", {"what": "sending a dispatch failed", "error": "KeyError"}),
        (
            "acknowledged_effects_are_never_repeated",
            "decided",
            {"execution": "x", "command": _PAY, "arguments": "a"},
        ),
        ("a_key_stands_for_one_effect", "decided", {"execution": "x", "command": _PAY, "arguments": "b"}),
        (
            "acknowledged_records_stay",
            "acknowledged",
            {"execution": "x", "epoch": 1, "entries": [(2, "gone")], "commands": []},
        ),
        (
            "journals_have_no_gaps",
            "journal",
            {"execution": "y", "number": 2, "epoch": 1, "digest": "d", "entry": _CANCEL},
        ),
        ("an_epoch_ends_once", "closed", {"execution": "x", "epoch": 1, "type": "parked", "body": 1}),
        ("an_outcome_never_changes", "seen", {"execution": "x", "phase": "faulted", "outcome": "p"}),
        ("a_key_starts_one_execution", "started", {"workflow": "w", "key": "k", "execution": "y"}),
        ("dispatches_respect_their_limit", "outstanding", {"count": 2, "most": 1}),
        ("limits_are_respected", "slots", {"workflow": "w", "count": 2, "most": 1}),
        ("analytics_learns_the_end", "told", {"execution": "x", "number": 4, "phase": "running"}),
        ("everything_ends", "leftover", {"store": "control", "what": "timers", "count": 1}),
    ],
)  # fmt: skip
def test_each_rule_finds_what_was_planted_for_it(rule: str, kind: str, about: dict[str, Any]) -> None:
    assert rule in _found(_Story(), **{kind: about})


def test_an_outcome_that_does_not_follow_from_the_journal_is_found() -> None:
    story = _Story()
    story.row["output"] = '{"paid":2}'
    assert _found(story) == {"outcomes_follow_from_journals"}


def test_a_timer_that_fired_too_early_is_found() -> None:
    story = _Story()
    story.entries[1] = Entry(turn=2, event=TimerFired(command=_REST, at=Millis(_AT + 4999)))
    assert _found(story) == {"outcomes_follow_from_journals"}


def test_an_event_of_another_correlation_is_found() -> None:
    story = _Story()
    other = Received({**_EVENT, "data": {"order": 8}})
    story.entries[2] = Entry(turn=3, event=EventsReceived(command=_HEAR, events=(other,), at=Millis(_AT + 6000)))
    story.row["output"] = '[{"order":8}]'
    assert _found(story) == {"outcomes_follow_from_journals"}


def test_a_cancelled_execution_that_nobody_cancelled_is_found() -> None:
    story = _Story()
    story.row.update(phase="cancelled", output=None)
    assert "outcomes_follow_from_journals" in _found(story)


def test_an_outcome_of_an_execution_that_waits_for_ever_is_missed() -> None:
    story = _Story()
    story.row.update(phase="waiting", output=None)
    assert "everything_ends" in _found(story)


def test_a_result_that_the_world_never_gave_is_found() -> None:
    story = _Story()
    story.entries[0] = Entry(turn=1, event=EffectSucceeded(command=_PAY, output={"paid": 9}, at=Millis(_AT)))
    assert "results_come_from_the_world" in _found(story)


def test_an_event_that_is_received_twice_or_was_never_sent_is_found() -> None:
    story = _Story()
    story.entries.append(story.entries[2])
    assert "events_are_received_once" in _found(story)
    story = _Story()
    invented = Received({**_EVENT, "id": "e2"})
    story.entries[2] = Entry(turn=3, event=EventsReceived(command=_HEAR, events=(invented,), at=Millis(_AT + 6000)))
    assert "events_are_received_once" in _found(story)


def test_executions_that_no_event_started_and_events_that_started_none_are_found() -> None:
    for noted in ({}, {"emitted": {"source": "s", "id": "1"}, "taken": {"source": "s", "id": "1"}}):
        story = _Story()
        story.note("deployed", name="follower", plan=json.encode(document(_DO)).decode(), on=True)
        if not noted:
            story.note("execution", **{**story.row, "execution": "y", "workflow": "follower"})
        assert "an_event_starts_one_execution" in _found(story, **noted)


def test_a_command_with_two_children_is_found() -> None:
    story = _Story()
    for child in ("c1", "c2"):
        story.note("execution", **{**story.row, "execution": child, "parent": "x", "parent_command": "run"})
    assert "a_child_starts_once" in _found(story)


def test_every_rule_has_a_test_that_makes_it_fail() -> None:
    from pathlib import Path

    told = Path(__file__).read_text()
    assert all(rule.__name__ in told for rule in (*RULES, *REPLAY_RULES))


def test_a_history_is_written_line_by_line() -> None:
    history = History(lambda: 1.5)
    history.note("fault", what="crash")
    history.close()
    history.note("fault", what="late")
    assert msgspec.json.decode(history.encoded()) == {"at": 1.5, "kind": "fault", "by": "", "about": {"what": "crash"}}
