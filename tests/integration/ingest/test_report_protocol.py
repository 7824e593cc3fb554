"""What ingest answers to batches, also to those that our own client never sends."""

from __future__ import annotations

import grpc
import psycopg
import pytest

from lowtide.rpc.v1 import ingest_pb2 as pb
from tests.eventually import eventually
from tests.ingests import IngestProcess
from tests.integration.ingest.protocol import Owner, execution, record, talking_to

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

_DONE = pb.Closed(type="dev.lowtide.execution.completed.v1", body=b'{"output":1}')


async def test_a_record_that_comes_twice_is_written_once_and_acknowledged(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        assert await owner.append(one, record(1), record(2)) == []
        assert await owner.append(one, record(1), record(2)) == []
        assert await owner.append(one, record(2), record(3)) == []
        assert [r.number for r in (await owner.open(one)).tail] == [1, 2, 3]


async def test_a_record_that_comes_twice_in_one_batch_is_written_once(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        append = pb.Append(execution=one, epoch=1, records=[record(1)])
        assert await owner.send(append, append) == []
        assert len((await owner.open(one)).tail) == 1


async def test_a_number_with_other_content_is_refused_and_the_rest_of_the_batch_is_not(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, bad, good = Owner(stub), execution(), execution()
        await owner.open(bad)
        await owner.open(good)
        await owner.append(bad, record(1, b"first"))
        refused = await owner.send(
            pb.Append(execution=bad, epoch=1, records=[record(1, b"second")]),
            pb.Append(execution=good, epoch=1, records=[record(1)]),
        )
        assert [(r.execution, r.reason) for r in refused] == [(bad, pb.Refusal.INVALID)]
        assert [r.body for r in (await owner.open(bad)).tail] == [b"first"]
        assert len((await owner.open(good)).tail) == 1


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (2, 1), (0,), (-1, 0), (2**63 - 1,)])
async def test_numbers_that_do_not_follow_are_refused(ingest: IngestProcess, numbers: tuple[int, ...]) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        refused = await owner.append(one, *map(record, numbers))
        assert [r.reason for r in refused] == [pb.Refusal.INVALID]
        assert not (await owner.open(one)).tail


async def test_the_first_close_wins_and_the_same_close_again_is_acknowledged(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        assert await owner.append(one, record(1), close=_DONE) == []
        assert await owner.append(one, record(1), close=_DONE) == [], "the acknowledgement may have been lost"
        late = await owner.append(one, close=pb.Closed(type="other", body=b""))
        assert [r.reason for r in late] == [pb.Refusal.FENCED]
        more = await owner.append(one, record(2))
        assert [r.reason for r in more] == [pb.Refusal.FENCED]
        reply = await owner.open(one)
        assert (reply.answer, reply.outcome) == (pb.OpenReply.CLOSED, _DONE)


async def test_records_and_close_are_one_transaction(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        refused = await owner.append(one, record(5), close=_DONE)
        assert [r.reason for r in refused] == [pb.Refusal.INVALID]
        assert (await owner.open(one)).answer == pb.OpenReply.OK, "a refused append closes nothing"


@pytest.mark.parametrize(
    "append",
    [
        pb.Append(execution="nonsense", epoch=1, records=[record(1)]),
        pb.Append(execution="", epoch=1),
        pb.Append(execution=execution(), epoch=0),
        pb.Append(execution=execution(), epoch=1, close=pb.Closed(type="nul\0", body=b"")),
        pb.Append(execution=execution(), epoch=1, close=pb.Closed(body=b"a close without a type")),
    ],
)
async def test_a_malformed_append_is_refused_alone(ingest: IngestProcess, append: pb.Append) -> None:
    async with talking_to(ingest.target) as stub:
        owner, good = Owner(stub), execution()
        await owner.open(good)
        refused = await owner.send(append, pb.Append(execution=good, epoch=1, records=[record(1)]))
        assert [(r.execution, r.reason) for r in refused] == [(append.execution, pb.Refusal.INVALID)]
        assert len((await owner.open(good)).tail) == 1


@pytest.mark.parametrize(
    "request_",
    [
        pb.OpenRequest(execution="x", epoch=1, digest="d", owner="o"),
        pb.OpenRequest(execution=execution(), epoch=0, digest="d", owner="o"),
        pb.OpenRequest(execution=execution(), epoch=1, digest="", owner="o"),
        pb.OpenRequest(execution=execution(), epoch=1, digest="d", owner=""),
        pb.OpenRequest(execution=execution(), epoch=1, digest="d", owner="nul\0"),
        pb.OpenRequest(execution=execution(), epoch=1, digest="d", owner="o", upto=-1),
    ],
)
async def test_a_malformed_opening_is_the_clients_mistake(ingest: IngestProcess, request_: pb.OpenRequest) -> None:
    async with talking_to(ingest.target) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Open(request_, timeout=10)
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details()
    assert not ingest.noise, "a client's mistake leaves no traceback"


async def test_a_stream_belongs_to_one_owner(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        call = stub.Report()
        await call.write(pb.Batch(owner="a", sequence=1))
        assert (await call.read()).ack.sequence == 1
        await call.write(pb.Batch(owner="b", sequence=2))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_leases_say_who_lives_and_what_is_closed(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, dead = Owner(stub), Owner(stub)
        running, closed, orphan, unknown = execution(), execution(), execution(), execution()
        await owner.open(running, epoch=3)
        await owner.open(closed)
        await owner.append(closed, close=_DONE)
        await dead.open(orphan)
        expire(ingest, dead)
        reply = await stub.Leases(pb.LeasesRequest(executions=[running, closed, orphan, unknown]), timeout=10)
        assert {lease.execution: lease for lease in reply.leases} == {
            running: pb.Lease(execution=running, epoch=3, alive=True, owner=owner.name),
            closed: pb.Lease(execution=closed, epoch=1, alive=False, closed=_DONE, owner=owner.name),
            orphan: pb.Lease(execution=orphan, epoch=1, alive=False, owner=dead.name),
        }


async def test_a_broken_stream_shortens_the_leases_of_its_owner_and_never_lengthens_them(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        owner, one = Owner(stub), execution()
        await owner.open(one)
        await owner.send()
        assert remaining(ingest, owner) > 10
        owner.hang_up()
        async for attempt in eventually():
            with attempt:
                assert 0 < remaining(ingest, owner) <= 5
        expire(ingest, owner)
        await owner.send()
        assert remaining(ingest, owner) > 10, "a batch on a new stream is a sign of life"


async def test_the_loss_of_an_older_stream_does_not_matter(ingest: IngestProcess) -> None:
    async with talking_to(ingest.target) as stub:
        old = Owner(stub)
        new = Owner(stub)
        new.name = old.name
        await old.send()
        await new.send()
        old.hang_up()
        probe = Owner(stub)
        await probe.send()
        probe.hang_up()
        async for attempt in eventually():
            with attempt:
                assert remaining(ingest, probe) <= 5, "by now the other loss was noticed as well"
        assert remaining(ingest, new) > 5
        await new.say_goodbye()


def remaining(ingest: IngestProcess, owner: Owner) -> float:
    """Seconds that the owner's leases still live."""
    query = "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM owners WHERE owner = %s"
    with psycopg.connect(ingest.stores.journal) as connection:
        row = connection.execute(query, [owner.name]).fetchone()
        assert row is not None
        return float(row[0])


def expire(ingest: IngestProcess, owner: Owner) -> None:
    with psycopg.connect(ingest.stores.journal, autocommit=True) as connection:
        connection.execute("UPDATE owners SET expires_at = now() - interval '1 second' WHERE owner = %s", [owner.name])
