"""First openings ride on the Report stream; whatever is not plain is for Open to decide."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.model.base import ExecutionId
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_owner, uniform
from lowtide.runtime.clock import SystemClock
from tests.ingests import IngestProcess
from tests.integration.ingest.protocol import Owner, execution, record, talking_to
from tests.integration.ingest.writers import DONE, entry

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


async def test_leases_that_nobody_has_are_made_and_can_be_written_under(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one, other = Owner(stub), execution(), execution()
        assert sorted(await owner.ask(one, other)) == sorted([one, other])
        assert await owner.append(one, record(1)) == []
        assert (await Owner(stub).open(one)).answer == pb.OpenReply.HELD


async def test_a_lease_that_is_there_is_left_to_open(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        first, second, one = Owner(stub), Owner(stub), execution()
        assert await first.ask(one) == [one]
        assert await first.ask(one) == []
        assert await second.ask(one) == []
        assert await second.ask(one, epoch=2) == []
        assert (await second.open(one)).answer == pb.OpenReply.HELD
        await first.append(one, close=pb.Closed(type=DONE.type, body=DONE.body))
        assert await second.ask(one) == []
        assert (await second.open(one)).answer == pb.OpenReply.CLOSED


@pytest.mark.parametrize("wrong", [{"owner": "somebody else"}, {"upto": 3}, {"epoch": 0}, {"digest": "a\0b"}])
async def test_what_open_would_refuse_is_not_opened_and_hurts_nobody_else(
    ingest: IngestProcess, wrong: dict[str, Any]
) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one, other = Owner(stub), execution(), execution()
        assert await owner.ask(one, **wrong) == []
        assert await owner.ask("no id at all", other) == [other]


class _Stub:
    """Counts the calls of Open. ``old``: its ingest knows nothing of openings on the stream."""

    def __init__(self, stub: Any, *, old: bool = False) -> None:
        self.opened = 0
        self._stub = stub
        self._old = old

    async def Open(self, request: pb.OpenRequest, **options: Any) -> pb.OpenReply:
        self.opened += 1
        reply: pb.OpenReply = await self._stub.Open(request, **options)
        return reply

    def Report(self, **options: Any) -> Any:
        call = self._stub.Report(**options)
        if self._old:
            write = call.write

            async def without(batch: pb.Batch) -> None:
                sent = pb.Batch.FromString(batch.SerializeToString())
                del sent.opens[:]
                await write(sent)

            call.write = without
        return call


def _client(stub: _Stub) -> IngestClient:
    return IngestClient("", owner=new_owner(), clock=SystemClock(), chance=uniform, stub=stub)  # type: ignore[arg-type]


async def _run(client: IngestClient, one: ExecutionId) -> None:
    opened = await client.open(one, 1, "digest", 0)
    assert (opened.answer, opened.tail) == ("ok", ())
    assert client.holds(one, 1)
    await client.append(one, 1, [entry(1)], DONE)


async def test_a_client_opens_first_on_the_stream_and_again_by_open(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as bare:
        stub = _Stub(bare)
        client = _client(stub)
        many = [execution() for _ in range(20)]
        await asyncio.gather(*(_run(client, one) for one in many))
        assert stub.opened == 0
        assert (await client.open(many[0], 1, "digest", 0)).closing == DONE
        assert stub.opened == 1
        await client.aclose()


async def test_an_older_ingest_is_asked_by_open(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as bare:
        stub = _Stub(bare, old=True)
        client = _client(stub)
        await _run(client, execution())
        assert stub.opened == 1
        await client.aclose()
