"""What holds for every workflow: a state is the fold of its journal, at every point, and survives its codec."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.engine import begin, fold, resume
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.command import Await, Perform, Sleep
from lowtide.model.error import standard_error
from lowtide.model.event import (
    CancelAsked,
    ChildEnded,
    EffectFailed,
    EffectSucceeded,
    Event,
    EventsReceived,
    Received,
    TimerFired,
)
from lowtide.model.state import Seed
from lowtide.wire.states import read, write
from tests.plays import HOST, NOW, Play, document

# ---------------------------------------------------------------- workflows at random


def _task(children: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    tasks = st.lists(children, min_size=1, max_size=3).map(_named)
    return st.one_of(
        tasks.map(lambda do: {"do": do}),
        st.tuples(tasks, st.integers(0, 3)).map(lambda made: {"for": {"in": str(list(range(made[1])))}, "do": made[0]}),
        st.tuples(tasks, st.booleans()).map(lambda made: {"fork": {"branches": made[0], "compete": made[1]}}),
        st.tuples(tasks, tasks, st.integers(0, 2), st.booleans()).map(
            lambda made: {
                "try": made[0],
                "catch": {
                    "retry": {
                        "delay": {"seconds": 1},
                        "limit": {"attempt": {"count": made[2]}},
                        "jitter": {"from": {"seconds": 0}, "to": {"seconds": 5}},
                    },
                    **({"do": made[1]} if made[3] else {}),
                },
            }
        ),
    )


def _named(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{f"t{index}": task} for index, task in enumerate(tasks)]


_LEAVES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"set": {"n": "${ (.n? // 0) + 1 }"}},
        {"set": {"seen": "${ $context }"}, "export": {"as": "{seen: true, now: now}"}},
        {"call": "http", "with": {"method": "get", "endpoint": "http://x/{n}"}},
        {"call": "price", "with": {"n": 1}, "timeout": {"after": "PT10S"}},
        {"wait": {"seconds": 30}},
        {"wait": {"hours": 1}, "timeout": {"after": "PT20S"}},
        {"emit": {"event": {"with": {"type": "x", "data": {"n": 1}}}}},
        {"raise": {"error": {"type": "https://x/y", "status": 500}}},
        {"listen": {"to": {"one": {"with": {"type": "t"}}}}},
        {"listen": {"to": {"all": [{"with": {"type": "t"}}, {"with": {"type": "u"}}]}}},
        {"switch": [{"go": {"when": ".n? == 1", "then": "exit"}}, {"stay": {"then": "continue"}}]},
        {"run": {"workflow": {"namespace": "tests", "name": "other", "version": "1.0.0"}}},
        {"if": "false", "set": {"never": True}},
        {"set": {"last": True}, "then": "end"},
    ]
)

_tasks: st.SearchStrategy[dict[str, Any]] = st.recursive(_LEAVES, _task, max_leaves=12)
_lists = st.lists(_tasks, min_size=1, max_size=4).map(_named)
_short = st.lists(st.recursive(_LEAVES, _task, max_leaves=3), max_size=2).map(_named)
_KINDS = ["call", "composite", "emit", "for", "listen", "raise", "run", "set", "switch", "try", "wait", "all"]
_extensions = st.lists(
    st.tuples(st.sampled_from(_KINDS), st.booleans(), _short, _short, st.sampled_from([None, "exit", "continue"])).map(
        lambda made: {
            "extend": made[0],
            **({"when": '$task.name == "t0" and .n? != 2'} if made[1] else {}),
            "before": [*made[2], *([{"last": {"set": {"n": 2}, "then": made[4]}}] if made[4] else [])],
            "after": made[3],
        }
    ),
    min_size=1,
    max_size=2,
).map(lambda made: [{f"e{index}": extension} for index, extension in enumerate(made)])

workflows = st.one_of(
    _lists.map(lambda do: {"do": do}),
    st.tuples(_lists, _extensions).map(lambda made: {"use": {"extensions": made[1]}, "do": made[0]}),
)


def perform(body: dict[str, Any], seed: int, longest: int = 60) -> Play:
    """Play a workflow in an order drawn from ``seed``; calls fail now and then; deadlines pass now and then."""
    chance = random.Random(seed)

    def answer(command: Perform) -> Any:
        return standard_error("communication", "down") if chance.random() < 0.3 else {"n": chance.randrange(3)}

    made = Play(document("\n".join(f"{key}: {json.dumps(part)}" for key, part in body.items())), answer=answer)
    made.begin({"n": 0})
    for _ in range(longest):
        if made.outcome is not None:
            break
        commands = made.wanted()
        if not commands:
            raise AssertionError(f"neither an outcome nor anything wanted: {made.state}")
        command = chance.choice(commands)
        if isinstance(command, Await):
            wanted = chance.choice(command.filters)
            made.entries.append((made.state.turn, received(made, command, wanted)))
            made._took(resume(made.plan, made.state, made.entries[-1][1], HOST))
        elif isinstance(command, Sleep) and command.purpose == "deadline" and chance.random() < 0.8:
            continue
        else:
            made.respond(command)
    return made


def received(made: Play, command: Await, wanted: Any) -> Any:
    event = {"specversion": "1.0", "id": str(len(made.entries)), "source": "tests", "type": "t", **wanted.with_}
    return EventsReceived(
        command=command.id, events=(Received(event, wanted.index),), at=Millis(made.state.now + 1), random=0.1
    )


# ---------------------------------------------------------------- properties


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows, st.integers(0, 2**32))
def test_a_state_is_the_fold_of_its_journal_from_every_snapshot(body: dict[str, Any], seed: int) -> None:
    made = perform(body, seed)
    turn = begin(made.plan, Seed(execution=ExecutionId("e"), input={"n": 0}, at=NOW, random=0.25), HOST)
    state, number = turn.state, 0
    snapshots = [state]
    for entry in made.entries:
        state, _ = fold(made.plan, state, [entry], HOST)
        snapshots.append(state)
    while state.more:
        state = resume(made.plan, state, None, HOST).state
    assert state == made.state
    # Every snapshot, after a trip through its codec, folds the rest of the journal to the same state.
    for number, snapshot in enumerate(snapshots):
        again = read(write(snapshot))
        assert again == snapshot == read(write(snapshot, 1))
        whole, _ = fold(made.plan, again, made.entries[number:], HOST)
        while whole.more:
            whole = resume(made.plan, whole, None, HOST).state
        assert whole == made.state


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows, st.integers(0, 2**32))
def test_a_turn_changes_neither_its_state_nor_its_answer(body: dict[str, Any], seed: int) -> None:
    made = perform(body, seed, longest=10)
    before = msgspec.json.encode(made.state)
    cancel = CancelAsked(at=made.state.now)
    first, second = resume(made.plan, made.state, cancel, HOST), resume(made.plan, made.state, cancel, HOST)
    assert first == second
    assert msgspec.json.encode(made.state) == before
    assert first.outcome is not None
    assert first.state.pending == {}


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows, st.integers(0, 2**32))
def test_commands_never_repeat_an_id_and_every_task_that_starts_ends(body: dict[str, Any], seed: int) -> None:
    made = perform(body, seed, longest=300)
    ids = [command.id for command in made.performed]
    assert len(ids) == len(set(ids))
    assert [fact.number for fact in made.facts] == list(range(1, len(made.facts) + 1))
    if made.outcome is not None:
        open_tasks: dict[str, str] = {}
        for fact in made.facts:
            open_tasks[fact.task] = fact.status
        assert set(open_tasks.values()) <= {"completed", "faulted", "cancelled", "skipped"}


def test_a_thirty_day_wait_takes_no_time() -> None:
    done = Play(document("do: [{w: {wait: {days: 30}}}]")).begin(1).settle()
    assert done.output == 1
    assert done.state.now - NOW == 30 * 86_400_000


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows, st.integers(0, 2**32))
def test_no_event_of_any_kind_at_any_time_breaks_the_engine(body: dict[str, Any], seed: int) -> None:
    made = perform(body, seed, longest=15)
    ids = {command.id for command in made.performed + made.slept} | set(made.state.pending) | {"/do/9/nobody@1"}
    for command in sorted(ids):
        events: tuple[Event, ...] = (
            EffectSucceeded(command=command, output={"n": 1}, at=NOW),
            EffectFailed(command=command, error=standard_error("runtime", "odd"), at=NOW),
            TimerFired(command=command, at=Millis(made.state.now + 10**12)),
            EventsReceived(command=command, events=(Received({"type": "t"}, 7), Received({"type": "t"}, -1)), at=NOW),
            ChildEnded(command=command, execution="c", error=standard_error("runtime", "odd"), at=NOW),
        )
        for event in events:
            turn = resume(made.plan, made.state, event, HOST)
            twice = resume(made.plan, turn.state, event, HOST)
            assert read(write(twice.state)) == twice.state
