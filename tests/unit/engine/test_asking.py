"""Asking somebody outside, by what the engine wants and what it makes of the answer."""

from __future__ import annotations

from msgspec import json

from lowtide.model.answer import answer_event, expired_event
from lowtide.model.base import Millis
from lowtide.model.command import Ask, Await, Command, Escalation, HumanTask
from lowtide.model.event import Forked
from tests.plays import NOW, Play, document

HOUR = 3_600_000
TASK = "title: Decide, assignee: {group: all}, deadline: PT4H, escalation: [{after: PT1H, assignee: {user: eve}}]"


def asking(given: str, call: str = "await-person") -> Play:
    return Play(document(f"do: [{{ask: {{call: 'lowtide:{call}', with: {{given: {{{given}}}}}}}}}]")).begin()


def asked(play: Play) -> Ask:
    (command,) = play.wanted()
    assert isinstance(command, Await)
    assert command.ask is not None
    return command.ask


def test_a_person_is_asked_once_with_moments_instead_of_durations() -> None:
    ask = asked(asking(TASK))
    assert (ask.key, ask.kind, ask.until) == ("/do/0/ask@1.1", "task", NOW + 4 * HOUR)
    assert ask.task == HumanTask(
        title="Decide", assignee="group:all", escalation=(Escalation(Millis(NOW + HOUR), "user:eve"),)
    )


def test_what_is_asked_survives_a_snapshot_and_nothing_of_it_is_in_an_ordinary_listener() -> None:
    (command,) = asking(TASK).wanted()
    assert json.decode(json.encode(command), type=Command) == command
    (ordinary,) = Play(document("do: [{l: {listen: {to: {one: {with: {type: t}}}}}}]")).begin().wanted()
    assert b"ask" not in json.encode(ordinary)


def test_the_first_answer_is_taken_and_nothing_is_awaited_any_more() -> None:
    play = asking(TASK)
    play.receive(answer_event("task", "1", "/t", NOW, {"ok": True}, by="ann"))
    assert (play.output["status"], play.output["data"], play.output["by"]) == ("completed", {"ok": True}, "ann")
    assert play.wanted() == []


def test_time_that_is_over_is_an_error_and_null_may_be_what_counts_instead() -> None:
    over = expired_event("task", "1", "/t", Millis(NOW + 4 * HOUR))
    error = asking(TASK).receive(over, 1).error
    assert (error.status, error.instance, error.detail) == (
        408,
        "/do/0/ask",
        "nobody completed the task 'Decide' within PT4H",
    )
    assert asking(TASK + ", default: null").receive(over, 1).output["status"] == "expired"


def test_a_fork_leaves_the_time_that_was_left() -> None:
    ask = asked(asking(TASK).feed(Forked(at=Millis(NOW + 10 * HOUR), origin="origin")))
    assert ask.until == NOW + 14 * HOUR
    assert ask.task is not None
    assert ask.task.escalation[0].at == NOW + 11 * HOUR
