"""The beginning of a fork's journal: copied before the fork is opened for the first time."""

from __future__ import annotations

import asyncio

import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.errors import InvalidInput, Unavailable
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.event import Forked
from lowtide.wire.records import Entry
from tests.integration.ingest.protocol import execution
from tests.integration.ingest.test_journal_is_read_back import client, entry

__all__ = ["client"]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

_FORKED = Entry(turn=3, event=Forked(at=Millis(9), origin="origin"))


async def journaled(client: IngestClient) -> ExecutionId:
    origin = execution()
    await client.open(origin, 1, "digest", 0)
    await client.append(origin, 1, [(number, entry(number)) for number in (1, 2, 3)])
    return origin


async def test_a_fork_is_opened_after_the_records_that_it_took_over(client: IngestClient) -> None:
    origin, fork = await journaled(client), execution()
    await asyncio.gather(*(client.fork_journal(origin, 2, fork, _FORKED) for _ in range(2)))
    records, _ = await client.journal(fork, 0, 10)
    assert [(record.number, record.epoch) for record in records] == [(1, 0), (2, 0), (3, 0)]
    assert [record.entry for record in records] == [entry(1), entry(2), _FORKED]
    opened = await client.open(fork, 1, "digest", 3)
    assert (opened.answer, opened.tail) == ("ok", ())
    await client.append(fork, 1, [(4, entry(4))])
    records, _ = await client.journal(fork, 3, 10)
    assert [(record.number, record.epoch) for record in records] == [(4, 1)]


async def test_a_fork_without_its_records_is_not_run(client: IngestClient) -> None:
    opened = await client.open(execution(), 1, "digest", 3)
    assert opened.answer == "diverged"


async def test_records_that_are_not_there_are_not_taken_over(client: IngestClient) -> None:
    origin, fork = await journaled(client), execution()
    with pytest.raises(InvalidInput, match="has 3 records"):
        await client.fork_journal(origin, 4, fork, _FORKED)
    assert await client.journal(fork, 0, 10) == ((), False)


async def test_an_execution_that_has_begun_keeps_its_own_journal(client: IngestClient) -> None:
    origin, begun = await journaled(client), await journaled(client)
    with pytest.raises(Unavailable, match="has begun already"):
        await client.fork_journal(origin, 1, begun, _FORKED)
