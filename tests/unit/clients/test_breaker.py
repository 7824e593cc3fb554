"""The breaker in front of ingest: who tries, and when again."""

from __future__ import annotations

import asyncio

import pytest

from lowtide.clients.calling import Breaker
from lowtide.errors import InvalidInput, Unavailable


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def breaker(time: Time) -> Breaker:
    return Breaker(time, lambda: 1.0)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Unavailable, match="no answer"), breaker.passing():
            raise Unavailable("no answer")


def refused(breaker: Breaker) -> bool:
    try:
        with breaker.passing():
            return False
    except Unavailable:
        return True


def test_a_failure_or_two_keep_nobody_from_trying(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert breaker.state == "closed"


def test_after_three_failures_in_a_row_nobody_tries_for_a_while(breaker: Breaker, time: Time) -> None:
    fail(breaker, 3)
    states = [breaker.state]
    assert refused(breaker)
    time.now += 1.0
    assert [*states, breaker.state] == ["open", "half open"]


def test_an_answer_in_between_is_no_row(breaker: Breaker) -> None:
    fail(breaker, 2)
    with breaker.passing():
        pass
    fail(breaker, 2)
    assert breaker.state == "closed"


def test_one_tries_for_all_and_its_success_closes_it(breaker: Breaker, time: Time) -> None:
    fail(breaker, 3)
    time.now += 1.0
    with breaker.passing():
        assert refused(breaker)
    assert breaker.state == "closed"


def test_each_further_failure_lets_it_rest_longer_up_to_a_limit(breaker: Breaker, time: Time) -> None:
    fail(breaker, 3)
    rests = []
    for _ in range(6):
        began = time.now
        while breaker.state == "open":
            time.now += 0.25
        rests.append(time.now - began)
        fail(breaker)
    assert rests == [1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_an_answer_that_is_an_error_is_an_answer(breaker: Breaker) -> None:
    fail(breaker, 2)
    with pytest.raises(InvalidInput), breaker.passing():
        raise InvalidInput("no such execution")
    fail(breaker, 2)
    assert breaker.state == "closed"


def test_an_attempt_that_is_cancelled_lets_another_one_try(breaker: Breaker, time: Time) -> None:
    fail(breaker, 3)
    time.now += 1.0
    with pytest.raises(asyncio.CancelledError), breaker.passing():
        raise asyncio.CancelledError
    assert breaker.state == "half open"
    assert not refused(breaker)
