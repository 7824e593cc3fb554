"""Subscriptions that stay open between two commands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from lowtide.effects.asyncapi.link import Feed
from lowtide.effects.asyncapi.message import Incoming
from lowtide.effects.asyncapi.session import Session, Sessions
from lowtide.errors import TaskFailed
from lowtide.model.error import standard_error
from tests.eventually import eventually

pytestmark = pytest.mark.anyio


class Source:
    """A peer that sends what it was told, then waits, breaks or ends."""

    def __init__(self, *bodies: bytes, then: str = "waits") -> None:
        self.bodies, self.then = bodies, then
        self.acknowledged: list[bytes] = []
        self.closed = False

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Feed]:
        try:
            yield Feed(self._send(), self._acknowledge)
        finally:
            self.closed = True

    async def _send(self) -> AsyncIterator[Incoming]:
        for number, body in enumerate(self.bodies, 1):
            yield Incoming(body, position=("0", number))
        if self.then == "waits":
            await asyncio.Event().wait()
        if self.then == "breaks":
            raise TaskFailed(standard_error("communication", "it broke"))

    async def _acknowledge(self, messages: list[Incoming]) -> None:
        self.acknowledged += [message.body for message in messages]


def session(source: Source, limit: int = 1000) -> Session:
    return Session(source.open(), {}, limit)


async def test_messages_are_taken_in_batches_and_acknowledged_with_the_next() -> None:
    source = Source(b"a", b"b", b"c")
    made = session(source)
    first = await made.take("1", 1, 5.0)
    assert ([one.body for one in first[0]], first[1], first[2]) == ([b"a"], {"0": 1}, False)
    assert source.acknowledged == []
    second = await made.take("2", 2, 5.0, acknowledged=1)
    assert second[0][0].body == b"b"
    assert source.acknowledged == [b"a"]
    await made.close()
    assert source.closed


async def test_the_same_command_again_has_the_same_answer_and_acknowledges_nothing() -> None:
    source = Source(b"a", b"b")
    made = session(source)
    assert await made.take("1", 1, 5.0) == await made.take("1", 1, 5.0, acknowledged=1)
    assert source.acknowledged == []
    await made.close()


async def test_a_batch_is_no_larger_than_the_limit_of_bytes_by_more_than_a_message() -> None:
    source = Source(*[b"x" * 600] * 5)
    made = session(source)
    async for attempt in eventually():
        with attempt:
            assert made._queue.qsize() == 5
    assert len((await made.take("1", 5, 5.0))[0]) == 2
    await made.close()


async def test_what_came_before_a_connection_broke_is_handed_over_first() -> None:
    made = session(Source(b"a", then="breaks"))
    assert [one.body for one in (await made.take("1", 5, 5.0))[0]] == [b"a"]
    with pytest.raises(TaskFailed, match="it broke"):
        await made.take("2", 5, 5.0)
    with pytest.raises(TaskFailed, match="it broke"):
        await made.take("3", 5, 5.0)
    await made.close()


async def test_the_end_is_told_with_or_after_the_last_message() -> None:
    made = session(Source(b"a", then="ends"))
    batches = [await made.take("1", 5, 5.0), await made.take("2", 5, 5.0)]
    assert [one.body for batch in batches for one in batch[0]] == [b"a"]
    assert batches[1][2]
    await made.close()


async def test_a_session_that_nobody_uses_is_closed() -> None:
    kept, source = Sessions(idle=0.02), Source()
    kept.keep("x", session(source))
    await asyncio.sleep(0)
    assert kept.get("x") is not None
    kept.rest("x")
    async for attempt in eventually():
        with attempt:
            assert source.closed
    assert kept.get("x") is None
    await kept.close()


async def test_a_session_that_is_used_in_time_stays() -> None:
    kept, source = Sessions(idle=0.05), Source()
    kept.keep("x", session(source))
    kept.rest("x")
    assert kept.get("x") is not None
    await asyncio.sleep(0.2)
    assert not source.closed
    await kept.close()
    assert source.closed
