"""The journal of one execution, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.model.base import Millis
from lowtide.model.event import EffectSucceeded
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_owner, uniform
from lowtide.runtime.clock import SystemClock
from lowtide.wire.records import Entry
from tests.ingests import IngestProcess
from tests.integration.ingest.protocol import execution, talking_to

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


@pytest.fixture
async def client(ingest: IngestProcess) -> AsyncIterator[IngestClient]:
    client = IngestClient(ingest.target, owner=new_owner(), clock=SystemClock(), chance=uniform)
    yield client
    await client.aclose()


def entry(number: int, size: int = 1) -> Entry:
    return Entry(turn=number, event=EffectSucceeded(command=f"/do/{number}", at=Millis(number), output="x" * size))


async def test_records_come_in_order_and_page_by_page_also_those_of_earlier_epochs(client: IngestClient) -> None:
    one = execution()
    for epoch in (1, 2):
        await client.open(one, epoch, "digest", 0)
        await client.append(one, epoch, [(number, entry(number)) for number in range(3 * epoch - 2, 3 * epoch + 1)])
    first, more = await client.journal(one, 0, 4)
    assert [(record.number, record.epoch) for record in first] == [(1, 1), (2, 1), (3, 1), (4, 2)]
    assert more
    second, more = await client.journal(one, 4, 4)
    assert [record.number for record in second] == [5, 6]
    assert not more
    assert second[1].entry == entry(6)


async def test_a_page_of_large_records_is_shorter_and_the_next_goes_on(client: IngestClient) -> None:
    one = execution()
    await client.open(one, 1, "digest", 0)
    await client.append(one, 1, [(number, entry(number, 3 * 1024 * 1024)) for number in (1, 2, 3)])
    first, more = await client.journal(one, 0, 10)
    assert [record.number for record in first] == [1, 2]
    assert more
    second, more = await client.journal(one, 2, 10)
    assert [record.number for record in second] == [3]
    assert not more


async def test_an_execution_without_records_has_an_empty_journal(client: IngestClient) -> None:
    assert await client.journal(execution(), 0, 10) == ((), False)


@pytest.mark.parametrize(
    ("execution_id", "after", "limit"), [("7", 0, 1), (None, -1, 1), (None, 0, 0), (None, 0, 1001)]
)
async def test_a_wrong_question_is_refused(
    ingest: IngestProcess, execution_id: str | None, after: int, limit: int
) -> None:
    async with talking_to(ingest.target) as stub:
        request = pb.ReadJournalRequest(execution=execution_id or execution(), after=after, limit=limit)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ReadJournal(request, timeout=10)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
