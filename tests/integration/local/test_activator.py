"""HTTP services from zero and back."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.integration.local.pools import Notes, eventually, fronted, pool_of

pytestmark = pytest.mark.anyio


async def text(client: ClientSession, path: str) -> tuple[int, str]:
    async with client.get(path) as response:
        return response.status, await response.text()


async def test_fifty_requests_at_once_start_one_process(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        assert pool.instances == []
        answers = await asyncio.gather(*(text(client, "/pid") for _ in range(50)))
        assert len(set(answers)) == 1
        assert answers[0][0] == 200
        assert pool.cold_starts == 1
        assert pool.in_flight == 0


async def test_an_idle_process_ends_and_the_next_request_starts_another(tmp_path: Path) -> None:
    async with pool_of(tmp_path, idle=0.3) as pool, fronted(pool) as client:
        _, first = await text(client, "/pid")
        assert pool.zero_since is None
        await eventually(lambda: pool.zero_since is not None)
        assert not psutil.pid_exists(int(first))
        assert pool.crashes == 0
        _, second = await text(client, "/pid")
        assert second != first


async def test_a_process_with_a_request_is_not_idle(tmp_path: Path) -> None:
    async with pool_of(tmp_path, idle=0.3) as pool, fronted(pool) as client:
        assert (await text(client, "/slow?1.5"))[0] == 200


async def test_lasting_load_adds_processes_up_to_the_maximum_and_they_go_again(tmp_path: Path) -> None:
    async with pool_of(tmp_path, idle=0.5, target=2, maximum=3) as pool, fronted(pool) as client:
        slow = [asyncio.create_task(text(client, "/slow?4")) for _ in range(5)]
        await eventually(lambda: pool.cold_starts == 3)
        more = [asyncio.create_task(text(client, "/slow?0.5")) for _ in range(5)]
        answers = await asyncio.gather(*slow, *more)
        assert {status for status, _ in answers} == {200}
        assert len(Counter(pid for _, pid in answers)) == 3
        assert pool.cold_starts == 3
        await eventually(lambda: not pool.instances)


async def test_a_process_killed_with_a_request_is_a_502_and_the_next_request_starts_another(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        _, pid = await text(client, "/pid")
        held = asyncio.create_task(client.post("/slow?30", data=b"x"))
        await eventually(lambda: Notes(tmp_path / "notes").all(began="slow"))
        os.kill(int(pid), signal.SIGKILL)
        response = await held
        assert response.status == 502
        assert response.content_type == "application/problem+json"
        status, other = await text(client, "/pid")
        assert status == 200
        assert other != pid
        assert pool.crashes == 1
        (instance,) = pool.instances
        os.kill(int(other), signal.SIGKILL)
        await eventually(lambda: not pool.instances)
        pool.discard(instance)  # by a request that was given it before
        assert pool.crashes == 2


async def test_a_request_that_may_be_repeated_is_given_to_another_process(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        notes = Notes(tmp_path / "notes")
        held = asyncio.create_task(client.post("/slow?1", data=b"x", headers={"Idempotency-Key": "a"}))
        first = (await eventually(lambda: notes.all(began="slow")))[0]["pid"]
        os.kill(first, signal.SIGKILL)
        response = await held
        assert response.status == 200
        assert [note["pid"] for note in notes.all(did="slow")] == [int(await response.text())]


async def test_a_request_after_a_crash_is_not_given_to_the_dead_process(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        for _ in range(3):
            _, pid = await text(client, "/pid")
            os.kill(int(pid), signal.SIGKILL)
            assert (await text(client, "/pid"))[0] == 200


async def test_a_service_that_does_not_start_is_a_503_with_its_last_words(tmp_path: Path) -> None:
    async with pool_of(tmp_path, FAKE_BREAKS="a missing comma") as pool, fronted(pool) as client:
        answers = await asyncio.gather(*(text(client, "/pid") for _ in range(3)))
        assert {status for status, _ in answers} == {503}
        problem = json.loads(answers[0][1])
        assert problem["code"] == "platform.service_broken"
        assert "exit code 3" in problem["detail"]
        assert "it breaks because of a missing comma" in problem["detail"]
        assert pool.instances == []


async def test_a_request_goes_on_when_its_client_is_gone(tmp_path: Path) -> None:
    async with pool_of(tmp_path, idle=0.2) as pool, fronted(pool) as client:
        notes = Notes(tmp_path / "notes")
        held = asyncio.create_task(text(client, "/slow?1"))
        await eventually(lambda: notes.all(began="slow"))
        held.cancel()
        await eventually(lambda: notes.all(did="slow"))
        await eventually(lambda: not pool.instances)


async def test_bodies_of_any_size_pass_both_ways(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        for size in (0, 1, 300_000, 20_000_000):
            body = os.urandom(size)
            async with client.post("/echo", data=io.BytesIO(body)) as response:
                assert response.headers["x-seen"] == str(size)
                assert await response.read() == body

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"part"

        async with client.post("/echo", data=parts()) as response:
            assert await response.read() == b"partpartpart"


async def test_header_fields_pass_but_for_those_of_one_connection(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        sent = [
            ("x-two", "1"),
            ("x-two", "2"),
            ("connection", "x-mine"),
            ("x-mine", "3"),
            ("ce-id", "%20"),
            ("host", "a"),
        ]
        async with client.get(URL("/headers?q=%2F&q=2", encoded=True), headers=sent) as response:
            path, query, pairs = json.loads(await response.text())
            assert response.headers.getall("set-cookie") == ["a=1", "b=2"]
            assert "x-gone" not in response.headers
        assert (path, query) == ("/headers", "q=%2F&q=2")
        seen = [tuple(pair) for pair in pairs]
        assert [value for name, value in seen if name == "x-two"] == ["1", "2"]
        assert ("ce-id", "%20") in seen
        assert ("host", "a") in seen
        assert "x-mine" not in dict(seen)
        assert dict(seen)["x-forwarded-proto"] == "http"


async def test_a_response_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        async with client.get("/stream") as response:
            assert await response.content.readany() in (b"one", b"onetwo")
            assert await response.read() == b"twothree"
        async with client.head("/pid") as response:
            assert response.status == 200


async def test_a_client_that_asks_first_is_told_to_go_on(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        async with client.post("/echo", data=b"x" * 400_000, expect100=True) as response:
            assert response.headers["x-seen"] == "400000"


async def test_a_compressed_body_stays_compressed(tmp_path: Path) -> None:
    body = gzip.compress(b"x" * 1000)
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        async with client.post("/echo", data=body, headers={"content-encoding": "gzip"}) as response:
            assert await response.read() == body


async def test_what_is_no_http_is_refused_with_a_problem(tmp_path: Path) -> None:
    async with pool_of(tmp_path) as pool, fronted(pool) as client:
        url = client._base_url
        assert url is not None
        for nonsense in (b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(nonsense)
            answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 400 ") or answer.startswith(b"HTTP/1.0 400 ")
            assert b"application/problem+json" in answer
        async with client.get("/pid", headers={"x-long": "a" * 20_000}) as response:
            assert response.status == 400
            assert response.content_type == "application/problem+json"
