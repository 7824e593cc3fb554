"""Subscribing to messages, by what a workflow's author sees of it and what the broker is told."""

from __future__ import annotations

from typing import Any

from lowtide.model.base import Millis
from lowtide.model.command import Perform
from lowtide.model.error import standard_error
from lowtide.model.event import EffectFailed, EffectSucceeded
from tests.plays import Play, document

_DOCUMENT = "document: {endpoint: 'http://x/asyncapi.json'}, operation: o"


def subscribe(subscription: str, more: str = "", input: Any = None) -> Play:
    call = f"call: asyncapi, with: {{{_DOCUMENT}, subscription: {{{subscription}}}}}{more}"
    return Play(document(f"do: [{{s: {{{call}}}}}]")).begin(input)


def message(value: Any, **more: Any) -> dict[str, Any]:
    return {"payload": value, "headers": {}, **more}


def wanted(play: Play) -> Perform:
    (command,) = (one for one in play.wanted(Perform) if isinstance(one, Perform) and one.call == "asyncapi")
    assert isinstance(command, Perform)
    return command


def asked(play: Play) -> Any:
    """What the effect is asked for: a batch, or to close."""
    return wanted(play).arguments["subscription"]


def bring(play: Play, *messages: Any, after: int = 1, **more: Any) -> Play:
    output = {"messages": list(messages), **more}
    at = Millis(play.state.now + after)
    return play.feed(EffectSucceeded(command=wanted(play).id, output=output, at=at))


def closed(play: Play) -> Any:
    """The output, once the subscription was closed."""
    assert asked(play)["close"]
    return play.feed(EffectSucceeded(command=wanted(play).id, at=Millis(play.state.now + 1))).output


def test_an_amount_of_messages_is_consumed_in_order() -> None:
    started = subscribe("consume: {amount: 3}")
    assert asked(started) == {"take": 3, "cursor": None, "acknowledged": 0}
    bring(started, message(1), message(2), cursor={"0": 7})
    assert asked(started) == {"take": 1, "cursor": {"0": 7}, "acknowledged": 2}
    bring(started, message(3))
    assert closed(started) == [message(1), message(2), message(3)]


def test_a_message_that_the_filter_leaves_out_does_not_count() -> None:
    started = subscribe("filter: '${ .payload.to == $input.me }', consume: {amount: 1}", input={"me": "ann"})
    bring(started, message({"to": "bob"}))
    bring(started, message({"to": "ann"}))
    assert closed(started) == [message({"to": "ann"})]


def test_until_is_asked_before_a_message_and_while_after_it() -> None:
    until = bring(subscribe("consume: {until: '.payload == \"stop\"'}"), message("a"), message("stop"), message("b"))
    assert asked(until) == {"close": True, "acknowledged": 1}
    assert closed(until) == [message("a")]
    while_ = bring(subscribe("consume: {while: '.payload != \"stop\"'}"), message("a"), message("stop"), message("b"))
    assert asked(while_) == {"close": True, "acknowledged": 2}
    assert closed(while_) == [message("a"), message("stop")]


def test_for_ends_a_subscription_with_what_came() -> None:
    started = subscribe("consume: {amount: 3, for: {seconds: 10}}")
    assert asked(started)["for"] == 10_000
    bring(started, message(1), after=4_000)
    assert asked(started)["for"] == 6_000
    bring(started, after=6_000)
    assert closed(started) == [message(1)]


def test_for_may_be_an_expression() -> None:
    assert asked(subscribe("consume: {amount: 1, for: '${ .long }'}", input={"long": "PT7S"}))["for"] == 7_000
    assert "no duration" in str(subscribe("consume: {amount: 1, for: '${ .long }'}", input={"long": "x"}).error.detail)


def test_foreach_is_performed_for_one_message_after_the_other() -> None:
    do = "do: [{c: {call: http, with: {method: post, endpoint: 'http://x', body: '${ [$i, $m.payload] }'}}}]"
    started = subscribe(f"consume: {{amount: 2}}, foreach: {{item: m, at: i, {do}, output: {{as: .body}}}}")
    for value in ("x", "y"):
        assert asked(started)["take"] == 1
        bring(started, message(value))
        (call,) = started.wanted(Perform)
        assert isinstance(call, Perform)
        assert call.call == "http"
        started.respond(call)
    assert closed(started) == [[0, "x"], [1, "y"]]


def test_conditions_see_what_foreach_exported() -> None:
    export = "export: {as: '$context + {seen: (($context.seen // []) + [$item.payload])}'}"
    started = subscribe(f"consume: {{while: '($context.seen | length) < 2'}}, foreach: {{{export}}}", input={})
    bring(started, message("a"))
    bring(started, message("b"))
    assert closed(started) == [message("a"), message("b")]
    assert started.state.context == {"seen": ["a", "b"]}


def test_end_in_an_iteration_ends_the_workflow() -> None:
    started = subscribe("consume: {amount: 5}, foreach: {do: [{a: {set: {n: 1}, then: end}}]}")
    assert bring(started, message("x")).output == [{"n": 1}]


def test_a_stream_that_ends_is_an_end_unless_an_amount_is_missing() -> None:
    assert bring(subscribe("consume: {while: 'true'}"), message(1), ended=True).output == [message(1)]
    short = bring(subscribe("consume: {amount: 2}"), message(1), ended=True)
    assert "after 1 of the 2 messages" in str(short.error.detail)
    assert short.error.instance == "/do/0/s"


def test_a_broken_condition_fails_the_task_and_nothing_is_wanted_any_more() -> None:
    started = bring(subscribe("consume: {while: '.payload + 1'}"), message("x"))
    assert started.error.status == 400
    assert not started.state.pending


def test_a_broker_that_cannot_be_told_the_end_takes_nothing_back() -> None:
    started = bring(subscribe("consume: {amount: 1}"), message(1))
    error = standard_error("communication", "gone")
    assert started.feed(EffectFailed(command=wanted(started).id, error=error, at=started.state.now)).output == [
        message(1)
    ]


def test_a_broker_that_fails_fails_the_task() -> None:
    started = subscribe("consume: {amount: 1}")
    error = standard_error("communication", "gone", status=503)
    assert started.feed(EffectFailed(command=wanted(started).id, error=error, at=started.state.now)).error.status == 503


def test_a_timeout_retracts_the_command_that_waits_for_messages() -> None:
    started = subscribe("consume: {amount: 1}", ", timeout: {after: {seconds: 3}}")
    assert wanted(started).timeout == 3_000
    assert started.expire().error.status == 408
    assert not started.state.pending


def test_no_command_waits_longer_than_half_a_minute() -> None:
    assert wanted(subscribe("consume: {amount: 1, for: {minutes: 30}}")).timeout == 30_000


def test_a_batch_of_more_messages_than_a_turn_has_steps_goes_on_in_the_next() -> None:
    started = subscribe("consume: {amount: 1200}")
    bring(started, *[message(number) for number in range(1200)])
    assert len(closed(started)) == 1200
