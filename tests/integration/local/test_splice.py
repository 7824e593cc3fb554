"""gRPC from zero and back."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import grpc
import pytest

from tests.integration.local.pools import eventually, pool_of, spliced

pytestmark = pytest.mark.anyio


def say(channel: grpc.aio.Channel) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary("/fake.Echo/Say", bytes, bytes)


async def test_many_channels_from_zero_start_one_process(tmp_path: Path) -> None:
    async with pool_of(tmp_path, "fake_grpc") as pool, spliced(pool) as target:
        channels = [grpc.aio.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(10)]
        answers = await asyncio.gather(*(say(channel)(b"", timeout=20, wait_for_ready=True) for channel in channels))
        assert len(set(answers)) == 1
        assert pool.cold_starts == 1
        assert pool.in_flight == 10
        await asyncio.gather(*(channel.close(None) for channel in channels))
        await eventually(lambda: pool.in_flight == 0)


async def test_a_stream_holds_its_process_and_its_end_lets_it_go(tmp_path: Path) -> None:
    async with pool_of(tmp_path, "fake_grpc", idle=0.3) as pool, spliced(pool, quiet=2.0) as target:
        async with grpc.aio.insecure_channel(target) as channel:
            call = channel.stream_stream("/fake.Echo/Talk", bytes, bytes)(None, wait_for_ready=True)
            for _ in range(6):
                await call.write(b"a" * 100_000)
                assert await call.read() == b"a" * 100_000
                await asyncio.sleep(0.4)
            assert pool.cold_starts == 1
            await call.done_writing()
        await eventually(lambda: not pool.instances)


async def test_a_channel_on_which_nothing_is_said_does_not_hold_a_process(tmp_path: Path) -> None:
    async with pool_of(tmp_path, "fake_grpc", idle=0.3) as pool, spliced(pool, quiet=0.5) as target:
        async with grpc.aio.insecure_channel(target) as channel:
            first = await say(channel)(b"", timeout=20, wait_for_ready=True)
            await eventually(lambda: not pool.instances)
            second = await say(channel)(b"", timeout=20, wait_for_ready=True)
            assert first != second
            assert pool.crashes == 0


async def test_a_killed_server_is_followed_by_another_with_the_next_call(tmp_path: Path) -> None:
    async with pool_of(tmp_path, "fake_grpc") as pool, spliced(pool) as target:
        async with grpc.aio.insecure_channel(target) as channel:
            first = await say(channel)(b"", timeout=20, wait_for_ready=True)
            os.kill(int(first), signal.SIGKILL)
            await eventually(lambda: pool.crashes == 1)
            second = await say(channel)(b"", timeout=20, wait_for_ready=True)
            assert first != second


async def test_a_service_that_does_not_start_is_unavailable(tmp_path: Path) -> None:
    async with pool_of(tmp_path, "fake_http", FAKE_BREAKS="nothing") as pool, spliced(pool) as target:
        async with grpc.aio.insecure_channel(target) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await say(channel)(b"", timeout=15)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
