"""What an execution that was forked from another one does with its past: time stands still, data may be amended."""

from __future__ import annotations

from lowtide.engine import begin, resume
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.command import Perform, Sleep
from lowtide.model.event import Forked
from lowtide.model.state import Amendment, Completed, Seed
from lowtide.wire import json
from tests.plays import HOST, NOW, Play, document

DAY = 86_400_000

TIMED = """
timeout: {after: {hours: 3}}
do:
- outer:
    timeout: {after: {hours: 2}}
    try: [{inner: {call: inner}}]
    catch: {retry: {delay: {seconds: 1}, limit: {duration: {minutes: 5}}}}
"""


def forked(at: int) -> Forked:
    return Forked(at=Millis(at), origin="origin")


def test_deadlines_and_timers_keep_the_time_that_was_left() -> None:
    made = Play(document(TIMED)).begin().feed(forked(NOW + DAY))
    left = {command.id: command.until - made.state.now for command in made.wanted(Sleep) if isinstance(command, Sleep)}
    assert left == {"@!deadline": 3 * 3_600_000, "/do/0/outer@1.1!deadline": 2 * 3_600_000}
    made.expire()
    assert made.error.detail == "the workflow did not end within 10800 s"


def test_what_is_counted_from_the_first_attempt_does_not_count_the_pause() -> None:
    made = Play(document(TIMED)).begin().feed(forked(NOW + DAY))
    made.answer = lambda command: standard()
    made.respond(made.wanted(Perform)[0])
    assert made.outcome is None, "there is time left for another attempt"


def standard() -> object:
    from lowtide.model.error import standard_error

    return standard_error("communication", "closed")


def test_an_entry_of_a_task_gets_what_was_amended_once() -> None:
    body = "do:\n- each: {for: {in: '[1, 2]'}, do: [{tell: {set: '${ {got: ., context: $context} }'}}]}"
    amended = Amendment(input="mine", context=None)
    seed = Seed(execution=ExecutionId("e"), input="yours", at=NOW, amendments={"/do/0/each/do/0/tell@1.1.2.1": amended})
    turn = begin(document(body), seed, HOST)
    assert turn.outcome == Completed({"got": "mine", "context": None})
    assert turn.state.amendments == {}


def test_amendments_survive_a_snapshot_and_leave_other_snapshots_as_they_were() -> None:
    plan = document("do:\n- ask: {call: ask}\n- tell: {set: {got: '${ . }'}}")
    plain = begin(plan, Seed(execution=ExecutionId("e"), at=NOW), HOST)
    assert b"amendments" not in json.encode(plain.state)
    seed = Seed(execution=ExecutionId("e"), at=NOW, amendments={"/do/1/tell@1.2": Amendment(input=None)})
    state = json.decode(json.encode(begin(plan, seed, HOST).state), type(plain.state))
    assert state.amendments == seed.amendments


def test_an_execution_that_has_ended_is_not_forked_back_to_life() -> None:
    made = Play(document("do:\n- tell: {set: {told: true}}")).begin()
    assert resume(made.plan, made.state, forked(NOW + DAY), HOST).outcome == made.outcome
