"""What everybody may expect of a payload store: the one in memory, ingest with PostgreSQL, and an object store alike.

The object store is one in memory behind the same client library, or the S3-compatible one that
``LOWTIDE_TEST_S3_ENDPOINT`` names (``make test-aws`` starts moto and LocalStack for that).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator

import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.clients.objects import ObjectPayloads
from lowtide.errors import PayloadLost, TooLarge
from lowtide.model.base import ExecutionId
from lowtide.runtime.chance import new_execution_id, new_owner, uniform
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.ports import Payloads
from lowtide.testing.payloads import MemoryPayloads
from lowtide.wire.claims import Payload, payload_of
from tests.buckets import bucket

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

_LARGEST = 64 * 1024 * 1024


@pytest.fixture(params=["memory", "ingest", "objects"])
async def payloads(request: pytest.FixtureRequest) -> AsyncIterator[Payloads]:
    if request.param == "memory":
        yield MemoryPayloads()
    elif request.param == "objects":
        yield ObjectPayloads(bucket(), "lowtide", _LARGEST)
    else:
        ingest = request.getfixturevalue("ingest")
        client = IngestClient(ingest.target, owner=new_owner(), clock=SystemClock(), chance=uniform)
        yield client.payloads
        await client.aclose()


def execution() -> ExecutionId:
    return new_execution_id(SystemClock().now())


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 5 * 1024 * 1024])
async def test_a_payload_comes_back_as_it_was_put(payloads: Payloads, size: int) -> None:
    content, one = os.urandom(size), execution()
    payload = await payloads.put("shop", one, content)
    assert payload == Payload(sha256=hashlib.sha256(content).hexdigest(), size=size)
    assert await payloads.get("shop", one, payload) == content


async def test_putting_the_same_again_and_at_once_changes_nothing(payloads: Payloads) -> None:
    content, one = os.urandom(600_000), execution()
    put = await asyncio.gather(*(payloads.put("shop", one, content) for _ in range(4)))
    assert set(put) == {payload_of(content)}
    assert await payloads.get("shop", one, put[0]) == content


async def test_a_payload_is_seen_by_its_own_namespace_and_execution_alone(payloads: Payloads) -> None:
    one = execution()
    payload = await payloads.put("shop", one, b"secret")
    for namespace, other in (("bank", one), ("shop", execution())):
        with pytest.raises(PayloadLost):
            await payloads.get(namespace, other, payload)


async def test_what_was_never_put_is_lost_and_the_error_names_it(payloads: Payloads) -> None:
    one, payload = execution(), payload_of(b"never put")
    with pytest.raises(PayloadLost, match=payload.sha256):
        await payloads.get("shop", one, payload)


async def test_a_payload_beyond_the_limit_is_too_large(payloads: Payloads) -> None:
    with pytest.raises(TooLarge, match=str(_LARGEST)):
        await payloads.put("shop", execution(), bytes(_LARGEST + 1))


async def test_dropped_payloads_are_gone_and_the_others_stay(payloads: Payloads) -> None:
    one, other = execution(), execution()
    first, second = [await payloads.put("shop", one, text) for text in (b"first", b"second")]
    kept = await payloads.put("shop", other, b"first")
    await payloads.drop("shop", one, [first.sha256])
    await payloads.drop("shop", one, [first.sha256, "0" * 64])
    await payloads.drop("shop", one, [])
    with pytest.raises(PayloadLost):
        await payloads.get("shop", one, first)
    assert await payloads.get("shop", one, second) == b"second"
    assert await payloads.get("shop", other, kept) == b"first"


async def test_an_execution_s_payloads_are_dropped_together_and_may_be_put_again(payloads: Payloads) -> None:
    one, other = execution(), execution()
    mine = [await payloads.put("shop", one, text) for text in (b"first", b"second")]
    kept = await payloads.put("shop", other, b"first")
    await payloads.drop("bank", one)
    assert await payloads.get("shop", one, mine[0]) == b"first"
    await payloads.drop("shop", one)
    for payload in mine:
        with pytest.raises(PayloadLost):
            await payloads.get("shop", one, payload)
    assert await payloads.get("shop", other, kept) == b"first"
    assert await payloads.put("shop", one, b"first") == mine[0]
    assert await payloads.get("shop", one, mine[0]) == b"first"
