"""The payloads that ingest keeps: what was announced is stored, once, and nothing else gets in or out."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import grpc
import psycopg
import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.errors import PayloadLost
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_owner, uniform
from lowtide.runtime.clock import SystemClock
from tests.ingests import IngestProcess
from tests.integration.ingest.protocol import execution, talking_to

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


@pytest.fixture
async def client(ingest: IngestProcess) -> AsyncIterator[IngestClient]:
    client = IngestClient(ingest.target, owner=new_owner(), clock=SystemClock(), chance=uniform)
    yield client
    await client.aclose()


async def test_the_same_payload_again_is_kept_once(client: IngestClient, ingest: IngestProcess) -> None:
    one = execution()
    assert await client.payloads.put("shop", one, b"same") == await client.payloads.put("shop", one, b"same")
    with psycopg.connect(ingest.stores.journal) as connection:
        query = "SELECT count(*) FROM payload_chunks WHERE execution = %s"
        assert connection.execute(query, [one]).fetchone() == (1,)


async def test_a_payload_whose_content_was_changed_is_lost(client: IngestClient, ingest: IngestProcess) -> None:
    one = execution()
    payload = await client.payloads.put("shop", one, b"as it was")
    with psycopg.connect(ingest.stores.journal, autocommit=True) as connection:
        connection.execute("UPDATE payload_chunks SET data = 'as it is!' WHERE execution = %s", [one])
    with pytest.raises(PayloadLost, match="other content"):
        await client.payloads.get("shop", one, payload)


async def test_a_payload_that_is_removed_while_it_is_read_is_lost_and_does_not_hang(
    client: IngestClient, ingest: IngestProcess
) -> None:
    one = execution()
    payload = await client.payloads.put("shop", one, bytes(600_000))
    with psycopg.connect(ingest.stores.journal, autocommit=True) as connection:
        connection.execute("DELETE FROM payload_chunks WHERE execution = %s AND number > 0", [one])
    with pytest.raises(PayloadLost, match="removed while it was read"):
        await client.payloads.get("shop", one, payload)


def announced(content: bytes, **changed: object) -> pb.PayloadRef:
    sha256, size = hashlib.sha256(content).hexdigest(), len(content)
    values = {"namespace": "shop", "execution": str(execution()), "sha256": sha256, "size": size, **changed}
    return pb.PayloadRef(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ref", "status"),
    [
        (announced(b"other content!"), grpc.StatusCode.INVALID_ARGUMENT),
        (announced(b"the content", size=10), grpc.StatusCode.INVALID_ARGUMENT),
        (announced(b"the content", size=12), grpc.StatusCode.INVALID_ARGUMENT),
        (announced(b"the content", sha256="ABC"), grpc.StatusCode.INVALID_ARGUMENT),
        (announced(b"the content", namespace=""), grpc.StatusCode.INVALID_ARGUMENT),
        (announced(b"the content", execution="nonsense"), grpc.StatusCode.INVALID_ARGUMENT),
        (announced(b"the content", size=10**12), grpc.StatusCode.OUT_OF_RANGE),
    ],
)
async def test_a_payload_that_is_not_what_was_announced_is_refused(
    ingest: IngestProcess, ref: pb.PayloadRef, status: grpc.StatusCode
) -> None:
    async def chunks() -> AsyncIterator[pb.PayloadChunk]:
        yield pb.PayloadChunk(ref=ref, data=b"the ")
        yield pb.PayloadChunk(data=b"content")

    async with talking_to(ingest.target) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.PutPayload(chunks(), timeout=10)
        assert caught.value.code() == status
