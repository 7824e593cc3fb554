"""What the history shows of a task that waits: for what, and until when."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.engine.waits import wait_of
from lowtide.model.base import Millis, iso
from lowtide.model.command import Await, AwaitFilter, Perform
from lowtide.model.error import standard_error
from tests.plays import NOW, Play, document

_CALL = "{call: http, with: {method: get, endpoint: 'http://x'}}"


def _waits(body: str, input: Any = None) -> list[Any]:
    return [fact.wait for fact in Play(document(body)).begin(input).facts if fact.status == "waiting"]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("{wait: {seconds: 90}}", {"kind": "timer", "purpose": "wait", "until": iso(Millis(NOW + 90_000))}),
        (
            "{listen: {to: {one: {with: {type: paid, data: '${ .total > 3 }'}, correlate: "
            "{order: {from: .data.order, expect: '${ .order }'}, room: {from: .data.room}}}}}}",
            {
                "kind": "events",
                "need": "any",
                "filters": [{"with": {"type": "paid"}, "where": {"data": ".total > 3"}, "correlate": {"order": "A"}}],
            },
        ),
        (
            "{run: {workflow: {namespace: shop, name: ship, version: '1.2.0'}}}",
            {"kind": "workflow", "namespace": "shop", "workflow": "ship", "version": "1.2.0"},
        ),
        ("{run: {container: {image: 'alpine:3'}}}", {"kind": "container", "image": "alpine:3"}),
        (
            "{call: 'lowtide:await-person', with: {given: {title: Decide, assignee: {group: all}, deadline: PT1H}}}",
            {"kind": "task", "title": "Decide", "assignee": "group:all", "until": iso(Millis(NOW + 3_600_000))},
        ),
    ],
    ids=["time", "events", "child", "container", "person"],
)
def test_a_waiting_task_says_for_what(task: str, expected: Any) -> None:
    assert _waits(f"do: [{{w: {task}}}]", {"order": "A"}) == [expected]


def test_a_retried_task_says_when_it_is_tried_again_and_nothing_else_says_anything() -> None:
    play = Play(
        document(
            f"do: [{{t: {{try: [{{c: {_CALL}}}], "
            "catch: {retry: {delay: PT2S, limit: {attempt: {count: 1}}}}}}]"
        ),
        answer=lambda command: standard_error("communication", "no"),
    ).begin()
    play.settle()
    (retried,) = [fact for fact in play.facts if fact.status == "retried"]
    assert retried.wait == {"kind": "timer", "purpose": "retry", "until": iso(Millis(retried.at + 2000))}
    assert all(fact.wait is None for fact in play.facts if fact is not retried)


def test_what_is_shown_is_bounded_whatever_the_document_says() -> None:
    many = tuple(AwaitFilter(index, with_={"subject": "x" * 1000, "data": {"a": [1, 2]}}) for index in range(50))
    shown = wait_of(Await(id="a", need="any", filters=many, since=NOW))
    assert len(shown["filters"]) == 20
    assert shown["filters"][0] == {"with": {"subject": "x" * 199 + "…", "data": "(dict of 1)"}}
    assert wait_of(Perform(id="p", call="http", arguments={}, reference="/do/0/p")) == {}
