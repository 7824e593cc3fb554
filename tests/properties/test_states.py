"""Whatever frames hold: it is the same after it was written and read, in every format, and no value is there twice."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowtide.model.base import ExecutionId
from lowtide.model.command import Ask, Await, AwaitFilter, Command, HumanTask, Perform, Publish, RunChild, Sleep
from lowtide.model.state import (
    Amendment,
    Body,
    Branch,
    CallBody,
    Completed,
    DoBody,
    Extended,
    ForBody,
    ForkBody,
    FunctionBody,
    ListenBody,
    Sequence,
    State,
    SubscriptionBody,
    TaskFrame,
    TryBody,
    WaitBody,
)
from lowtide.wire import json
from lowtide.wire.states import read, write
from lowtide.wire.types import SnapshotFormat
from tests.plays import NOW

_FORMATS: tuple[SnapshotFormat, ...] = (1, 2)

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 5), st.sampled_from([1.0, 0.5, 10**30]), st.text(max_size=4)
)
_long = st.integers(500, 600).map(lambda length: "x" * length)
_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(_scalars, _long),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=40), inner, max_size=4)),
    max_leaves=12,
)


class _Builder:
    """Frames of every kind; what they hold is drawn from a pool, so that they hold the same, or what is in it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        pool = draw(st.lists(_values, min_size=1, max_size=4))
        inside = [part for value in pool if isinstance(value, dict) for part in value.values()]
        around: list[Any] = [{"kept": value, "n": number} for number, value in enumerate(pool)]
        self._pool = [None, *pool, *inside, *around, [*pool], json.parse(json.encode(pool[0]))]

    def value(self) -> Any:
        return self._draw(st.sampled_from(self._pool))

    def values(self) -> list[Any]:
        return [self.value() for _ in range(self._draw(st.integers(0, 3)))]

    def sequence(self, depth: int) -> Sequence:
        return Sequence(index=1, entered=2, data=self.value(), child=self.frame(depth))

    def frame(self, depth: int) -> TaskFrame | None:
        if depth == 0:
            return None
        extended = self._draw(st.booleans())
        return TaskFrame(
            ref="/do/0/t",
            path="1.1",
            kind="do",
            started=NOW,
            raw=self.value(),
            input=self.value(),
            body=self.body(depth - 1),
            extended=Extended(output=self.value(), seq=self.sequence(0), authorization=self.value())
            if extended
            else None,
        )

    def body(self, depth: int) -> Body | None:
        match self._draw(st.integers(0, 9)):
            case 0:
                return CallBody()
            case 1:
                return WaitBody()
            case 2:
                return FunctionBody(child=self.frame(depth))
            case 3:
                return DoBody(seq=self.sequence(depth))
            case 4:
                return ForBody(items=self.values(), data=self.value(), seq=self.sequence(depth))
            case 5:
                branches = [
                    Branch(context=self.value(), frame=self.frame(depth), output=self.value()) for _ in range(2)
                ]
                return ForkBody(branches=branches)
            case 6:
                return TryBody(since=NOW, seq=self.sequence(depth))
            case 7:
                consumed, outputs, keys = self.values(), self.values(), {"key": self.value()}
                return ListenBody(consumed=consumed, outputs=outputs, keys=keys, seq=self.sequence(depth))
            case 8:
                messages, outputs = self.values(), self.values()
                return SubscriptionBody(messages=messages, outputs=outputs, cursor=self.value())
            case _:
                return None

    def commands(self) -> list[Command]:
        filters = tuple(AwaitFilter(index, variables={"input": self.value()}) for index in range(2))
        asked = Ask(key="k", task=HumanTask(title="t", assignee="user:x", data=self.value()))
        every: list[Command] = [
            Perform(id="a", call="http", arguments=self.value(), reference="/do/0/a"),
            Publish(id="b", event={"type": "t", "data": self.value()}, reference="/do/0/b"),
            Sleep(id="c", until=NOW),
            Await(id="d", need="any", filters=filters, since=NOW),
            Await(id="e", need="any", filters=(AwaitFilter(0),), since=NOW, ask=asked),
            RunChild(id="f", namespace="n", workflow="w", reference="/do/0/f", input=self.value()),
        ]
        return self._draw(st.lists(st.sampled_from(every), unique_by=lambda command: command.id, max_size=4))


@st.composite
def states(draw: st.DrawFn) -> State:
    made = _Builder(draw)
    return State(
        execution=ExecutionId("e"),
        started=NOW,
        now=NOW,
        input=made.value(),
        context=made.value(),
        root=draw(st.sampled_from([None, made.sequence(3)])),
        correlations={"key": made.value()},
        amendments={"/do/0/t@1": Amendment(input=made.value())},
        pending={command.id: command for command in made.commands()},
        outcome=draw(st.sampled_from([None, Completed(output=made.value())])),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(states())
def test_a_state_is_the_same_after_it_was_written_and_read_in_any_format(state: State) -> None:
    before = json.encode(state)
    for written in _FORMATS:
        again = read(write(state, written))
        assert again == state
        assert json.encode(again) == before, "to the last byte: 1 is not 1.0, and members keep their order"
        assert write(again) == write(state)
    assert json.encode(state) == before


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(states())
def test_no_state_is_larger_than_before_but_for_a_few_bytes_a_value(state: State) -> None:
    body = write(state)
    written = json.parse(body)
    values = written.get("values", [])
    assert len(body) <= len(write(state, 1)) + 50 + 4 * len(values)
    for whole, key, part in written.get("parts", []):
        values[whole][key] = values[part]
    assert len({json.encode(value) for value in values}) == len(values)
