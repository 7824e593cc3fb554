"""Listening, by what a workflow's author sees of it."""

from __future__ import annotations

from lowtide.model.command import Await
from tests.plays import Play, document


def listen(to: str, more: str = "") -> Play:
    return Play(document(f"do: [{{l: {{listen: {{to: {to}}}{more}}}}}]")).begin({"order": "A"})


def test_one_event_is_an_array_of_its_data() -> None:
    started = listen("{one: {with: {type: t}}}")
    assert started.receive({"data": {"n": 1}}).output == [{"n": 1}]
    assert started.statuses("l") == ["running", "waiting", "completed"]


def test_all_awaits_each_filter_once_in_any_order() -> None:
    started = listen("{all: [{with: {type: a}}, {with: {type: b}}]}")
    started.receive({"type": "b", "data": 2}, filter=1)
    (command,) = started.wanted(Await)
    assert isinstance(command, Await)
    assert [wanted.index for wanted in command.filters] == [0]
    assert started.receive({"type": "a", "data": 1}, filter=0).output == [1, 2]


def test_any_takes_the_first_event() -> None:
    assert listen("{any: [{with: {type: a}}, {with: {type: b}}]}").receive({"type": "b", "data": 2}, 1).output == [2]


def test_any_until_a_condition_collects_events() -> None:
    started = listen("{any: [], until: '(. | length) == 2'}").receive({"data": 1})
    assert started.outcome is None
    assert started.receive({"data": 2}).output == [1, 2]


def test_until_another_event_leaves_that_event_out() -> None:
    started = listen("{any: [{with: {type: a}}], until: {one: {with: {type: stop}}}}")
    started.receive({"type": "a", "data": 1})
    assert started.receive({"type": "stop"}, filter=-1).output == [1]


def test_an_event_of_another_correlation_is_not_taken() -> None:
    started = listen("{one: {with: {type: t}, correlate: {order: {from: .data.order, expect: '${ .order }'}}}}")
    started.receive({"data": {"order": "B"}})
    assert started.outcome is None
    assert started.receive({"data": {"order": "A"}}).output == [{"order": "A"}]


def test_the_first_value_becomes_the_expectation() -> None:
    keyed = "correlate: {room: {from: .data.room}}"
    started = listen(f"{{all: [{{with: {{type: a}}, {keyed}}}, {{with: {{type: b}}, {keyed}}}]}}")
    started.receive({"type": "a", "data": {"room": 1}}, 0)
    started.receive({"type": "b", "data": {"room": 2}}, 1)
    assert started.outcome is None
    assert started.receive({"type": "b", "data": {"room": 1}}, 1).output == [{"room": 1}, {"room": 1}]


def test_foreach_performs_its_tasks_for_each_event() -> None:
    started = listen(
        "{any: [{with: {type: a}}], until: '(. | length) == 2'}",
        ", foreach: {item: event, at: i, do: [{c: {call: http, with: "
        "{method: post, endpoint: 'http://x', body: '${ [$i, $event] }'}}}]}",
    )
    started.receive({"type": "a", "data": "x"}).receive({"type": "a", "data": "y"})
    started.settle()
    assert [command.arguments["body"] for command in started.performed] == [[0, "x"], [1, "y"]]
    assert len(started.output) == 2


def test_an_event_can_be_read_with_its_envelope() -> None:
    started = Play(document("do: [{l: {listen: {to: {one: {with: {type: t}}}, read: envelope}}}]")).begin()
    assert started.receive({"data": 1}).output[0]["source"] == "tests"


def test_a_completed_listener_tells_every_key_that_it_resolved_in_whichever_turn() -> None:
    ordered = "{with: {type: a}, correlate: {order: {from: .data.order, expect: '${ .order }'}}}"
    placed = "{with: {type: b}, correlate: {room: {from: .data.room}}}"
    started = listen(f"{{all: [{ordered}, {placed}]}}")
    started.receive({"type": "a", "data": {"order": "A"}}, 0)
    started.receive({"type": "b", "data": {"room": 1}}, 1)
    (completed,) = [fact for fact in started.facts if fact.name == "l" and fact.status == "completed"]
    assert completed.keys == {"order": "A", "room": 1}


def test_an_iterating_listener_tells_the_keys_of_events_that_it_took_long_ago() -> None:
    keyed = "correlate: {order: {from: .data.order, expect: '${ .order }'}}"
    started = listen(
        f"{{any: [{{with: {{type: a}}, {keyed}}}], until: {{one: {{with: {{type: stop}}}}}}}}",
        ", foreach: {item: event, do: [{c: {call: http, with: {method: get, endpoint: 'http://x'}}}]}",
    )
    started.receive({"type": "a", "data": {"order": "A"}}).receive({"type": "stop"}, -1)
    started.settle()
    (completed,) = [fact for fact in started.facts if fact.name == "l" and fact.status == "completed"]
    assert completed.keys == {"order": "A"}
