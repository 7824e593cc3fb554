"""Suspend and resume as tables: every phase that an execution can be suspended or resumed in."""

from __future__ import annotations

import pytest

from functions.orchestrate.nouns import Commands
from functions.orchestrate.suspension import Resuming, Suspending, is_unfinished, on_resume, on_suspend, parks_as
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.command import Command, Perform, Sleep
from lowtide.model.phase import Phase
from lowtide.model.state import State


@pytest.mark.parametrize(
    ("phase", "out", "does"),
    [
        ("waiting", False, "now"),
        ("pending", False, "now"),
        ("running", False, "now"),
        ("pending", True, "ask"),
        ("running", True, "ask"),
        ("suspended", False, "stay"),
        ("suspended", True, "mark"),
    ],
)
def test_what_runs_is_asked_and_what_rests_is_suspended_at_once(phase: Phase, out: bool, does: Suspending) -> None:
    assert on_suspend(phase, asked=False, cancelled=False, out=out) == does


@pytest.mark.parametrize("phase", ["pending", "running", "suspended"])
def test_asking_twice_and_asking_what_is_being_cancelled_changes_nothing(phase: Phase) -> None:
    assert on_suspend(phase, asked=True, cancelled=False, out=True) == "stay"
    assert on_suspend(phase, asked=False, cancelled=True, out=True) == "stay"


@pytest.mark.parametrize(
    ("phase", "asked", "dispatched", "does"),
    [
        ("waiting", False, False, "stay"),
        ("running", False, True, "stay"),
        ("running", True, True, "withdraw"),
        ("pending", True, True, "withdraw"),
        ("suspended", False, False, "wake"),
        ("suspended", False, True, "again"),
        ("suspended", True, True, "again"),
    ],
)
def test_what_was_parked_is_woken_and_what_was_lost_is_issued_again(
    phase: Phase, asked: bool, dispatched: bool, does: Resuming
) -> None:
    assert on_resume(phase, asked=asked, dispatched=dispatched) == does


def test_a_cancel_in_the_inbox_wins_over_a_suspend() -> None:
    assert parks_as(asked=True, cancelled=False) == "suspended"
    assert parks_as(asked=True, cancelled=True) == "waiting"
    assert parks_as(asked=False, cancelled=False) == "waiting"


def test_work_that_a_yield_interrupted_goes_on_without_a_wake() -> None:
    nap = Sleep(id="/do/0/nap@1", until=Millis(5))
    call = Perform(id="/do/1/call@1", call="http", arguments={}, reference="/do/1/call")
    assert not is_unfinished(_state(nap), (nap,))
    assert is_unfinished(_state(nap, call), (nap,))
    assert is_unfinished(None, Commands())


def _state(*pending: Command) -> State:
    return State(
        execution=ExecutionId("e"),
        started=Millis(0),
        now=Millis(0),
        pending={command.id: command for command in pending},
    )
