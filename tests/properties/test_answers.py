"""The engine under any document and any answers: it raises nothing, ends in an outcome of its own, and every state
that it gives can be written down and read back."""

from __future__ import annotations

import json as plain_json
import random
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lowtide.dsl import check
from lowtide.engine import Turn, begin, resume
from lowtide.expressions import JqHost
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.command import Await, Command, Perform, Publish, RunChild, RunContainer, Sleep
from lowtide.model.error import Error, StandardType, standard_error
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
from lowtide.model.plan import Plan
from lowtide.model.state import Seed, State
from lowtide.wire.states import read, write
from tests.drawn import JSON_VALUES
from tests.grammar import documents
from tests.properties.test_documents import examples

NOW = Millis(1_700_000_000_000)
HOST = JqHost(secrets={"shop": {"username": "u", "password": "p", "token": "t"}})
TURNS = 25
STEPS = 40


class World:
    """Answers what is wanted, mostly as it is meant to be, in an order and with results drawn from ``chance``."""

    def __init__(self, chance: random.Random, values: list[Any]) -> None:
        self.chance = chance
        self.values = values
        self.old: list[Event] = []

    def happens(self, state: State) -> Event:
        drawn = self.chance.random()
        if drawn < 0.02:
            return CancelAsked(at=self.time(state))
        if drawn < 0.15 and self.old:
            return self.chance.choice(self.old)  # twice, or too late
        wanted = list(state.pending.values())
        command = self.chance.choice(wanted) if wanted else None
        foreign = command is None or drawn < 0.2
        event = self.answer(None if foreign else command, "/do/0/nobody@1" if command is None else command.id, state)
        self.old.append(event)
        return event

    def answer(self, command: Command | None, name: str, state: State) -> Event:
        at, random_ = self.time(state), self.chance.random()
        match command:
            case Perform(call="asyncapi", arguments={"subscription": _}) if self.chance.random() < 0.7:
                messages = [self.value() for _ in range(self.chance.randint(0, 3))]
                batch = {"messages": messages, "cursor": self.value(), "ended": self.chance.random() < 0.2}
                return EffectSucceeded(command=name, output=batch, at=at, random=random_)
            case Perform(arguments={"subscription": _}):
                return EffectFailed(command=name, error=self.error(), at=at, random=random_)
            case Perform() | Publish() | RunContainer() if self.chance.random() < 0.7:
                return EffectSucceeded(command=name, output=self.value(), at=at, random=random_)
            case Perform() | Publish() | RunContainer():
                return EffectFailed(command=name, error=self.error(), at=at, random=random_)
            case RunChild() if self.chance.random() < 0.7:
                return ChildEnded(command=name, execution="c", output=self.value(), at=at, random=random_)
            case RunChild():
                return ChildEnded(command=name, execution="c", error=self.error(), at=at, random=random_)
            case Sleep(until=until):
                return TimerFired(command=name, at=max(at, until), random=random_)
            case Await(filters=filters):
                received = tuple(self.received(self.chance.choice(filters)) for _ in range(self.chance.randint(0, 3)))
                return EventsReceived(command=name, events=received, at=at, random=random_)
        others: list[Event] = [
            TimerFired(command=name, at=at),
            EffectSucceeded(command=name, output=self.value(), at=at),
            EffectFailed(command=name, error=self.error(), at=at),
            ChildEnded(command=name, execution="c", output=self.value(), at=at),
            EventsReceived(command=name, events=(Received({"type": "t"}, self.chance.randint(-3, 3)),), at=at),
        ]
        return self.chance.choice(others)

    def received(self, wanted: Any) -> Received:
        literals = {name: value for name, value in wanted.with_.items() if self.chance.random() < 0.9}
        named = {name: self.value() for name in wanted.expressions}
        event = {"specversion": "1.0", "id": "i", "source": "s", "type": "t", "data": self.value(), **named, **literals}
        return Received(event, wanted.index)

    def value(self) -> Any:
        return self.chance.choice(self.values)

    def error(self) -> Error:
        return standard_error(
            self.chance.choice(get_args(StandardType)), "down", status=self.chance.choice([None, 503])
        )

    def time(self, state: State) -> Millis:
        return Millis(state.now + self.chance.choice([-5_000, 0, 1, 60_000]))


def assert_written(turn: Turn) -> None:
    """All that leaves the engine can be written, and is the same when it is read."""
    body = write(turn.state)
    again = read(body)
    assert again == turn.state == read(write(turn.state, 1))
    assert write(again) == body
    for command in turn.commands:
        assert msgspec.json.decode(msgspec.json.encode(command), type=Command) == command
    assert msgspec.json.encode(turn.facts)


def taken(plan: Plan, state: State, event: Event | None) -> Turn:
    """One turn, computed twice."""
    before = msgspec.json.encode(state)
    turn = resume(plan, state, event, HOST, steps=STEPS)
    assert msgspec.json.encode(state) == before
    assert resume(plan, state, event, HOST, steps=STEPS) == turn
    assert_written(turn)
    return turn


@examples(60)
@given(documents(), st.lists(JSON_VALUES, min_size=1, max_size=4), st.integers(0, 2**32))
def test_any_document_under_any_answers_goes_on_or_ends(document: dict[str, Any], values: list[Any], seed: int) -> None:
    plan = check(plain_json.dumps(document)).plan
    assert plan is not None
    world = World(random.Random(seed), values)
    start = Seed(execution=ExecutionId("e"), input=world.value(), at=NOW, random=0.25)
    turn = begin(plan, start, HOST, steps=STEPS)
    assert begin(plan, start, HOST, steps=STEPS) == turn
    assert_written(turn)
    for _ in range(TURNS):
        if turn.outcome is not None:
            assert not turn.state.pending
            break
        assert turn.more or turn.state.pending, "neither an outcome, nor more, nor anything wanted"
        turn = taken(plan, turn.state, None if turn.more else world.happens(turn.state))
    cancelled = turn if turn.outcome is not None else taken(plan, turn.state, CancelAsked(at=turn.state.now))
    assert cancelled.outcome is not None
    assert taken(plan, cancelled.state, TimerFired(command="late", at=NOW)).outcome == cancelled.outcome
