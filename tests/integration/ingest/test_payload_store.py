"""The claim check: what comes back is what was put, and nothing else gets in."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator

import grpc
import psycopg
import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.errors import NotFound, TooLarge
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


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 5 * 1024 * 1024])
async def test_a_payload_comes_back_as_it_was_put(client: IngestClient, size: int) -> None:
    content, one = os.urandom(size), execution()
    digest = await client.put_payload("shop", one, content)
    assert digest == hashlib.sha256(content).hexdigest()
    assert await client.get_payload("shop", one, digest) == content


async def test_the_same_payload_again_is_kept_once(client: IngestClient, ingest: IngestProcess) -> None:
    one = execution()
    assert await client.put_payload("shop", one, b"same") == await client.put_payload("shop", one, b"same")
    with psycopg.connect(ingest.stores.journal) as connection:
        query = "SELECT count(*) FROM payload_chunks WHERE execution = %s"
        assert connection.execute(query, [one]).fetchone() == (1,)


async def test_a_payload_is_seen_by_its_own_namespace_and_execution_alone(client: IngestClient) -> None:
    one = execution()
    digest = await client.put_payload("shop", one, b"secret")
    for namespace, other in (("bank", one), ("shop", execution())):
        with pytest.raises(NotFound):
            await client.get_payload(namespace, other, digest)


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


async def test_a_payload_beyond_the_limit_is_too_large(client: IngestClient) -> None:
    with pytest.raises(TooLarge):
        await client.put_payload("shop", execution(), bytes(64 * 1024 * 1024 + 1))
